//! What a process has left behind: children, zombies, descriptors.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::time::{Duration, Instant};

use pulsar_core::runtime::template;
use pulsar_sys::{Pid, descriptors, usage};
use rustix::process::{Signal, kill_process};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

/// What has only just ended may still be seen for this long.
const SETTLE: Duration = Duration::from_secs(2);
/// How often to look again.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What this process had at some moment, to compare with later.
///
/// ```
/// # use pulsar_harness::Leftovers;
/// let before = Leftovers::baseline()?;
/// let file = std::fs::File::open("/dev/null")?;
/// assert!(before.check().is_err());
/// drop(file);
/// assert_eq!(before.check(), Ok(()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Leftovers {
    descriptors: BTreeSet<i32>,
    children: BTreeSet<Pid>,
}

impl Leftovers {
    /// What there is now. Descriptors that the runtime opens once and keeps for the life of the
    /// process are opened before, so that they do not count.
    ///
    /// # Errors
    ///
    /// If `/proc` does not tell.
    pub fn baseline() -> io::Result<Self> {
        warm_up()?;
        Ok(Self {
            descriptors: open_now()?,
            children: children_now(),
        })
    }

    /// Compares with now; what is just about to go is given two seconds, for which the thread is blocked: on
    /// an event loop, call it by `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// What is there and was not before, in words.
    pub fn check(&self) -> Result<(), String> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let left = self.left();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(left);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Kills the children that were not there before.
    pub(crate) fn end_children(&self) {
        for process in usage::processes_below(Pid::current()) {
            if !self.children.contains(&process.pid)
                && let Some(pid) = rustix::process::Pid::from_raw(process.pid.as_raw())
            {
                // One that has just gone needs no killing.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    fn left(&self) -> String {
        let mut left = String::new();
        // It is the arbiter's for as long as that runs, and may have been made anew.
        let (template, control) = template().unzip();
        for process in usage::processes_below(Pid::current()) {
            if !self.children.contains(&process.pid) && Some(process.pid) != template {
                let what = if process.state == 'Z' {
                    "zombie"
                } else {
                    "process"
                };
                let _ = write!(left, "{what} {} ({}); ", process.pid, process.name);
            }
        }
        match open_now() {
            Ok(now) => {
                let new = now.difference(&self.descriptors);
                for fd in new.filter(|fd| Some(**fd) != control) {
                    let _ = write!(left, "descriptor {fd} ({}); ", target_of(*fd));
                }
            }
            Err(error) => {
                let _ = write!(left, "descriptors cannot be listed: {error}; ");
            }
        }
        left
    }
}

fn target_of(fd: i32) -> String {
    let target = std::fs::read_link(format!("/proc/self/fd/{fd}"));
    target.map_or_else(|_| "?".to_owned(), |path| path.display().to_string())
}

fn open_now() -> io::Result<BTreeSet<i32>> {
    Ok(descriptors::open_descriptors()?.into_iter().collect())
}

fn children_now() -> BTreeSet<Pid> {
    let below = usage::processes_below(Pid::current());
    below.into_iter().map(|process| process.pid).collect()
}

/// The runtime's signal handling opens a pipe once per process.
fn warm_up() -> io::Result<()> {
    let listen = || signal(SignalKind::child()).map(drop);
    if Handle::try_current().is_ok() {
        return listen();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async { listen() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_baseline_can_be_taken_on_a_loop() {
        assert_eq!(Leftovers::baseline().unwrap().left(), "");
    }
}
