//! What a ring needs of the memory that it lies in.

use std::sync::atomic::Ordering;

/// Memory that two sides share. A clone is another way to the same memory.
///
/// Each place is said by its first byte. Words have eight bytes and lie at multiples of eight; the
/// words of the control page and the bytes behind it never overlap. All words are zero at first.
pub trait Memory: Clone {
    /// Loads a word.
    fn load(&self, at: usize, order: Ordering) -> u64;

    /// Stores a word.
    fn store(&self, at: usize, value: u64, order: Ordering);

    /// Stores a word and gives the one that was there, with `AcqRel`.
    fn swap(&self, at: usize, value: u64) -> u64;

    /// A sequentially consistent fence.
    fn fence(&self);

    /// Copies bytes in, with no order among themselves: a later `Release` tells of them.
    fn copy_in(&self, at: usize, bytes: &[u8]);

    /// Copies bytes out. Those that an `Acquire` has told of are as they were copied in; others
    /// may be anything.
    fn copy_out(&self, at: usize, bytes: &mut [u8]);
}
