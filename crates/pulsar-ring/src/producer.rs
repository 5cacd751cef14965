//! The end of a ring into which is written.

use std::sync::atomic::Ordering;

use crate::corrupt::distance;
use crate::layout::Place;
use crate::{Corrupt, Memory, Sleeper};

/// Writes to a ring. There is one for each.
#[derive(Debug)]
pub struct Producer<M> {
    memory: M,
    place: Place,
    sleeper: Sleeper<M>,
    /// What has been written, published or not: it is believed here, and only stored there.
    tail: u64,
    published: u64,
    /// How much the consumer has read at least: loaded again only when there is no room by this.
    head: u64,
}

impl<M: Memory> Producer<M> {
    pub(crate) fn new(memory: M, place: Place, sleeper: Sleeper<M>) -> Self {
        Self {
            memory,
            place,
            sleeper,
            tail: 0,
            published: 0,
            head: 0,
        }
    }

    /// Writes as many of `bytes` as there is room for; how many. They are not there for the other
    /// side before they are [published](Self::publish).
    ///
    /// # Errors
    ///
    /// [`Corrupt`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Corrupt> {
        let mut room = self.place.capacity - self.used()?;
        if room < bytes.len() {
            self.look()?;
            room = self.place.capacity - self.used()?;
        }
        let len = bytes.len().min(room);
        let (at, first) = self.place.cut(self.tail, len);
        self.memory.copy_in(at, &bytes[..first]);
        if first < len {
            self.memory.copy_in(self.place.bytes, &bytes[first..len]);
        }
        self.tail = self.tail.wrapping_add(len as u64);
        Ok(len)
    }

    /// Lets the other side have what has been written. True if it is to be woken: the caller rings
    /// the bell.
    #[must_use = "the other side sleeps until the bell is rung"]
    pub fn publish(&mut self) -> bool {
        if self.published == self.tail {
            return false;
        }
        self.published = self.tail;
        // Release: the bytes come before the index.
        self.memory
            .store(self.place.tail, self.tail, Ordering::Release);
        self.sleeper.is_due_for_data()
    }

    /// True if half of the ring is free: what one waits for who found it full. By then a good deal
    /// can be written at once, and one wake-up serves many messages.
    ///
    /// # Errors
    ///
    /// [`Corrupt`].
    pub fn has_half_room(&mut self) -> Result<bool, Corrupt> {
        self.look()?;
        Ok(self.used()? <= self.place.capacity / 2)
    }

    fn look(&mut self) -> Result<(), Corrupt> {
        // Acquire: what was read is not overwritten before it has been copied out there.
        let head = self.memory.load(self.place.head, Ordering::Acquire);
        distance(self.tail, head, self.place.capacity as u64)?;
        self.head = head;
        Ok(())
    }

    fn used(&self) -> Result<usize, Corrupt> {
        distance(self.tail, self.head, self.place.capacity as u64)
    }
}
