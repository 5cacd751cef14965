//! The end of a ring from which is read.

use std::sync::atomic::Ordering;

use crate::corrupt::distance;
use crate::layout::Place;
use crate::{Corrupt, Memory, Sleeper};

/// Reads from a ring. There is one for each.
#[derive(Debug)]
pub struct Consumer<M> {
    memory: M,
    place: Place,
    sleeper: Sleeper<M>,
    /// What has been read: it is believed here, and only stored there.
    head: u64,
    released: u64,
    /// How much there is at least: loaded again only when all of this has been read.
    tail: u64,
}

impl<M: Memory> Consumer<M> {
    pub(crate) fn new(memory: M, place: Place, sleeper: Sleeper<M>) -> Self {
        Self {
            memory,
            place,
            sleeper,
            head: 0,
            released: 0,
            tail: 0,
        }
    }

    /// How many bytes there are to read; not all, perhaps, but some if there are any.
    ///
    /// # Errors
    ///
    /// [`Corrupt`].
    pub fn readable(&mut self) -> Result<usize, Corrupt> {
        if self.tail == self.head {
            // Acquire: the bytes have been copied in before.
            let tail = self.memory.load(self.place.tail, Ordering::Acquire);
            distance(tail, self.head, self.place.capacity as u64)?;
            self.tail = tail;
        }
        distance(self.tail, self.head, self.place.capacity as u64)
    }

    /// Copies out as many bytes as there are and as fit; how many. They keep their room in the ring
    /// until they are [released](Self::release).
    ///
    /// # Errors
    ///
    /// [`Corrupt`].
    pub fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Corrupt> {
        let len = self.readable()?.min(bytes.len());
        let (at, first) = self.place.cut(self.head, len);
        self.memory.copy_out(at, &mut bytes[..first]);
        if first < len {
            self.memory
                .copy_out(self.place.bytes, &mut bytes[first..len]);
        }
        self.head = self.head.wrapping_add(len as u64);
        Ok(len)
    }

    /// Lets the other side have the room of what has been read. True if it waits for that and half
    /// of the ring is free: the caller rings the bell.
    ///
    /// Who waits for room writes nothing meanwhile, so that the reader comes to the end of the ring,
    /// and then at the latest this is true.
    #[must_use = "the other side sleeps until the bell is rung"]
    pub fn release(&mut self) -> bool {
        if self.released == self.head {
            return false;
        }
        self.released = self.head;
        // Release: the bytes have been copied out before.
        self.memory
            .store(self.place.head, self.head, Ordering::Release);
        let left = self.tail.wrapping_sub(self.head);
        left <= self.place.capacity as u64 / 2 && self.sleeper.is_due_for_room()
    }
}
