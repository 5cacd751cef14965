//! Unix systems that aren't supported yet: the crate compiles, and what needs Linux says so.

use std::{
    ffi::CStr,
    fs::File,
    io,
    os::fd::{BorrowedFd, OwnedFd, RawFd},
    path::PathBuf,
};

use libc::{c_int, c_void};
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::Resource;

use crate::{image::Image, pid::Pid};

/// The last signal that all Unix systems have.
pub(crate) const HIGHEST_SIGNAL: c_int = 31;

/// The flag against signals isn't everywhere: the program must ignore `SIGPIPE`, as Rust programs do.
pub(crate) const SEND_FLAGS: SendFlags = SendFlags::empty();

/// The flag that marks descriptors isn't everywhere: [`close_on_exec`] does it.
pub(crate) const RECV_FLAGS: RecvFlags = RecvFlags::empty();

/// The file that this process executes, by its path: a replaced file gives another build.
pub(crate) fn executable() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// The same file, open.
pub(crate) fn open_executable() -> io::Result<File> {
    File::open(executable()?)
}

/// Not known: zero.
pub(crate) fn thread_id() -> i64 {
    0
}

/// Not known; nothing depends on it where no parent-death signal exists.
pub(crate) fn on_main_thread() -> bool {
    true
}

/// Does nothing.
pub(crate) fn name_process(_name: &CStr) -> io::Result<()> {
    Ok(())
}

/// Refuses: without a parent-death signal a child could outlive its parent.
pub(crate) fn arm_parent_death() -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

/// Gives a signal its default action.
pub(crate) fn default_signal(signal: c_int) {
    // SAFETY: the default action runs no code of ours; numbers that aren't signals are refused.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// Does nothing: no template is made here.
pub(crate) fn forget_ignored_signals() {}

/// Refuses.
///
/// # Safety
///
/// None is needed: it refuses.
pub(crate) unsafe fn clone_beside() -> io::Result<Option<Pid>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Refuses: there are no forks of a template.
pub(crate) fn nonblocking_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Refuses.
///
/// # Safety
///
/// None is needed: it refuses.
pub(crate) unsafe fn take_place(_descriptor: OwnedFd, _number: RawFd) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Refuses.
pub(crate) fn show_arguments(
    _parts: &MemoryParts,
    _arguments: &'static [u8],
    _environment: &'static [u8],
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Marks descriptors from `first` on to be closed by `exec`, as many as a process usually has.
pub(crate) fn close_on_exec_from(first: RawFd) {
    const LOOKED_AT: RawFd = 65_536;
    for descriptor in first..LOOKED_AT {
        // SAFETY: it only sets a flag; a number that isn't open gives EBADF, which is no matter.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Marks received descriptors to be closed by `exec`. An `exec` on another thread may come first.
pub(crate) fn close_on_exec(received: &[OwnedFd]) -> io::Result<()> {
    for descriptor in received {
        rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok(())
}

/// Refuses: there is no memory that can be sealed.
pub(crate) fn create_memory(_name: &CStr) -> io::Result<OwnedFd> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

/// Refuses.
pub(crate) fn reserve_memory(_memory: BorrowedFd<'_>, _len_bytes: u64) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

/// Refuses.
pub(crate) fn seal_memory(_memory: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

/// Refuses.
pub(crate) fn seal_length(_memory: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

/// Nothing has.
pub(crate) fn has_sealed_length(_descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(false)
}

/// Nothing is.
pub(crate) fn is_sealed_memory(_descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(false)
}

/// Not known: nothing is sealed memory.
pub(crate) fn has_holes(_memory: BorrowedFd<'_>, _len_bytes: u64) -> io::Result<bool> {
    Ok(true)
}

/// Does nothing: no mapping is made here.
///
/// # Safety
///
/// The range is a mapping of the caller's own.
pub(crate) unsafe fn keep_from_forks(_start: *mut c_void, _len_bytes: usize) -> io::Result<()> {
    Ok(())
}

/// Not known.
pub(crate) fn image() -> Option<Image> {
    None
}

/// Refuses: a process sets its own limits only.
pub(crate) fn limit_child(
    _child: Pid,
    _resource: Resource,
    _soft: u64,
    _hard: u64,
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not known: nothing changes.
pub(crate) fn prefer_others() {}

/// Not known.
pub(crate) fn current_core() -> Option<u32> {
    None
}
