//! The two that share the memory.

use crate::layout::Place;
use crate::{Consumer, Memory, Producer, Sleeper};

/// One of the two that share the memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Who made it.
    Maker,
    /// Who took it.
    Taker,
}

impl Side {
    pub(crate) fn number(self) -> usize {
        match self {
            Self::Maker => 0,
            Self::Taker => 1,
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Maker => Self::Taker,
            Self::Taker => Self::Maker,
        }
    }
}

/// The ends that belong to `side`: of the ring into which it produces, and of that from which it
/// consumes; and its sleep. To be made once for each side of new memory.
///
/// # Panics
///
/// If `capacity`, the bytes of one ring, is no power of two.
pub fn ends<M: Memory>(
    memory: &M,
    capacity: usize,
    side: Side,
) -> (Producer<M>, Consumer<M>, Sleeper<M>) {
    assert!(
        capacity.is_power_of_two(),
        "a ring's capacity is a power of two"
    );
    let sleeper = Sleeper::new(memory.clone(), side);
    let out = Place::of(side, capacity);
    let in_ = Place::of(side.other(), capacity);
    let producer = Producer::new(memory.clone(), out, sleeper.clone());
    let consumer = Consumer::new(memory.clone(), in_, sleeper.clone());
    (producer, consumer, sleeper)
}
