//! The identity of an actor.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The characters of an arbiter's id: no vowels that spell, no letters that look like digits.
const ALPHABET: &[u8; 32] = b"bcdfghjkmnpqrstvwxyz0123456789ae";
/// The first character is one of the letters at the front of [`ALPHABET`], so that an arbiter's
/// id is never mistaken for a number.
const LETTERS: u64 = 20;
/// Characters in an arbiter's id.
const ARBITER_ID_CHARS: usize = 8;

/// An actor's id: the arbiter it lives under, a place there, and for a task the number of the
/// task in that place's process or thread.
///
/// It names a *place*, not a life: a restarted actor keeps its id and gets the next
/// [`Incarnation`]. The text form is one token without dots or spaces, `b7k3m9q2-17` or
/// `b7k3m9q2-17-3`; in one's own system the part after the first dash is enough.
///
/// ```
/// use pulsar_wire::{Aid, ArbiterId};
///
/// let aid = Aid::new(ArbiterId::from_entropy(7), 17);
/// assert_eq!(aid.to_string().parse::<Aid>()?, aid);
/// assert_eq!(Aid::parse_in(aid.arbiter(), "17")?, aid);
/// # Ok::<(), pulsar_wire::ParseAidError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Aid {
    arbiter: ArbiterId,
    place: u32,
    task: u32,
}

impl Aid {
    /// The place of the arbiter itself.
    pub const ARBITER_PLACE: u32 = 0;

    /// The actor that holds `place` under `arbiter`.
    pub const fn new(arbiter: ArbiterId, place: u32) -> Self {
        Self::task_in(arbiter, place, 0)
    }

    /// Task number `task` on the loop of the actor in `place`; 0 is that actor itself.
    pub const fn task_in(arbiter: ArbiterId, place: u32, task: u32) -> Self {
        Self {
            arbiter,
            place,
            task,
        }
    }

    /// The arbiter under which the actor lives.
    pub const fn arbiter(self) -> ArbiterId {
        self.arbiter
    }

    /// The place of the actor, or of the actor that hosts it.
    pub const fn place(self) -> u32 {
        self.place
    }

    /// The number of the task in its host; 0 for an actor that is no task.
    pub const fn task(self) -> u32 {
        self.task
    }

    /// The actor on whose loop this one runs: itself, unless it is a task.
    pub const fn host(self) -> Self {
        Self::new(self.arbiter, self.place)
    }

    /// The id without the arbiter's part: what one types on the spot.
    pub fn local(self) -> String {
        match self.task {
            0 => self.place.to_string(),
            task => format!("{}-{task}", self.place),
        }
    }

    /// Reads an id in its full form or, under `arbiter`, its local one.
    ///
    /// # Errors
    ///
    /// [`ParseAidError`] if the text is neither.
    pub fn parse_in(arbiter: ArbiterId, text: &str) -> Result<Self, ParseAidError> {
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            return parse_local(arbiter, text);
        }
        text.parse()
    }
}

impl fmt::Display for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.arbiter, self.local())
    }
}

impl fmt::Debug for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Aid {
    type Err = ParseAidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (arbiter, local) = text.split_once('-').ok_or(ParseAidError)?;
        parse_local(arbiter.parse()?, local)
    }
}

fn parse_local(arbiter: ArbiterId, text: &str) -> Result<Aid, ParseAidError> {
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u32>().map_err(|_| ParseAidError),
        false => Err(ParseAidError),
    };
    match text.split_once('-') {
        None => Ok(Aid::new(arbiter, number(text)?)),
        Some((place, task)) => match number(task)? {
            0 => Err(ParseAidError),
            task => Ok(Aid::task_in(arbiter, number(place)?, task)),
        },
    }
}

/// One arbiter's life: drawn anew at each start, so that an id given out before a restart never
/// reaches a stranger after it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ArbiterId(u64);

impl ArbiterId {
    /// An id from random bits; 39 of them are kept.
    pub const fn from_entropy(bits: u64) -> Self {
        let first = bits % LETTERS;
        let rest = (bits / LETTERS) & ((1 << (5 * (ARBITER_ID_CHARS - 1))) - 1);
        Self(first | (rest << 5))
    }
}

impl fmt::Display for ArbiterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for index in 0..ARBITER_ID_CHARS {
            let digit = (self.0 >> (5 * index)) & 31;
            write!(f, "{}", char::from(ALPHABET[digit as usize]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ArbiterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ArbiterId {
    type Err = ParseAidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != ARBITER_ID_CHARS {
            return Err(ParseAidError);
        }
        let mut bits = 0_u64;
        for (index, byte) in text.bytes().enumerate() {
            let digit = ALPHABET.iter().position(|known| *known == byte);
            let digit = digit.ok_or(ParseAidError)? as u64;
            if index == 0 && digit >= LETTERS {
                return Err(ParseAidError);
            }
            bits |= digit << (5 * index);
        }
        Ok(Self(bits))
    }
}

/// Which life in a place this is: the first is 1, a restart begins the next.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize,
)]
pub struct Incarnation(pub u32);

impl Incarnation {
    /// The first life in a place.
    pub const FIRST: Self = Self(1);

    /// The life after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no actor id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an actor id: expected PLACE, PLACE-TASK or ARBITER-PLACE[-TASK]")]
pub struct ParseAidError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_survives_its_text(bits: u64, place: u32, task: u32) {
            let aid = Aid::task_in(ArbiterId::from_entropy(bits), place, task);
            prop_assert_eq!(aid.to_string().parse::<Aid>(), Ok(aid));
            prop_assert_eq!(Aid::parse_in(aid.arbiter(), &aid.local()), Ok(aid));
            prop_assert_eq!(Aid::parse_in(aid.arbiter(), &aid.to_string()), Ok(aid));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let _ = text.parse::<Aid>();
            let _ = Aid::parse_in(ArbiterId::from_entropy(1), &text);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "-",
            "17-",
            "17-0",
            "+1",
            "x",
            "aaaaaaaa-1",
            "bbbbbbbb-",
            "bbbbbbbb",
        ] {
            let arbiter = ArbiterId::from_entropy(0);
            assert_eq!(Aid::parse_in(arbiter, text), Err(ParseAidError), "{text:?}");
        }
    }
}
