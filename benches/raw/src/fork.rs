//! A child of a process that has one thread.

use std::io;
use std::process::exit;

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, getppid, kill_process, set_parent_process_death_signal,
    waitpid,
};

/// A child process. Dropping it kills and reaps it.
pub struct Child {
    pid: Pid,
    is_reaped: bool,
}

/// Forks this process. The child runs `work` and ends with the exit code that it gives, or with its parent.
///
/// # Errors
/// The process has more than one thread; the system's.
pub fn fork(work: impl FnOnce() -> i32) -> io::Result<Child> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        let message = format!(
            "a process of {threads} threads cannot be forked: fork before the runtime is made"
        );
        return Err(io::Error::other(message));
    }
    let parent = getpid();
    // SAFETY: this is the process's only thread, as was counted, so no lock is held by a thread that the child lacks:
    // it may do whatever its parent could.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let armed = set_parent_process_death_signal(Some(Signal::KILL));
            if armed.is_err() || getppid() != Some(parent) {
                exit(70);
            }
            exit(work())
        }
        pid => Ok(Child {
            pid: Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?,
            is_reaped: false,
        }),
    }
}

impl Child {
    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Kills it by signal 9; it is still to be reaped.
    ///
    /// # Errors
    /// The system's.
    pub fn kill(&self) -> io::Result<()> {
        Ok(kill_process(self.pid, Signal::KILL)?)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&mut self) -> io::Result<()> {
        if !self.is_reaped {
            rustix::io::retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty()))?;
            self.is_reaped = true;
        }
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.is_reaped {
            let _ = self.kill();
            let _ = self.wait();
        }
    }
}
