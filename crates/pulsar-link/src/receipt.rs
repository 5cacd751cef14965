//! What has been taken in of that which came over a link: the receiver's side of credit.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use pulsar_wire::{Frame, Kind};

use crate::Link;
use crate::credit::{SWEEP_TARGETS, WINDOW};
use crate::key::{Key, Keyed};

/// Messages taken in by one target before their sender is told, all at once.
///
/// Withholding less than this stops no sender. A sender is stopped when all of its `WINDOW`
/// credits are spent. Fewer than `RETURN_AT` of these are withheld here, so the others, three
/// quarters or more, belong to messages that are on their way or wait for the target. When the
/// target has taken in as many of them as `RETURN_AT` lacks, all are returned; and if it never
/// does, it is the target that stops the sender, as it should.
const RETURN_AT: u32 = WINDOW as u32 / 4;

/// Credits that have come free here and have not been returned yet.
///
/// An entry is never forgotten: the sender counts these credits as spent. So the table is kept
/// small by returning what is in it.
#[derive(Debug, Default)]
pub(crate) struct Withheld(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// That of the key which came last, as the next is mostly the same. It is not in the table.
    last: (Key, u32),
    others: Keyed<u32>,
}

impl Withheld {
    /// `key` has taken in `count` more: what is to be returned now.
    fn add(&self, key: Key, count: u32) -> Vec<(Key, u32)> {
        let mut counts = self.0.lock();
        if counts.last.0 != key {
            counts.turn_to(key);
        }
        let withheld = counts.last.1.saturating_add(count);
        if withheld >= RETURN_AT {
            counts.last.1 = 0;
            return vec![(key, withheld)];
        }
        counts.last.1 = withheld;
        match counts.others.len() >= SWEEP_TARGETS {
            true => counts.take(),
            false => Vec::new(),
        }
    }
}

impl Counts {
    fn turn_to(&mut self, key: Key) {
        let withheld = self.others.remove(&key).unwrap_or_default();
        let (before, count) = std::mem::replace(&mut self.last, (key, withheld));
        if count > 0 {
            self.others.insert(before, count);
        }
    }

    /// All of them.
    fn take(&mut self) -> Vec<(Key, u32)> {
        let (key, count) = self.last;
        self.last.1 = 0;
        let last = (count > 0).then_some((key, count));
        last.into_iter().chain(self.others.drain()).collect()
    }
}

/// Says that a message has been taken in, when it is dropped: however the message's way came to
/// its end, its sender gets its credit back.
///
/// There is one for each command of the user's that came, unknown ones too, and none for the
/// runtime's own, which cost nothing: a credit too many is garbage to the sender.
#[derive(Debug)]
#[must_use = "the credit goes back when this is dropped"]
pub struct Receipt {
    link: Arc<Link>,
    key: Key,
}

impl Receipt {
    /// For one message of the user's to the actor at `place` and `task`, which came over `link`.
    pub fn new(link: &Arc<Link>, place: u32, task: u32) -> Self {
        link.note_message();
        Self {
            link: Arc::clone(link),
            key: (place, task),
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let (place, task) = self.key;
        self.link.took_in(place, task, 1);
    }
}

impl Link {
    /// The actor here at `place` and `task` has taken in `count` messages of the user's that came
    /// over this link, or they came to their end otherwise. The other side is told now or, a few
    /// at a time, later.
    pub fn took_in(&self, place: u32, task: u32, count: u32) {
        if count == 0 {
            return;
        }
        for ((place, task), count) in self.withheld.add((place, task), count) {
            self.send_system(Frame {
                place,
                task,
                request: count.into(),
                ..Frame::new(Kind::Credit, Bytes::new())
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use pulsar_wire::{Aid, ArbiterId, Codec, FrameDecoder, MAX_FRAME_BYTES};

    use super::*;
    use crate::{AskBody, Fare};

    fn link() -> Arc<Link> {
        Arc::new(Link::new(Aid::new(ArbiterId::from_entropy(1), 1)))
    }

    fn sent(link: &Link) -> Vec<Frame> {
        let mut bytes = BytesMut::new();
        let write = |written: &[u8], _: &[std::os::fd::BorrowedFd<'_>]| {
            bytes.extend_from_slice(written);
            Ok(written.len())
        };
        link.outbox.write_with(write).unwrap();
        let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
        std::iter::from_fn(|| decoder.decode(&mut bytes).unwrap()).collect()
    }

    /// A message to each of these places in turn, as far as there is credit.
    fn send(sender: &Link, places: std::ops::Range<u32>) -> usize {
        let body = |place| {
            let aid = Aid::new(ArbiterId::from_entropy(1), place);
            AskBody::new(aid, "greet", Codec::Postcard, b"", None).unwrap()
        };
        places
            .filter(|place| sender.try_send_tell(body(*place), Fare::Credit).is_ok())
            .count()
    }

    #[test]
    fn each_credit_is_available_at_the_sender_or_withheld_at_the_receiver() {
        let (sender, receiver) = (link(), link());
        let mut delivered = 0;
        for round in 0..600 {
            // Some places often, and each time some that are new.
            delivered += send(&sender, 0..3);
            delivered += send(&sender, 10 * round..10 * round + 10);
            for frame in sent(&sender) {
                drop(Receipt::new(&receiver, frame.place, frame.task));
            }
            for frame in sent(&receiver) {
                sender.credit_came(&frame).unwrap();
            }
        }
        // Each message found credit: none was lost on the way.
        assert_eq!(delivered, 600 * 13);
        let withheld: Keyed<u32> = receiver.withheld.0.lock().take().into_iter().collect();
        for place in 0..6000 {
            let free = std::iter::from_fn(|| sender.credits.try_spend((place, 0)).ok());
            let free = free.collect::<Vec<_>>().len();
            let withheld = withheld.get(&(place, 0)).copied().unwrap_or(0);
            assert_eq!(free + withheld as usize, WINDOW, "place {place}");
        }
    }

    #[test]
    fn a_quarter_of_the_window_is_returned_at_once() {
        let withheld = Withheld::default();
        let key = (3, 0);
        for round in 0..3 {
            for _ in 1..RETURN_AT {
                assert_eq!(withheld.add(key, 1), [], "round {round}");
            }
            assert_eq!(withheld.add(key, 1), [(key, RETURN_AT)]);
        }
        assert_eq!(withheld.add(key, 1000), [(key, 1000)]);
        assert_eq!(withheld.0.lock().take(), []);
    }

    #[test]
    fn nothing_is_lost_when_the_table_is_swept() {
        let withheld = Withheld::default();
        let (mut added, mut returned) = (0, 0);
        for place in 0..10_000 {
            let count = place % 5 + 1;
            added += count;
            for (_, count) in withheld.add((place, 0), count) {
                returned += count;
            }
            assert!(withheld.0.lock().others.len() <= SWEEP_TARGETS);
        }
        assert!(returned > 0);
        let left = withheld.0.lock().take();
        let left: u32 = left.into_iter().map(|(_, count)| count).sum();
        assert_eq!(returned + left, added);
    }
}
