//! Memory of a memfd, mapped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{NonNull, null_mut};

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A memfd, mapped whole, to be read and written, shared with whoever else maps it.
pub struct Mapping {
    memory: NonNull<u8>,
    len: usize,
    descriptor: OwnedFd,
}

// SAFETY: the memory belongs to this value until it is dropped, on whatever thread that is; it is reached through raw
// pointers only, by code that proves its own accesses.
unsafe impl Send for Mapping {}

// SAFETY: shared, it only gives its pointer and reads two bytes; what writes to them needs it for itself.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// A new memfd of `len` bytes, all zero.
    ///
    /// # Errors
    /// The system's.
    pub fn create(len: usize) -> io::Result<Self> {
        let descriptor = memfd_create("pulsar-bench", MemfdFlags::CLOEXEC)?;
        ftruncate(&descriptor, len as u64)?;
        Self::of(descriptor, len)
    }

    /// Maps the first `len` bytes of a memfd that another process made.
    ///
    /// # Errors
    /// The system's.
    pub fn of(descriptor: OwnedFd, len: usize) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: without an address of ours, the kernel chooses one that nothing uses.
        let memory = unsafe { mmap(null_mut(), len, access, MapFlags::SHARED, &descriptor, 0) }?;
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            memory,
            len,
            descriptor,
        })
    }

    /// The first and the last byte, read from the memory. The file must be as long as what was mapped.
    pub fn ends(&self) -> (u8, u8) {
        // SAFETY: both lie in the mapping, which is as long as its file and lives as long as `self`; volatile, as
        // others may write.
        unsafe {
            let first = self.memory.as_ptr();
            (
                first.read_volatile(),
                first.add(self.len - 1).read_volatile(),
            )
        }
    }

    /// Writes the first and the last byte.
    pub fn set_ends(&mut self, first: u8, last: u8) {
        // SAFETY: as in `ends`.
        unsafe {
            let memory = self.memory.as_ptr();
            memory.write_volatile(first);
            memory.add(self.len - 1).write_volatile(last);
        }
    }

    /// Its memfd.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Where it begins; page-aligned.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.memory
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `of` with this length, and all pointers into it end with `self`.
        let unmapped = unsafe { munmap(self.memory.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "a mapping of ours can be unmapped");
    }
}
