//! A ring in shared memory: one producer, one consumer, fixed slots, no system call. The bare floor of a link: it
//! checks nothing that the other side writes, so both sides must be trusted.

use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::mapping::Mapping;

/// What the processor fetches for one core at a time, twice: neighbours are fetched in pairs.
const LINE: usize = 128;
/// The consumer's count, the producer's count, each on its own line, then the slots.
const HEAD: usize = 0;
const TAIL: usize = LINE;
const SLOTS: usize = 2 * LINE;

/// The shared memory of a ring. Made before a fork, each side takes its end after it.
pub struct Ring {
    memory: Arc<Mapping>,
    shape: Shape,
}

#[derive(Clone, Copy)]
struct Shape {
    slot: usize,
    slots: u64,
}

impl Ring {
    /// A ring of `slots` messages of `slot` bytes each.
    ///
    /// # Errors
    /// The system's.
    ///
    /// # Panics
    /// If `slots` is no power of two.
    pub fn new(slot: usize, slots: usize) -> io::Result<Self> {
        assert!(slots.is_power_of_two(), "{slots} slots");
        let slot = slot.next_multiple_of(8).max(8);
        let memory = Arc::new(Mapping::create(SLOTS + slot * slots)?);
        let slots = slots as u64;
        Ok(Self {
            memory,
            shape: Shape { slot, slots },
        })
    }

    /// The end that pushes. Of all processes and threads one may use it.
    pub fn producer(&self) -> Producer {
        Producer {
            end: End::new(self),
            tail: 0,
            known_head: 0,
        }
    }

    /// The end that pops. Of all processes and threads one may use it.
    pub fn consumer(&self) -> Consumer {
        Consumer {
            end: End::new(self),
            head: 0,
            known_tail: 0,
        }
    }
}

struct End {
    memory: Arc<Mapping>,
    shape: Shape,
}

impl End {
    fn new(ring: &Ring) -> Self {
        Self {
            memory: ring.memory.clone(),
            shape: ring.shape,
        }
    }

    fn count(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: `offset` is HEAD or TAIL, within the mapping and aligned to a line; it lives as long as `self`, and
        // both processes reach it by atomics only.
        unsafe { AtomicU64::from_ptr(self.memory.start().as_ptr().add(offset).cast()) }
    }

    fn slot(&self, number: u64) -> NonNull<u8> {
        let index = (number & (self.shape.slots - 1)) as usize;
        // SAFETY: `index` is below the number of slots, for which `Ring::new` made room.
        unsafe { self.memory.start().add(SLOTS + index * self.shape.slot) }
    }
}

/// The end that pushes.
pub struct Producer {
    end: End,
    tail: u64,
    known_head: u64,
}

impl Producer {
    /// Pushes a message, if there is room.
    ///
    /// # Panics
    /// If it is longer than a slot.
    pub fn try_push(&mut self, message: &[u8]) -> bool {
        assert!(message.len() <= self.end.shape.slot, "longer than a slot");
        if self.tail - self.known_head == self.end.shape.slots {
            // Acquire: what the consumer has read from the slot was read before we write it anew.
            self.known_head = self.end.count(HEAD).load(Ordering::Acquire);
            if self.tail - self.known_head == self.end.shape.slots {
                return false;
            }
        }
        // SAFETY: the message fits into the slot, and until `tail` is stored the consumer does not touch it.
        unsafe {
            self.end
                .slot(self.tail)
                .copy_from_nonoverlapping(NonNull::from(message).cast(), message.len());
        }
        self.tail += 1;
        // Release: the message is there before its number is.
        self.end.count(TAIL).store(self.tail, Ordering::Release);
        true
    }

    /// Pushes a message, and spins until there is room.
    pub fn push(&mut self, message: &[u8]) {
        while !self.try_push(message) {
            std::hint::spin_loop();
        }
    }
}

/// The end that pops.
pub struct Consumer {
    end: End,
    head: u64,
    known_tail: u64,
}

impl Consumer {
    /// Pops a message into the buffer, if there is one.
    ///
    /// # Panics
    /// If the buffer is longer than a slot.
    pub fn try_pop(&mut self, message: &mut [u8]) -> bool {
        assert!(message.len() <= self.end.shape.slot, "longer than a slot");
        if self.head == self.known_tail {
            // Acquire: the messages up to it are there.
            self.known_tail = self.end.count(TAIL).load(Ordering::Acquire);
            if self.head == self.known_tail {
                return false;
            }
        }
        // SAFETY: the slot holds a message, which the producer does not touch until `head` is stored.
        unsafe {
            NonNull::from(&mut *message)
                .cast()
                .copy_from_nonoverlapping(self.end.slot(self.head), message.len());
        }
        self.head += 1;
        // Release: the slot was read before it is given back.
        self.end.count(HEAD).store(self.head, Ordering::Release);
        true
    }

    /// Pops a message, and spins until there is one.
    pub fn pop(&mut self, message: &mut [u8]) {
        while !self.try_pop(message) {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_in_order_across_threads() {
        const MESSAGES: u64 = 10_000;
        let ring = Ring::new(8, 16).unwrap();
        let (mut producer, mut consumer) = (ring.producer(), ring.consumer());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    let mut message = [0; 8];
                    while !consumer.try_pop(&mut message) {
                        std::thread::yield_now();
                    }
                    assert_eq!(u64::from_ne_bytes(message), number);
                }
            });
            for number in 0..MESSAGES {
                while !producer.try_push(&number.to_ne_bytes()) {
                    std::thread::yield_now();
                }
            }
        });
    }

    #[test]
    fn a_full_ring_takes_no_more() {
        let ring = Ring::new(8, 2).unwrap();
        let mut producer = ring.producer();
        assert!(producer.try_push(&[1; 8]));
        assert!(producer.try_push(&[2; 8]));
        assert!(!producer.try_push(&[3; 8]));
        let mut message = [0; 8];
        assert!(ring.consumer().try_pop(&mut message));
        assert_eq!(message, [1; 8]);
        assert!(producer.try_push(&[3; 8]));
    }
}
