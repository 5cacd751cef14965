//! What the own process uses, and what other processes there are.

use std::{io, mem::MaybeUninit, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    descriptors::count_open_descriptors,
    pid::Pid,
    platform,
    status::{Status, read_text},
};

pub use crate::process_table::{Marked, Process, marked_by, parent_of, processes_below};

/// What a process uses at one moment.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Memory that is in RAM, in bytes, with what is shared with other processes.
    pub rss_bytes: u64,
    /// Processor time of all threads since the start, in user and kernel mode together.
    pub cpu: Duration,
    /// Threads that live now.
    pub threads: u32,
    /// Descriptors that are open now.
    pub open_files: u32,
}

impl Usage {
    /// What this process uses now. It reads `/proc`: some microseconds.
    ///
    /// # Errors
    ///
    /// If `/proc` isn't mounted or isn't Linux's.
    pub fn current() -> io::Result<Self> {
        let open_files = count_open_descriptors()?;
        Ok(Self {
            rss_bytes: resident_bytes()?,
            cpu: processor_time()?,
            threads: threads()?,
            open_files: u32::try_from(open_files).unwrap_or(u32::MAX),
        })
    }
}

/// This process's share of the memory that is in RAM, in bytes: what several processes have in common is divided among
/// them. The kernel looks at each page for it, which may take milliseconds.
///
/// # Errors
///
/// If `/proc` isn't mounted or isn't Linux's.
pub fn pss_bytes() -> io::Result<u64> {
    Status::of_memory()?.bytes("Pss")
}

/// Memory of a process that is in RAM and belongs to no file, in bytes: what a fork of it has to copy the tables of. Nothing
/// if there is no such process.
pub fn anonymous_bytes_of(pid: Pid) -> Option<u64> {
    Status::of(pid).ok()?.bytes("RssAnon").ok()
}

/// The system's id of this thread; on Linux what `top -H` shows, elsewhere zero.
pub fn thread_id() -> i64 {
    platform::thread_id()
}

/// Whether this is the thread that the process started with.
pub fn on_main_thread() -> bool {
    platform::on_main_thread()
}

/// The second number there counts pages. The kernel writes it in a fifth of the time of its whole account.
fn resident_bytes() -> io::Result<u64> {
    let sizes = read_text("/proc/self/statm")?;
    let pages = sizes.split_ascii_whitespace().nth(1);
    let pages: Option<u64> = pages.and_then(|pages| pages.parse().ok());
    let pages = pages.ok_or(io::ErrorKind::InvalidData)?;
    // SAFETY: the call takes a number.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Ok(pages.saturating_mul(u64::try_from(page_bytes).unwrap_or(0)))
}

/// Each thread has a directory there, and as in any other, each of those is a link to it, beside its own two.
fn threads() -> io::Result<u32> {
    let links = rustix::fs::stat("/proc/self/task")?.st_nlink;
    Ok(u32::try_from(links).unwrap_or(u32::MAX).saturating_sub(2))
}

fn processor_time() -> io::Result<Duration> {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the system writes one record to a place of its type.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the record is written.
    let usage = unsafe { usage.assume_init() };
    Ok(duration(usage.ru_utime) + duration(usage.ru_stime))
}

/// Both parts are counted up from zero, so never negative.
fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_more_and_work_done_are_seen() {
        let before = Usage::current().unwrap();
        assert!(before.rss_bytes > 100_000, "{before:?}");
        assert!(before.open_files >= 3, "{before:?}");
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || stopped.recv().is_err());
        assert!(Usage::current().unwrap().threads >= 2);
        drop(stop);
        assert!(thread.join().unwrap());
        let mut after = before;
        while after.cpu <= before.cpu {
            after = Usage::current().unwrap();
        }
    }

    #[test]
    fn threads_have_different_ids() {
        let other = std::thread::spawn(|| (thread_id(), on_main_thread()));
        let (id, main) = other.join().unwrap();
        assert_ne!(id, thread_id());
        assert!(!main);
    }
}
