//! Memory that nobody can change any more, shared between processes by its descriptor.
//!
//! Such memory is a file without a name (a *memfd*) that has been *sealed*: the kernel then refuses to write to it, to
//! shrink it, to grow it and to lift a seal, whoever asks. It is freed when the last descriptor is closed and the last
//! mapping is gone, by dropping or by death.
//!
//! # Why a mapping of it is a plain slice
//!
//! [`SealedMemory::take`] maps a file that a stranger made, and the bytes of a slice must neither change nor vanish.
//!
//! - *Nobody writes.* `F_SEAL_WRITE` is only granted while no writable shared mapping of the file exists and no page of
//!   it is held for writing otherwise, and from then on the kernel makes no such mapping and lets nobody write by other
//!   calls. `F_SEAL_FUTURE_WRITE` is no substitute: mappings made before it stay writable.
//! - *Nothing is cut off.* `F_SEAL_SHRINK` keeps the length, `F_SEAL_WRITE` refuses to punch holes. Pages behind the
//!   end of a file end a process by SIGBUS, so the length is compared with what is mapped, after the seals have been
//!   seen: it cannot change between the two.
//! - *No page is missing.* The first look at a page that was never written makes that page, and SIGBUS follows where
//!   the system has no memory left for it. So files with holes are refused, and the kernel's own swapping is all that
//!   remains; it treats these pages as it treats any others. Files of huge pages are refused as well: those come from a
//!   pool of their own.
//! - *It is such a file.* Only memory files can have these seals, so neither a pipe nor a file on a disk or a network
//!   passes for one, and none of those is touched beyond the question.

use std::{
    ffi::CStr,
    fs::File,
    io::{self, Write},
    num::NonZeroUsize,
    ops::{Deref, DerefMut},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    slice,
    sync::Arc,
};

use rustix::fs::{FileType, fstat};

use crate::{mapping::Mapping, platform};

/// The name that tools show for it.
const NAME: &CStr = c"pulsar-shared";

/// Bytes that cannot change any more, mapped into this process.
#[derive(Debug)]
pub struct SealedMemory {
    descriptor: Arc<OwnedFd>,
    mapping: Mapping,
}

impl SealedMemory {
    /// A copy of `bytes`; nothing if there are none.
    ///
    /// # Errors
    ///
    /// If the system has no room for it, or no descriptor, or no such memory (`Unsupported`).
    pub fn copy_from(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(len) = NonZeroUsize::new(bytes.len()) else {
            return Ok(None);
        };
        // Written by calls, so that no writable mapping stands in the seal's way.
        let mut file = File::from(platform::create_memory(NAME)?);
        file.write_all(bytes)?;
        Self::seal(file.into(), len).map(Some)
    }

    /// Takes memory that came from elsewhere, if it is sealed and exactly `len` bytes long. It is mapped, not copied.
    ///
    /// # Errors
    ///
    /// [`NotSealed`]; nothing is mapped then.
    pub fn take(descriptor: Arc<OwnedFd>, len: NonZeroUsize) -> Result<Self, NotSealed> {
        check(descriptor.as_fd(), len)?;
        // SAFETY: it has been checked as the module's documentation asks for.
        let mapping = unsafe { Mapping::for_reading(descriptor.as_fd(), len) };
        Ok(Self {
            mapping: mapping.map_err(NotSealed::System)?,
            descriptor,
        })
    }

    /// Seals a file of this process's own. `len` is its length, and it has no holes.
    fn seal(file: OwnedFd, len: NonZeroUsize) -> io::Result<Self> {
        platform::seal_memory(file.as_fd())?;
        // SAFETY: it has just been sealed. Nobody else had its descriptor, so that its length is what it was given.
        let mapping = unsafe { Mapping::for_reading(file.as_fd(), len) }?;
        Ok(Self {
            descriptor: Arc::new(file),
            mapping,
        })
    }

    /// What is passed to another process, so that it can [`take`](Self::take) it.
    pub fn descriptor(&self) -> &Arc<OwnedFd> {
        &self.descriptor
    }
}

impl Deref for SealedMemory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let (start, len) = (self.mapping.start().as_ptr(), self.mapping.len().get());
        // SAFETY: so many bytes are mapped for reading until `self` is dropped, and nobody changes them: see the
        // module's documentation. `Mapping` has seen to it that they are no more than `isize::MAX`.
        unsafe { slice::from_raw_parts(start, len) }
    }
}

/// What a descriptor must be before it is mapped; the order matters, see the module's documentation.
fn check(descriptor: BorrowedFd<'_>, len: NonZeroUsize) -> Result<(), NotSealed> {
    if !platform::is_sealed_memory(descriptor)? {
        return Err(NotSealed::Seals);
    }
    check_length(descriptor, len)?;
    match platform::has_holes(descriptor, len.get() as u64)? {
        true => Err(NotSealed::Holes),
        false => Ok(()),
    }
}

/// That it is a file of this length. Its seals, which have been looked at before, keep it so.
pub(crate) fn check_length(descriptor: BorrowedFd<'_>, len: NonZeroUsize) -> Result<(), NotSealed> {
    let stat = fstat(descriptor).map_err(io::Error::from)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(NotSealed::Seals);
    }
    let (found, said) = (u64::try_from(stat.st_size).unwrap_or(0), len.get() as u64);
    match found == said {
        true => Ok(()),
        false => Err(NotSealed::Length { found, said }),
    }
}

/// Why memory that came from elsewhere is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotSealed {
    /// It is something else than memory, or its seals are not all there.
    #[error("the descriptor is no sealed memory")]
    Seals,
    /// It is not as long as it should be.
    #[error("the sealed memory has {found} bytes and should have {said}")]
    Length {
        /// Its bytes.
        found: u64,
        /// What its sender said.
        said: u64,
    },
    /// Parts of it were never written.
    #[error("the sealed memory has holes")]
    Holes,
    /// A call of the system failed.
    #[error("sealed memory cannot be taken")]
    System(#[from] io::Error),
}

/// Memory that is being filled, before it is sealed. It begins as zeros.
#[derive(Debug)]
pub struct UnsealedMemory {
    // In this order: the mapping goes first.
    mapping: Mapping,
    descriptor: OwnedFd,
}

impl UnsealedMemory {
    /// Memory of `len` bytes, all of which are there from now on.
    ///
    /// # Errors
    ///
    /// If the system has no room for it, or no descriptor, or no such memory (`Unsupported`).
    pub fn new(len: NonZeroUsize) -> io::Result<Self> {
        let descriptor = platform::create_memory(NAME)?;
        platform::reserve_memory(descriptor.as_fd(), len.get() as u64)?;
        // SAFETY: the file was made here, its length has been set, and all of its pages have been reserved. No other
        // process or mapping has it, so that its length stays.
        let mapping = unsafe { Mapping::for_writing(descriptor.as_fd(), len) }?;
        Ok(Self {
            mapping,
            descriptor,
        })
    }

    /// Seals it: it can be read and passed on from now on, and changed no more.
    ///
    /// # Errors
    ///
    /// If the kernel refuses, as when the pages are still used by a call that writes to them.
    pub fn seal(self) -> io::Result<SealedMemory> {
        let Self {
            mapping,
            descriptor,
        } = self;
        mapping.touch();
        let len = mapping.len();
        // While it is mapped for writing the seal is refused.
        drop(mapping);
        SealedMemory::seal(descriptor, len)
    }
}

impl Deref for UnsealedMemory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let (start, len) = (self.mapping.start().as_ptr(), self.mapping.len().get());
        // SAFETY: so many bytes are mapped for reading and writing until `self` is dropped. The descriptor has not
        // left this value, so that nobody else writes there, and `&self` keeps this process from it.
        unsafe { slice::from_raw_parts(start, len) }
    }
}

impl DerefMut for UnsealedMemory {
    fn deref_mut(&mut self) -> &mut [u8] {
        let (start, len) = (self.mapping.start().as_ptr(), self.mapping.len().get());
        // SAFETY: as above; `&mut self` makes this the only reference.
        unsafe { slice::from_raw_parts_mut(start, len) }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::fd::AsRawFd, ptr};

    use rustix::fs::{
        FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, memfd_create,
    };

    use super::*;
    use crate::mapping::SMALLEST_PAGE_BYTES;

    fn len(len: usize) -> NonZeroUsize {
        NonZeroUsize::new(len).unwrap()
    }

    const ALL: [SealFlags; 4] = [
        SealFlags::SEAL,
        SealFlags::SHRINK,
        SealFlags::GROW,
        SealFlags::WRITE,
    ];

    fn file(bytes: &[u8]) -> File {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("foreign", flags).unwrap());
        file.write_all(bytes).unwrap();
        file
    }

    fn take(file: impl Into<OwnedFd>, bytes: usize) -> Result<SealedMemory, NotSealed> {
        SealedMemory::take(Arc::new(file.into()), len(bytes))
    }

    #[test]
    fn a_copy_is_read_again_by_its_descriptor_alone() {
        let made = SealedMemory::copy_from(b"shared").unwrap().unwrap();
        let taken = SealedMemory::take(Arc::clone(made.descriptor()), len(6)).unwrap();
        drop(made);
        assert_eq!(&*taken, b"shared");
        assert!(SealedMemory::copy_from(b"").unwrap().is_none());
    }

    #[test]
    fn what_is_filled_in_place_is_zero_elsewhere() {
        let bytes = 3 * SMALLEST_PAGE_BYTES + 17;
        let mut memory = UnsealedMemory::new(len(bytes)).unwrap();
        memory[bytes - 1] = 7;
        let sealed = memory.seal().unwrap();
        let taken = SealedMemory::take(Arc::clone(sealed.descriptor()), len(bytes)).unwrap();
        assert_eq!((taken.len(), taken[bytes - 1]), (bytes, 7));
        assert!(taken[..bytes - 1].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn sealed_memory_cannot_be_changed_through_its_descriptor() {
        let sealed = SealedMemory::copy_from(b"fixed").unwrap().unwrap();
        let mut file = File::from(sealed.descriptor().try_clone().unwrap());
        file.write_all(b"x").unwrap_err();
        file.set_len(0).unwrap_err();
        file.set_len(100).unwrap_err();
        // A descriptor of its own for writing, by the file's place in the process table.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let mut again = File::options().write(true).open(path).unwrap();
        again.write_all(b"x").unwrap_err();
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(&again, punch, 0, 4096).unwrap_err();
        // SAFETY: the kernel refuses, so that nothing is mapped.
        let mapping = unsafe { Mapping::for_writing(again.as_fd(), len(5)) };
        mapping.unwrap_err();
        assert_eq!(&*sealed, b"fixed");
    }

    #[test]
    fn each_missing_seal_is_noticed() {
        for missing in ALL {
            let file = file(b"bytes");
            let seals = ALL.into_iter().filter(|seal| *seal != missing);
            // `SEAL` is the first in the list, and would refuse the others.
            for seal in seals.collect::<Vec<_>>().into_iter().rev() {
                fcntl_add_seals(&file, seal).unwrap();
            }
            let refused = take(file, 5);
            assert!(
                matches!(refused, Err(NotSealed::Seals)),
                "{missing:?}: {refused:?}"
            );
        }
    }

    #[test]
    fn memory_that_is_only_closed_to_later_writers_is_refused() {
        let file = file(b"bytes");
        // SAFETY: the file is as long, and nothing else maps it; what is mapped is not looked at.
        let still_writable = unsafe { Mapping::for_writing(file.as_fd(), len(5)) }.unwrap();
        fcntl_add_seals(&file, SealFlags::WRITE).unwrap_err();
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE;
        fcntl_add_seals(&file, seals | SealFlags::SEAL).unwrap();
        assert!(matches!(take(file, 5), Err(NotSealed::Seals)));
        drop(still_writable);
    }

    fn all_seals() -> SealFlags {
        ALL.into_iter().collect()
    }

    #[test]
    fn another_length_than_was_said_is_refused() {
        for said in [1, 4, 6, 4096, usize::MAX] {
            let file = file(b"bytes");
            fcntl_add_seals(&file, all_seals()).unwrap();
            let refused = take(file, said);
            assert!(
                matches!(refused, Err(NotSealed::Length { found: 5, .. })),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn memory_with_holes_is_refused_also_if_pages_behind_its_end_make_up_for_them() {
        // A page or more on any system.
        let page = 16 * SMALLEST_PAGE_BYTES;
        for reserved in [0, page as u64] {
            let file = file(b"begins");
            file.set_len(2 * page as u64).unwrap();
            if reserved > 0 {
                let at = 2 * page as u64;
                fallocate(&file, FallocateFlags::KEEP_SIZE, at, reserved).unwrap();
            }
            fcntl_add_seals(&file, all_seals()).unwrap();
            assert!(matches!(take(file, 2 * page), Err(NotSealed::Holes)));
        }
    }

    /// Its pages cannot be cut off through such a descriptor, so that they are looked at one by one.
    #[test]
    fn a_descriptor_for_reading_only_is_taken_by_the_same_rules() {
        for (bytes, expected) in [(&b"whole"[..], true), (b"", false)] {
            let file = file(bytes);
            file.set_len(5).unwrap();
            fcntl_add_seals(&file, all_seals()).unwrap();
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            let taken = take(File::open(path).unwrap(), 5);
            assert_eq!(taken.is_ok(), expected, "{taken:?}");
            assert_eq!(
                taken.map(|taken| taken.to_vec()).ok(),
                expected.then(|| bytes.to_vec())
            );
        }
    }

    #[test]
    fn what_is_no_memory_is_refused() {
        let (reader, _writer) = std::io::pipe().unwrap();
        assert!(matches!(take(reader, 5), Err(NotSealed::Seals)));
        let disk = File::open("/proc/self/exe").unwrap();
        assert!(matches!(take(disk, 5), Err(NotSealed::Seals)));
        let device = File::open("/dev/zero").unwrap();
        assert!(matches!(take(device, 5), Err(NotSealed::Seals)));
    }

    #[test]
    fn memory_of_huge_pages_is_refused() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | MemfdFlags::HUGETLB;
        // Not every system has any.
        let Ok(huge) = memfd_create("huge", flags) else {
            return;
        };
        let _ = fcntl_add_seals(&huge, all_seals());
        assert!(matches!(take(huge, 5), Err(NotSealed::Seals)));
    }

    #[test]
    fn a_process_that_was_forked_while_it_was_filled_does_not_stop_the_seal() {
        let memory = UnsealedMemory::new(len(4096)).unwrap();
        let (mut until_closed, closing) = std::io::pipe().unwrap();
        // SAFETY: the child only makes system calls and ends without running anything of the program's.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let mut byte = [0_u8];
            // It has the other end itself, and lives until it is killed.
            let _ = io::Read::read(&mut until_closed, &mut byte);
            // SAFETY: it ends this process at once.
            unsafe { libc::_exit(0) };
        }
        let sealed = memory.seal();
        drop(closing);
        // SAFETY: a signal to a process of our own that has not been waited for.
        unsafe { libc::kill(child, libc::SIGKILL) };
        // SAFETY: it waits for that process and writes nothing.
        unsafe { libc::waitpid(child, ptr::null_mut(), 0) };
        sealed.unwrap();
    }
}
