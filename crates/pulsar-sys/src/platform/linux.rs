//! Linux.

use std::{
    ffi::CStr,
    fs::File,
    io,
    ops::Range,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use libc::{c_int, c_uint, c_ulong, c_void, dl_phdr_info, size_t};
use rustix::fs::{
    FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags, SeekFrom, fallocate, fcntl_add_seals,
    fcntl_get_seals, fstat, fstatfs, ftruncate, memfd_create, seek,
};
use rustix::io::Errno;
use rustix::mm::{Advice, madvise};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use rustix::process::{Resource, Rlimit, prlimit};

use crate::{image::Image, pid::Pid, title::MemoryParts};

/// The last real-time signal of the kernel.
pub(crate) const HIGHEST_SIGNAL: c_int = 64;

/// A closed peer is an error of the call, not a signal.
pub(crate) const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;

/// Descriptors arrive marked to be closed by `exec`.
pub(crate) const RECV_FLAGS: RecvFlags = RecvFlags::CMSG_CLOEXEC;

/// Descriptors that the slow way of [`close_on_exec_from`] looks at: as many as a process has by far, and still only
/// some milliseconds. It is needed only before Linux 5.11.
const SLOW_WAY_DESCRIPTORS: RawFd = 65_536;

/// The file that this process executes. The link leads to the inode, so a replaced or deleted file doesn't matter.
pub(crate) fn executable() -> io::Result<PathBuf> {
    Ok(Path::new("/proc/self/exe").to_owned())
}

/// The same file, open so that it can be asked for what it is, and needs no right to be read.
pub(crate) fn open_executable() -> io::Result<File> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(rustix::fs::open(executable()?, flags, Mode::empty())?.into())
}

/// The kernel's id of this thread.
pub(crate) fn thread_id() -> i64 {
    rustix::thread::gettid().as_raw_pid().into()
}

/// Whether this is the first thread of the process: its thread id is the process's id.
pub(crate) fn on_main_thread() -> bool {
    rustix::thread::gettid() == rustix::process::getpid()
}

/// Names the process's thread that calls, for tools that list processes. The kernel keeps 15 bytes.
pub(crate) fn name_process(name: &CStr) -> io::Result<()> {
    Ok(rustix::thread::set_name(name)?)
}

/// Has the kernel kill this process when the thread that made it ends.
///
/// Async-signal-safe: one system call, no memory, no lock.
pub(crate) fn arm_parent_death() -> io::Result<()> {
    // The C library reads four whole words, so narrower numbers would leave their upper halves to chance.
    let unused: c_ulong = 0;
    let signal = libc::SIGKILL as c_ulong;
    // SAFETY: this option takes a signal number and touches no memory of ours.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal, unused, unused, unused) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Gives a signal its default action. It asks the kernel itself, as the C library refuses the signals that it keeps for
/// its own use, and those can be inherited as ignored like any other.
///
/// Async-signal-safe: one system call, no memory, no lock.
pub(crate) fn default_signal(signal: c_int) {
    /// One bit for each signal, in bytes.
    const SET_BYTES: usize = HIGHEST_SIGNAL as usize / 8;
    // The kernel's record differs between processors, but it is never longer than this, and zero in all of its fields
    // is the default action without flags and with an empty mask.
    let action = [0_u64; 8];
    // SAFETY: the kernel reads one record from the array, which is long enough and aligned, and writes none back. The
    // default action runs no code of ours.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            action.as_ptr(),
            std::ptr::null_mut::<c_void>(),
            SET_BYTES,
        )
    };
}

/// Gives all signals that are ignored their default action, but for PIPE, which Rust programs ignore. Those with a handler
/// keep it.
pub(crate) fn forget_ignored_signals() {
    for signal in (1..=HIGHEST_SIGNAL).filter(|signal| *signal != libc::SIGPIPE) {
        // SAFETY: the record is plain numbers and a pointer, for which zero is a value.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: no new action is given; the old one is written to a place of its type. Numbers that the C library keeps
        // for itself are refused, and are never ignored.
        let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
        if asked == 0 && action.sa_sigaction == libc::SIG_IGN {
            default_signal(signal);
        }
    }
}

/// Forks this process such that the new one is a child of this one's parent. Nothing in the new one.
///
/// # Safety
///
/// This process has one thread. The new one's code must not use what the C library ties to its own forks: the thread's
/// id in locks that processes share, and handlers of forks.
pub(crate) unsafe fn clone_beside() -> io::Result<Option<Pid>> {
    /// On one processor the flags and the stack are passed in the other order.
    const FLAGS_FIRST: bool = !cfg!(target_arch = "s390x");
    // The kernel takes the signal of the clone's end from this process's own; others say it, to no effect.
    let flags = (libc::CLONE_PARENT | libc::SIGCHLD) as c_ulong;
    // No stack of its own: it goes on with a copy of this one.
    let stack: c_ulong = 0;
    let (first, second) = if FLAGS_FIRST {
        (flags, stack)
    } else {
        (stack, flags)
    };
    let unused: c_ulong = 0;
    // SAFETY: the memory is copied, as by `fork`, so both go on from here, each in memory of its own; the rest is the
    // caller's to hold.
    let result = unsafe { libc::syscall(libc::SYS_clone, first, second, unused, unused, unused) };
    match result {
        -1 => Err(io::Error::last_os_error()),
        raw => Ok(i32::try_from(raw).ok().and_then(Pid::new)),
    }
}

/// Two Unix sockets that are connected to each other, don't block, and are closed by `exec`.
pub(crate) fn nonblocking_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}

/// Gives a descriptor this number, in place of what has it. It is closed by `exec`.
///
/// # Safety
///
/// Whoever owns the number must go on well with this descriptor.
pub(crate) unsafe fn take_place(descriptor: OwnedFd, number: RawFd) -> io::Result<()> {
    // SAFETY: two numbers and a flag; the rest is the caller's to hold.
    match unsafe { libc::dup3(descriptor.as_raw_fd(), number, libc::O_CLOEXEC) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// What `prctl` takes to say where a process's parts lie, in the kernel's order.
#[repr(C)]
struct MemoryMap {
    /// Code, data and heap: each its start and end.
    code: [u64; 2],
    data: [u64; 2],
    heap: [u64; 2],
    stack_start: u64,
    arguments: [u64; 2],
    environment: [u64; 2],
    auxiliary: *const c_void,
    auxiliary_bytes: u32,
    executable: i32,
}

/// Has the kernel show other memory of this process as its arguments and its environment.
pub(crate) fn show_arguments(
    parts: &MemoryParts,
    arguments: &'static [u8],
    environment: &'static [u8],
) -> io::Result<()> {
    // SAFETY: an increment of zero changes nothing: it tells where the heap ends.
    let heap_end = unsafe { libc::sbrk(0) } as u64;
    let range = |bytes: &'static [u8]| {
        let start = bytes.as_ptr() as u64;
        [start, start + bytes.len() as u64]
    };
    let map = MemoryMap {
        code: parts.code,
        data: parts.data,
        heap: [parts.heap_start, heap_end],
        stack_start: parts.stack_start,
        arguments: range(arguments),
        environment: range(environment),
        auxiliary: std::ptr::null(),
        auxiliary_bytes: 0,
        executable: -1,
    };
    let unused: c_ulong = 0;
    // SAFETY: the kernel reads one record of the size that is said. All but the arguments and the environment is as it is
    // already, so that nothing changes but what the kernel shows; those are memory that stays.
    let result = unsafe {
        libc::prctl(
            libc::PR_SET_MM,
            libc::PR_SET_MM_MAP as c_ulong,
            &raw const map,
            size_of::<MemoryMap>() as c_ulong,
            unused,
        )
    };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Marks all descriptors from `first` on to be closed by `exec`.
///
/// Async-signal-safe: system calls only, no memory, no lock.
pub(crate) fn close_on_exec_from(first: RawFd) {
    // SAFETY: the call takes three numbers. It only sets a flag on descriptors, so none that somebody owns is closed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first as c_uint,
            c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if result == 0 {
        return;
    }
    for descriptor in first..SLOW_WAY_DESCRIPTORS {
        // SAFETY: as above; a number that isn't open gives EBADF, which is no matter.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Nothing is left to do: [`RECV_FLAGS`] has marked them.
pub(crate) fn close_on_exec(_received: &[OwnedFd]) -> io::Result<()> {
    Ok(())
}

/// With all of these nobody can change a memory file any more, nor lift a seal.
const SEALS: SealFlags = SealFlags::SEAL
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

/// An empty memory file that can be sealed, which tools show by this name, and that cannot be executed where the kernel knows how to say so.
pub(crate) fn create_memory(name: &CStr) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // Before Linux 6.3.
        Err(Errno::INVAL) => Ok(memfd_create(name, flags)?),
        created => Ok(created?),
    }
}

/// Sets a memory file's length and takes all of its pages from the system, so that none is missing later.
///
/// A piece at a time: a signal may undo what one call has taken so far, and one that comes again and again would have a
/// call for all of it begin anew without end.
pub(crate) fn reserve_memory(memory: BorrowedFd<'_>, len_bytes: u64) -> io::Result<()> {
    const PIECE_BYTES: u64 = 4 << 20;
    let mut begin = 0;
    while begin < len_bytes {
        let piece = PIECE_BYTES.min(len_bytes - begin);
        match fallocate(memory, FallocateFlags::empty(), begin, piece) {
            Err(Errno::INTR) => {}
            reserved => {
                reserved?;
                begin += piece;
            }
        }
    }
    Ok(())
}

/// Sets all seals.
pub(crate) fn seal_memory(memory: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fcntl_add_seals(memory, SEALS)?)
}

/// With these nobody can change a memory file's length any more, nor set or lift a seal.
const LENGTH_SEALS: SealFlags = SealFlags::SEAL
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW);

/// Seals a memory file's length; it can be written all the same.
pub(crate) fn seal_length(memory: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fcntl_add_seals(memory, LENGTH_SEALS)?)
}

/// Whether this is a memory file of ordinary pages whose length cannot change, and to which can be written.
pub(crate) fn has_sealed_length(descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    let unwritable = SealFlags::WRITE.union(SealFlags::FUTURE_WRITE);
    match seals_of_memory(descriptor)? {
        Some(seals) => Ok(seals.contains(LENGTH_SEALS) && !seals.intersects(unwritable)),
        None => Ok(false),
    }
}

/// Whether this is a memory file of ordinary pages that has all seals. Other files are only asked for seals, which all
/// but memory files refuse before their file system hears of it.
pub(crate) fn is_sealed_memory(descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    let seals = seals_of_memory(descriptor)?;
    Ok(seals.is_some_and(|seals| seals.contains(SEALS)))
}

/// The seals of a memory file of ordinary pages; nothing for other files.
fn seals_of_memory(descriptor: BorrowedFd<'_>) -> io::Result<Option<SealFlags>> {
    match fcntl_get_seals(descriptor) {
        Err(Errno::INVAL) => Ok(None),
        Ok(seals) => {
            let is_plain = fstatfs(descriptor)?.f_type as u64 == libc::TMPFS_MAGIC as u64;
            Ok(is_plain.then_some(seals))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a memory file of this length, sealed against growing, has pages that were never made.
///
/// To look at each page's entry costs ten milliseconds for a gibibyte. The file's number of pages is known at once, but
/// it counts pages behind the end as well, which a stranger may have reserved to make up for holes. Those are cut off
/// first, by setting the length to what it is; behind the end of a file that is sealed nobody makes new ones. So where
/// the number is that of a file without holes afterwards, it has none. Anything else is looked at page by page: as when
/// the descriptor is not for writing, or pages are larger than usual.
pub(crate) fn has_holes(memory: BorrowedFd<'_>, len_bytes: u64) -> io::Result<bool> {
    if cuts_behind_the_end() && ftruncate(memory, len_bytes).is_ok() && is_full(memory, len_bytes) {
        return Ok(false);
    }
    // It moves the place at which `read` would go on, which nobody uses.
    Ok(seek(memory, SeekFrom::Hole(0))? < len_bytes)
}

/// Whether the file has exactly the pages that its length needs.
fn is_full(memory: BorrowedFd<'_>, len_bytes: u64) -> bool {
    let Ok(stat) = fstat(memory) else {
        return false;
    };
    // The blocks of memory files are pages.
    let page_bytes = u64::try_from(stat.st_blksize).unwrap_or(0);
    let needed_bytes = match page_bytes {
        0 => None,
        page_bytes => len_bytes.checked_next_multiple_of(page_bytes),
    };
    let there = u64::try_from(stat.st_blocks).ok();
    needed_bytes.is_some() && there.and_then(|units| units.checked_mul(UNIT_BYTES)) == needed_bytes
}

/// The unit of `st_blocks`, whatever the file's own blocks are.
const UNIT_BYTES: u64 = 512;

/// Whether this kernel lets go of the pages behind the end of a sealed memory file whose length is set to what it is.
/// Tried out once: nothing that promises it is written down.
fn cuts_behind_the_end() -> bool {
    static CUTS: OnceLock<bool> = OnceLock::new();
    *CUTS.get_or_init(|| try_out_cutting().unwrap_or(false))
}

fn try_out_cutting() -> io::Result<bool> {
    let memory = create_memory(c"pulsar-probe")?;
    let page_bytes = u64::try_from(fstat(&memory)?.st_blksize).unwrap_or(0);
    // A hole, and behind the end a page that makes up for it.
    ftruncate(&memory, page_bytes)?;
    fallocate(&memory, FallocateFlags::KEEP_SIZE, page_bytes, page_bytes)?;
    seal_memory(memory.as_fd())?;
    let was_full = is_full(memory.as_fd(), page_bytes);
    ftruncate(&memory, page_bytes)?;
    Ok(was_full && !is_full(memory.as_fd(), page_bytes))
}

/// Keeps a mapping out of the processes that are forked from this one.
///
/// # Safety
///
/// The range is a mapping of the caller's own.
pub(crate) unsafe fn keep_from_forks(start: *mut c_void, len_bytes: usize) -> io::Result<()> {
    // SAFETY: the advice takes nothing away from this process; the range is the caller's.
    Ok(unsafe { madvise(start, len_bytes, Advice::LinuxDontFork) }?)
}

/// The main program's image, as the loader tells.
pub(crate) fn image() -> Option<Image> {
    let mut found: Option<Image> = None;
    let data = (&raw mut found).cast::<c_void>();
    // SAFETY: the callback has the type that is asked for, and `data` is the `Option<Image>` that it expects. The
    // call has returned before `found` is used again.
    unsafe { libc::dl_iterate_phdr(Some(first_object), data) };
    found
}

/// Takes the first object, which is the main program, and ends the iteration.
unsafe extern "C" fn first_object(
    info: *mut dl_phdr_info,
    _size: size_t,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the loader passes a valid record that nobody changes during the call.
    let info = unsafe { &*info };
    // SAFETY: `data` is the exclusive pointer to an `Option<Image>` that `image` handed in.
    let found = unsafe { &mut *data.cast::<Option<Image>>() };
    let headers = if info.dlpi_phdr.is_null() {
        &[]
    } else {
        // SAFETY: the record says that so many headers lie there. They are part of the loaded program and constant.
        unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) }
    };
    let base = info.dlpi_addr as usize;
    let code = headers
        .iter()
        .filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0)
        .map(|header| -> Range<usize> {
            let start = base.wrapping_add(header.p_vaddr as usize);
            start..start.saturating_add(header.p_memsz as usize)
        })
        .collect();
    *found = Some(Image { base, code });
    1
}

/// Sets a limit of another process, which is a child of this one and not reaped.
pub(crate) fn limit_child(child: Pid, resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let limit = Rlimit {
        current: Some(soft),
        maximum: Some(hard),
    };
    prlimit(
        rustix::process::Pid::from_raw(child.as_raw()),
        resource,
        limit,
    )?;
    Ok(())
}

/// How much nicer a thread is that makes way for others. Measured on two cores that were both kept
/// busy so: a thread that woke up to answer had waited 2 ms in its worst hundredth before, and 0.1 ms
/// after. Longer slices for the busy ones, or shorter ones for it, gave less or nothing more. Where
/// all are busy such a thread still gets a third of what others get.
const NICER: i32 = 5;

/// Raises the nice value of the calling thread: on Linux each thread has its own.
pub(crate) fn prefer_others() {
    // It can fail only where a filter of system calls forbids it.
    let _ = rustix::process::nice(NICER);
}

/// The processor on which the calling thread runs.
pub(crate) fn current_core() -> Option<u32> {
    // SAFETY: it takes nothing and returns a number; -1 if the kernel doesn't tell.
    let core = unsafe { libc::sched_getcpu() };
    u32::try_from(core).ok()
}
