//! A part of the address space that shows a file.

use std::{
    io,
    num::NonZeroUsize,
    os::fd::BorrowedFd,
    ptr::{self, NonNull},
};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::platform;

/// No system has smaller pages, and the sizes of all others are multiples of it.
pub(crate) const SMALLEST_PAGE_BYTES: usize = 4096;

/// A part of the address space that belongs to this value alone.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: NonZeroUsize,
}

// SAFETY: it is memory, whose addresses mean the same on each thread. `Mapping` itself gives out no reference to it; its
// owners do, under the rules of borrowing.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps sealed memory. The mapping is *private*: as nobody writes, the pages are the file's own all the same, and
    /// kernels before Linux 6.7 refuse shared mappings of files that are sealed against writing.
    ///
    /// # Safety
    ///
    /// The file is sealed memory, without holes and exactly so long.
    pub(crate) unsafe fn for_reading(file: BorrowedFd<'_>, len: NonZeroUsize) -> io::Result<Self> {
        // SAFETY: that the bytes are there, and stay as they are, is promised by the caller.
        unsafe { Self::map(file, len, ProtFlags::READ, MapFlags::PRIVATE) }
    }

    /// Maps memory that is to be filled, or that several processes write. Who gives out references to its bytes sees to
    /// it that nobody else changes them meanwhile.
    ///
    /// # Safety
    ///
    /// The file is at least so long, and stays so while the mapping lives.
    pub(crate) unsafe fn for_writing(file: BorrowedFd<'_>, len: NonZeroUsize) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: that the bytes are there, and stay there, is promised by the caller.
        let mapping = unsafe { Self::map(file, len, access, MapFlags::SHARED) }?;
        // A process that is forked meanwhile would have the mapping too: it would stand in the way of the seal, or
        // write where it has no part.
        // SAFETY: the range is this mapping's own, and the advice changes nothing in this process.
        unsafe { platform::keep_from_forks(mapping.start.as_ptr().cast(), len.get()) }?;
        Ok(mapping)
    }

    /// # Safety
    ///
    /// The file is at least so long, and stays so while the mapping lives.
    unsafe fn map(
        file: BorrowedFd<'_>,
        len: NonZeroUsize,
        access: ProtFlags,
        sharing: MapFlags,
    ) -> io::Result<Self> {
        // No slice is longer than this.
        if len.get() > isize::MAX.unsigned_abs() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // SAFETY: the kernel chooses where, so no memory of this process is replaced. That the bytes stay there is
        // promised by the caller.
        let start = unsafe { mmap(ptr::null_mut(), len.get(), access, sharing, file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn len(&self) -> NonZeroUsize {
        self.len
    }

    /// Looks at each page: one that was reserved and not written is filled with its zeros.
    pub(crate) fn touch(&self) {
        for offset in (0..self.len.get()).step_by(SMALLEST_PAGE_BYTES) {
            // SAFETY: the offset is within the mapping.
            let byte = unsafe { self.start.add(offset) };
            // SAFETY: the byte is mapped and readable, and nobody writes to it meanwhile: the caller owns the mapping.
            unsafe { byte.read_volatile() };
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `mmap` for this value alone, and all slices of it borrowed its owner, which
        // is being dropped.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len.get()) };
        // It fails only for ranges that are none.
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}
