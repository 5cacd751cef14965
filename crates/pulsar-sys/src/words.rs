//! Memory that two or more processes read and write at the same time.
//!
//! Such memory is a file without a name (a *memfd*) that has been sealed against a change of its length and of its
//! seals, and not against writing. Each process that has its descriptor maps it; the descriptor can be closed then.
//!
//! # Why it can be used although others write to it
//!
//! - *No reference says that a byte stays as it is.* All access is by atomic operations: words that are stored and
//!   loaded one by one, and copies made of such words. What a stranger stores meanwhile is some value; whoever loads it
//!   loads it once and checks what was loaded. To the compiler such a store is one of another thread.
//! - *Nothing is cut off.* `F_SEAL_SHRINK` keeps the length, which is compared with what is mapped after the seal has
//!   been seen, so that no page lies behind the end of the file, where an access would end the process by SIGBUS. Who
//!   has the descriptor may still punch holes: a page that is looked at then is made anew, of zeros, which is just
//!   another value.
//! - *It is such a file.* Only memory files can have these seals; files of huge pages, which come from a pool that may
//!   be empty, are refused.
//!
//! Pages are taken from the system when they are used first: memory that is mapped and not used costs nothing. Where
//! the system has none left then, it ends a process, as it does for any other page of memory.

use std::{
    ffi::CStr,
    io,
    num::NonZeroUsize,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
};

use crate::{
    mapping::Mapping,
    platform,
    sealed::{NotSealed, check_length},
};

/// The name that tools show for it.
const NAME: &CStr = c"pulsar-words";

/// The bytes of one word.
pub const WORD_BYTES: usize = size_of::<u64>();

/// Memory shared with other processes, as words.
#[derive(Debug)]
pub struct SharedWords {
    mapping: Mapping,
}

impl SharedWords {
    /// New memory of so many bytes, all zero, and the descriptor by which others [take](Self::take) it.
    ///
    /// # Errors
    ///
    /// If the system has no room for it, or no descriptor, or no such memory (`Unsupported`).
    pub fn create(bytes: NonZeroUsize) -> io::Result<(Self, OwnedFd)> {
        let descriptor = platform::create_memory(NAME)?;
        rustix::fs::ftruncate(&descriptor, bytes.get() as u64)?;
        platform::seal_length(descriptor.as_fd())?;
        // SAFETY: its length has just been set, and sealed.
        let mapping = unsafe { Mapping::for_writing(descriptor.as_fd(), bytes) }?;
        Ok((Self { mapping }, descriptor))
    }

    /// Takes memory that came from elsewhere, if its length is sealed and is exactly so many bytes.
    ///
    /// # Errors
    ///
    /// [`NotSealed`]; nothing is mapped then.
    pub fn take(descriptor: BorrowedFd<'_>, bytes: NonZeroUsize) -> Result<Self, NotSealed> {
        if !platform::has_sealed_length(descriptor)? {
            return Err(NotSealed::Seals);
        }
        check_length(descriptor, bytes)?;
        // SAFETY: it has been checked as the module's documentation asks for: the length was looked at after the seal.
        let mapping = unsafe { Mapping::for_writing(descriptor, bytes) };
        Ok(Self {
            mapping: mapping.map_err(NotSealed::System)?,
        })
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> usize {
        self.mapping.len().get()
    }

    /// The word that begins at this byte.
    ///
    /// # Panics
    ///
    /// If `at` is no multiple of [`WORD_BYTES`], or the word isn't within the memory.
    pub fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(WORD_BYTES), "words are aligned");
        self.check(at, WORD_BYTES);
        // SAFETY: the word is within the mapping, as has been checked.
        let word = unsafe { self.mapping.start().add(at) };
        // SAFETY: it is mapped for reading and writing as long as `self` is borrowed, it is aligned, since mappings begin
        // with a page and `at` has been checked, and whoever accesses it does so by atomic operations.
        unsafe { AtomicU64::from_ptr(word.as_ptr().cast()) }
    }

    /// Copies `bytes` into the memory, from the byte `at` on. Others may see any part of it first, until they are told
    /// by a word that is stored afterwards with `Release`.
    ///
    /// # Panics
    ///
    /// If they don't fit.
    pub fn copy_in(&self, at: usize, bytes: &[u8]) {
        self.check(at, bytes.len());
        let (head, words, tail) = split(at, bytes.len());
        self.bytes_in(at, &bytes[..head]);
        let (whole, rest) = bytes[head..].split_at(words * WORD_BYTES);
        for (number, word) in whole.as_chunks::<WORD_BYTES>().0.iter().enumerate() {
            let word = u64::from_ne_bytes(*word);
            self.word_within(at + head + number * WORD_BYTES)
                .store(word, Ordering::Relaxed);
        }
        debug_assert_eq!(rest.len(), tail);
        self.bytes_in(at + head + whole.len(), rest);
    }

    /// Copies out of the memory, from the byte `at` on. What others store meanwhile comes in part or not at all.
    ///
    /// # Panics
    ///
    /// If there are fewer bytes.
    pub fn copy_out(&self, at: usize, bytes: &mut [u8]) {
        self.check(at, bytes.len());
        let (head, words, tail) = split(at, bytes.len());
        self.bytes_out(at, &mut bytes[..head]);
        let (whole, rest) = bytes[head..].split_at_mut(words * WORD_BYTES);
        for (number, word) in whole.as_chunks_mut::<WORD_BYTES>().0.iter_mut().enumerate() {
            let loaded = self
                .word_within(at + head + number * WORD_BYTES)
                .load(Ordering::Relaxed);
            *word = loaded.to_ne_bytes();
        }
        debug_assert_eq!(rest.len(), tail);
        self.bytes_out(at + head + words * WORD_BYTES, rest);
    }

    fn bytes_in(&self, at: usize, bytes: &[u8]) {
        for (number, byte) in bytes.iter().enumerate() {
            self.byte_within(at + number)
                .store(*byte, Ordering::Relaxed);
        }
    }

    fn bytes_out(&self, at: usize, bytes: &mut [u8]) {
        for (number, byte) in bytes.iter_mut().enumerate() {
            *byte = self.byte_within(at + number).load(Ordering::Relaxed);
        }
    }

    /// A word that is known to be aligned, and within the memory.
    fn word_within(&self, at: usize) -> &AtomicU64 {
        debug_assert!(at.is_multiple_of(WORD_BYTES) && at + WORD_BYTES <= self.bytes());
        // SAFETY: the callers have checked the whole range, of which this is a part.
        let word = unsafe { self.mapping.start().add(at) };
        // SAFETY: as in `word`; that it is aligned is `split`'s doing.
        unsafe { AtomicU64::from_ptr(word.as_ptr().cast()) }
    }

    fn byte_within(&self, at: usize) -> &AtomicU8 {
        debug_assert!(at < self.bytes());
        // SAFETY: the callers have checked the whole range, of which this is a part.
        let byte = unsafe { self.mapping.start().add(at) };
        // SAFETY: as in `word`; a byte is always aligned.
        unsafe { AtomicU8::from_ptr(byte.as_ptr()) }
    }

    fn check(&self, at: usize, len: usize) {
        let end = at.checked_add(len);
        assert!(
            end.is_some_and(|end| end <= self.bytes()),
            "{len} bytes at {at} aren't within {} bytes of memory",
            self.bytes()
        );
    }
}

/// How a range is copied: so many bytes up to the first whole word, so many whole words, so many bytes behind them.
fn split(at: usize, len: usize) -> (usize, usize, usize) {
    let head = (at.next_multiple_of(WORD_BYTES) - at).min(len);
    let words = (len - head) / WORD_BYTES;
    (head, words, len - head - words * WORD_BYTES)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rustix::fs::{
        FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, memfd_create,
    };

    use super::*;

    fn len(len: usize) -> NonZeroUsize {
        NonZeroUsize::new(len).unwrap()
    }

    fn file(bytes: u64, seals: SealFlags) -> OwnedFd {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("foreign", flags).unwrap();
        rustix::fs::ftruncate(&file, bytes).unwrap();
        fcntl_add_seals(&file, seals).unwrap();
        file
    }

    const LENGTH: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

    #[test]
    fn what_one_stores_the_other_loads() {
        let (one, descriptor) = SharedWords::create(len(8192)).unwrap();
        let other = SharedWords::take(descriptor.as_fd(), len(8192)).unwrap();
        drop(descriptor);
        one.word(8184).store(7, Ordering::Release);
        assert_eq!(other.word(8184).load(Ordering::Acquire), 7);
        assert_eq!(other.word(0).swap(9, Ordering::AcqRel), 0);
        assert_eq!(one.word(0).load(Ordering::Acquire), 9);
    }

    #[test]
    fn copies_of_each_length_at_each_place_come_out_as_they_went_in() {
        let (one, descriptor) = SharedWords::create(len(4096)).unwrap();
        let other = SharedWords::take(descriptor.as_fd(), len(4096)).unwrap();
        for at in 100..117 {
            for length in 0..40_usize {
                let bytes: Vec<u8> = (0..length).map(|n| (n + at) as u8 | 1).collect();
                one.copy_in(at - 1, &vec![0; length + 2]);
                one.copy_in(at, &bytes);
                let mut out = vec![0xff; length + 2];
                other.copy_out(at - 1, &mut out);
                assert_eq!(out[1..=length], bytes);
                assert_eq!((out[0], out[length + 1]), (0, 0), "{length} bytes at {at}");
            }
        }
    }

    #[test]
    fn what_is_not_within_the_memory_is_a_panic_and_not_an_access() {
        let (words, _) = SharedWords::create(len(4096)).unwrap();
        let fails = |access: &dyn Fn()| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(access)).unwrap_err();
        };
        fails(&|| words.word(4096).store(1, Ordering::Relaxed));
        fails(&|| words.word(4).store(1, Ordering::Relaxed));
        fails(&|| words.copy_in(4090, &[0; 7]));
        fails(&|| words.copy_out(usize::MAX, &mut [0; 2]));
        words.copy_in(4096, &[]);
    }

    #[test]
    fn memory_whose_length_may_change_is_not_taken() {
        let take = |file: OwnedFd, bytes| SharedWords::take(file.as_fd(), len(bytes));
        take(file(4096, LENGTH | SealFlags::SEAL), 4096).unwrap();
        for seals in [
            LENGTH,
            SealFlags::SEAL | SealFlags::SHRINK,
            SealFlags::SEAL | SealFlags::GROW,
        ] {
            let taken = take(file(4096, seals), 4096);
            assert!(matches!(taken, Err(NotSealed::Seals)), "{taken:?}");
        }
        let taken = take(file(4095, LENGTH | SealFlags::SEAL), 4096);
        assert!(matches!(taken, Err(NotSealed::Length { .. })), "{taken:?}");
        let null = File::open("/dev/null").unwrap();
        let taken = take(null.into(), 4096);
        assert!(matches!(taken, Err(NotSealed::Seals)), "{taken:?}");
        // Nobody could write to it.
        let taken = take(
            file(4096, LENGTH | SealFlags::SEAL | SealFlags::WRITE),
            4096,
        );
        assert!(matches!(taken, Err(NotSealed::Seals)), "{taken:?}");
    }

    #[test]
    fn a_hole_that_a_stranger_makes_is_zeros_and_no_death() {
        let (words, descriptor) = SharedWords::create(len(8192)).unwrap();
        words.copy_in(4096, &[7; 4096]);
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(&descriptor, punch, 4096, 4096).unwrap();
        let mut out = [1; 4096];
        words.copy_out(4096, &mut out);
        assert_eq!(out, [0; 4096]);
        rustix::fs::ftruncate(&descriptor, 4096).unwrap_err();
    }
}
