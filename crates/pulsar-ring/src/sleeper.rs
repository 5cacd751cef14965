//! Who sleeps, and when a bell is due.

use std::sync::atomic::Ordering;

use crate::layout::{asleep, core};
use crate::{Memory, Side};

/// It sleeps until there is something to read.
const DATA: u64 = 1;
/// It sleeps, too, until half of the ring into which it produces is free.
const ROOM: u64 = 2;

/// What one side says to the other about itself: that it sleeps, and on which processor it runs.
///
/// # Nobody sleeps through a bell
///
/// A side that is about to sleep takes three steps: it [says so](Self::arm), with a fence behind;
/// it *looks again* for what it would be woken for; and finding nothing, it waits for the bell. A
/// side that has made something to be woken for takes these: it stores its index; a fence; it looks
/// whether the other sleeps, and rings if so.
///
/// The two fences stand in one order for all. If the sleeper's is the first, the other's look comes
/// after the sleeper's word and finds it, and it rings. If the other's is the first, the sleeper's second
/// look comes after the index and finds what there is. So it is woken or does not sleep; without the
/// second look, what is made between the first look and the word is slept through.
///
/// Whoever rings takes the word away by the same step, so that one sleep costs one bell.
#[derive(Clone, Debug)]
pub struct Sleeper<M> {
    memory: M,
    side: Side,
}

impl<M: Memory> Sleeper<M> {
    pub(crate) fn new(memory: M, side: Side) -> Self {
        Self { memory, side }
    }

    /// Says that this side is about to sleep, until there is something to read, and, if it
    /// `needs_room`, until half of its own ring is free. Look again for both before you sleep:
    /// [`Consumer::readable`](crate::Consumer::readable),
    /// [`Producer::has_half_room`](crate::Producer::has_half_room).
    pub fn arm(&self, needs_room: bool) {
        let bits = match needs_room {
            true => DATA | ROOM,
            false => DATA,
        };
        // A swap, though nobody looks at what was there: it comes behind the swap of whoever rang for
        // the sleep before, for all to see.
        self.memory.swap(asleep(self.side), bits);
        self.memory.fence();
    }

    /// This side is awake: no bell is due.
    pub fn disarm(&self) {
        // The other side may be about to ring all the same.
        self.memory.store(asleep(self.side), 0, Ordering::Relaxed);
    }

    /// Something has been produced, and its index stored: true if a bell is due.
    pub(crate) fn is_due_for_data(&self) -> bool {
        self.is_due(DATA)
    }

    /// Half of the other side's ring is free, and the index stored: true if a bell is due.
    pub(crate) fn is_due_for_room(&self) -> bool {
        self.is_due(ROOM)
    }

    fn is_due(&self, bit: u64) -> bool {
        self.memory.fence();
        let at = asleep(self.side.other());
        // Loaded first: a swap would take the line away from a side that is awake each time.
        self.memory.load(at, Ordering::Relaxed) & bit != 0 && self.memory.swap(at, 0) != 0
    }

    /// Says on which processor this side runs. To be called when that has changed.
    pub fn publish_core(&self, number: u32) {
        let word = u64::from(number) + 1;
        self.memory.store(core(self.side), word, Ordering::Relaxed);
    }

    /// On which processor the other side ran when it last said so; nothing if it has not, or says
    /// what cannot be.
    pub fn core_of_other(&self) -> Option<u32> {
        let word = self.memory.load(core(self.side.other()), Ordering::Relaxed);
        word.checked_sub(1)
            .and_then(|number| u32::try_from(number).ok())
    }
}
