//! What all contenders send, and what they keep of it.

use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Bytes of the payload that most measures use; it travels without an allocation.
const SMALL: usize = 64;

/// A numbered message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) number: u64,
    pub(crate) payload: Payload,
}

/// What a message carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Payload {
    None,
    Small(Block),
    Large(Body),
}

/// 64 bytes, in place.
#[derive(Clone, Debug)]
pub(crate) struct Block([u8; SMALL]);

/// Any number of bytes, on the heap.
#[derive(Clone, Debug)]
pub(crate) struct Body(Vec<u8>);

impl Message {
    pub(crate) fn new(number: u64, payload: usize) -> Self {
        let payload = match payload {
            0 => Payload::None,
            SMALL => Payload::Small(Block([1; SMALL])),
            bytes => Payload::Large(Body(vec![1; bytes])),
        };
        Self { number, payload }
    }

    fn first_byte(&self) -> u64 {
        match &self.payload {
            Payload::None => 0,
            Payload::Small(block) => block.0[0].into(),
            Payload::Large(body) => body.0.first().copied().unwrap_or_default().into(),
        }
    }
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Bytes(|bytes: &[u8]| {
            let block = bytes.try_into().ok();
            block.map(Block)
        }))
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Bytes(|bytes: &[u8]| Some(Body(bytes.to_vec()))))
    }
}

/// Makes a value of bytes, in one piece; byte by byte where a format has no other way.
struct Bytes<F>(F);

impl<'de, T, F: Fn(&[u8]) -> Option<T>> Visitor<'de> for Bytes<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a payload")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<T, E> {
        (self.0)(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<T, A::Error> {
        let mut collected = Vec::new();
        while let Some(byte) = bytes.next_element()? {
            collected.push(byte);
        }
        self.visit_bytes(&collected)
    }
}

/// The state of each contender's handler: that the messages came in order, and their sum.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    next: u64,
    sum: u64,
    is_broken: bool,
}

/// What a ledger says where messages were lost, doubled or out of order.
const BROKEN: u64 = u64::MAX;

impl Ledger {
    /// Enters a message; the sum so far.
    pub(crate) fn enter(&mut self, message: &Message) -> u64 {
        self.enter_parts(message.number, message.first_byte())
    }

    /// The same for a message that is bytes: [`encode`]'s.
    pub(crate) fn enter_bytes(&mut self, message: &[u8]) -> u64 {
        let (number, payload) = message.split_at(size_of::<u64>());
        let number = u64::from_le_bytes(number.try_into().unwrap_or_default());
        self.enter_parts(number, payload.first().copied().unwrap_or_default().into())
    }

    fn enter_parts(&mut self, number: u64, first_byte: u64) -> u64 {
        self.is_broken |= number != self.next;
        self.next += 1;
        self.sum = self.sum.wrapping_add(number + first_byte);
        self.total()
    }

    /// The sum of all messages so far.
    pub(crate) fn total(&self) -> u64 {
        match self.is_broken {
            true => BROKEN,
            false => self.sum,
        }
    }
}

/// The sum of the first `count` messages with such a payload.
fn expected(count: u64, payload: usize) -> u64 {
    (count * count.saturating_sub(1) / 2).wrapping_add(count * u64::from(payload > 0))
}

/// That the other side has entered `count` messages, in order.
///
/// # Errors
/// It has not.
pub(crate) fn check(total: u64, count: u64, payload: usize) -> anyhow::Result<()> {
    let expected = expected(count, payload);
    anyhow::ensure!(
        total == expected,
        "the handler's sum after {count} messages is {total}, {expected} was expected: messages were lost, doubled or out of order"
    );
    Ok(())
}

/// A message as bytes, for contenders that have no codec: its number, then its payload.
pub(crate) struct Encoded(Vec<u8>);

impl Encoded {
    pub(crate) fn new(payload: usize) -> Self {
        let mut bytes = vec![1; size_of::<u64>() + payload];
        bytes[..size_of::<u64>()].fill(0);
        Self(bytes)
    }

    /// The message of this number.
    pub(crate) fn numbered(&mut self, number: u64) -> &[u8] {
        self.0[..size_of::<u64>()].copy_from_slice(&number.to_le_bytes());
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_has_the_expected_sum_of_messages_in_order() {
        for payload in [0, 64, 4096] {
            let mut ledger = Ledger::default();
            let mut encoded = Encoded::new(payload);
            for number in 0..100 {
                match number % 2 {
                    0 => ledger.enter(&Message::new(number, payload)),
                    _ => ledger.enter_bytes(encoded.numbered(number)),
                };
            }
            check(ledger.total(), 100, payload).unwrap();
            assert!(check(ledger.total(), 99, payload).is_err());
        }
    }

    #[test]
    fn a_ledger_notices_lost_and_swapped_messages() {
        for numbers in [vec![0, 2], vec![1, 0], vec![0, 0]] {
            let mut ledger = Ledger::default();
            for number in &numbers {
                ledger.enter(&Message::new(*number, 64));
            }
            assert!(check(ledger.total(), numbers.len() as u64, 64).is_err());
        }
    }

    #[test]
    fn messages_survive_the_codec() {
        for payload in [0, 64, 4096] {
            let bytes = postcard::to_stdvec(&Message::new(7, payload)).unwrap();
            assert!((payload..payload + 8).contains(&bytes.len()));
            let message: Message = postcard::from_bytes(&bytes).unwrap();
            let mut ledger = Ledger {
                next: 7,
                ..Ledger::default()
            };
            assert_eq!(ledger.enter(&message), 7 + u64::from(payload > 0));
        }
    }
}
