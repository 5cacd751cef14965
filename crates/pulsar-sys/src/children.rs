//! The exits and the signalling of children, without races.
//!
//! A pid names its process until that process has been waited for; from then on the system may give it to a stranger.
//! So one value, [`Children`], holds the pids that may be signalled, and taking a pid out of it and waiting for it are
//! the same step.

use std::{
    collections::{HashMap, HashSet},
    io,
};

use crate::pid::Pid;

pub use crate::{exit::Exit, signal::Signal};

/// Children that are looked for one after the other. The kernel goes over all that live for each of them, so that for more it
/// costs less to ask for each child by its pid.
const LOOKS: usize = 16;

/// The pids of the processes that we made and have not reaped. Only those may be signalled.
///
/// Use one for a process, on the thread that makes the children: a child that ends between its making and
/// [`insert`](Self::insert) waits as a zombie until then, but as PID 1 a `reap` in between would take it for a
/// stranger. Where somebody else makes them, such as a template, say so by [`expect`](Self::expect).
#[derive(Debug, Default)]
pub struct Children {
    pids: HashSet<Pid>,
    /// Children that somebody else may have made by now, and has not told of.
    expected: usize,
    /// All that had ended were reaped while some were expected: those may have been among them, or were left as strangers.
    looked: bool,
    /// As PID 1: strangers that were reaped while some were expected, and may have been those.
    unclaimed: HashMap<Pid, Exit>,
}

impl Children {
    /// No children yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a child of this process that nobody else waits for.
    pub fn insert(&mut self, pid: Pid) {
        self.pids.insert(pid);
    }

    /// Somebody else is about to make a child of this process, and will tell its pid.
    pub fn expect(&mut self) {
        self.expected += 1;
    }

    /// One that was expected will not come.
    pub fn expect_less(&mut self) {
        self.expected = self.expected.saturating_sub(1);
        if self.expected == 0 {
            self.unclaimed.clear();
            self.looked = false;
        }
    }

    /// Adds a child that was expected; how it has ended, if it had when [`reap`](Self::reap) last looked.
    pub fn insert_expected(&mut self, pid: Pid) -> Option<Exit> {
        let reaped = self.unclaimed.remove(&pid);
        let looked = self.looked;
        self.expect_less();
        // If a child of this pid is there, then it is this one, and who was reaped had the pid before it.
        if let Some(exit) = reaped
            && wait(Whom::One(pid), Then::Leave) == Seen::NoChild
        {
            return Some(exit);
        }
        self.pids.insert(pid);
        // If nobody has looked for the ended meanwhile, its end is still to be learnt as all others are.
        if looked { self.reap_one(pid) } else { None }
    }

    /// How many have not been reaped.
    pub fn len(&self) -> usize {
        self.pids.len()
    }

    /// Whether all have been reaped.
    pub fn is_empty(&self) -> bool {
        self.pids.is_empty()
    }

    /// Whether the pid is one of ours and has not been reaped.
    pub fn contains(&self, pid: Pid) -> bool {
        self.pids.contains(&pid)
    }

    /// Those that have not been reaped.
    pub fn pids(&self) -> impl Iterator<Item = Pid> {
        self.pids.iter().copied()
    }

    /// Reaps all of ours that have ended; never waits.
    ///
    /// A stranger's child (one that another part of the program made) is left alone, unless this process is PID 1,
    /// which inherits orphans and must reap them: then strangers are reaped and dropped.
    ///
    /// It costs one or two calls of the system for each that ended, and each of those goes over all children that live. If
    /// many have ended, or a stranger's child that isn't waited for, it costs one for each child of ours instead.
    pub fn reap(&mut self) -> Vec<(Pid, Exit)> {
        let mut ended = Vec::new();
        self.looked = self.expected > 0;
        loop {
            match wait(Whom::Any, Then::Leave) {
                Seen::Ended(_, _) if ended.len() == LOOKS => self.reap_each(&mut ended),
                Seen::Ended(pid, _) if self.pids.contains(&pid) => {
                    ended.extend(self.reap_one(pid).map(|exit| (pid, exit)));
                }
                // The kernel shows the first that has ended, and would show this one for ever.
                Seen::Ended(stranger, _) => {
                    if Pid::current().as_raw() != 1 {
                        self.reap_each(&mut ended);
                        break;
                    }
                    if let Seen::Ended(_, exit) = wait(Whom::One(stranger), Then::Reap)
                        && self.expected > 0
                    {
                        self.unclaimed.insert(stranger, exit);
                    }
                }
                Seen::NoChild => {
                    ended.extend(self.pids.drain().map(|pid| (pid, Exit::Lost)));
                    break;
                }
                Seen::Running => break,
            }
        }
        ended
    }

    /// Reaps this child if it is ours and has ended; never waits.
    pub fn reap_one(&mut self, pid: Pid) -> Option<Exit> {
        if !self.pids.contains(&pid) {
            return None;
        }
        let exit = match wait(Whom::One(pid), Then::Reap) {
            Seen::Ended(_, exit) => exit,
            Seen::NoChild => Exit::Lost,
            Seen::Running => return None,
        };
        self.pids.remove(&pid);
        Some(exit)
    }

    /// Sends a signal to a child of ours.
    ///
    /// A child that has ended but isn't reaped takes the signal without effect.
    ///
    /// # Errors
    ///
    /// [`SignalError::Reaped`] if the pid isn't a child of ours that has not been reaped: it may be a stranger's.
    pub fn signal(&self, pid: Pid, signal: Signal) -> Result<(), SignalError> {
        // The second check is for a child that somebody else has reaped behind our back: its pid may be a stranger's
        // by now, and then it isn't our child. A child of ours keeps its pid until `reap`, which needs `&mut self`,
        // so nothing that goes through here can come between the check and the signal.
        if !self.pids.contains(&pid) || wait(Whom::One(pid), Then::Leave) == Seen::NoChild {
            return Err(SignalError::Reaped { pid });
        }
        // SAFETY: two numbers. The pid is above zero, so it addresses one process, which is our own child.
        if unsafe { libc::kill(pid.as_raw(), signal.as_raw()) } == 0 {
            return Ok(());
        }
        Err(SignalError::System {
            pid,
            signal,
            source: io::Error::last_os_error(),
        })
    }

    fn reap_each(&mut self, ended: &mut Vec<(Pid, Exit)>) {
        let pids: Vec<Pid> = self.pids.iter().copied().collect();
        for pid in pids {
            ended.extend(self.reap_one(pid).map(|exit| (pid, exit)));
        }
    }
}

/// Why a signal wasn't sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The process is not a child of ours, or has been reaped.
    #[error("process {pid} is not a living child of this one, so it may be a stranger's")]
    Reaped {
        /// The process that was meant.
        pid: Pid,
    },
    /// The system refused.
    #[error("failed to send {signal:?} to process {pid}")]
    System {
        /// The process that was meant.
        pid: Pid,
        /// What was to be sent.
        signal: Signal,
        /// Why it failed.
        source: io::Error,
    },
}

/// Which children to look at.
#[derive(Clone, Copy)]
enum Whom {
    Any,
    One(Pid),
}

/// What to do with one that has ended.
#[derive(Clone, Copy)]
enum Then {
    Leave,
    Reap,
}

/// What the system answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Ended(Pid, Exit),
    Running,
    NoChild,
}

/// Looks for a child that has ended, without waiting.
fn wait(whom: Whom, then: Then) -> Seen {
    let (kind, id) = match whom {
        Whom::Any => (libc::P_ALL, 0),
        Whom::One(pid) => (libc::P_PID, pid.as_raw() as libc::id_t),
    };
    let leave = match then {
        Then::Leave => libc::WNOWAIT,
        Then::Reap => 0,
    };
    loop {
        // SAFETY: the record is plain numbers and unused bytes, for which zero is a value.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: the system writes one record to a place of its type; the rest are numbers.
        let result = unsafe {
            libc::waitid(
                kind,
                id,
                &raw mut info,
                libc::WEXITED | libc::WNOHANG | leave,
            )
        };
        if result == 0 {
            return seen(&info);
        }
        // Only two errors are possible with valid options. An interrupted call is made again; a call that doesn't
        // wait is hardly interrupted at all, so this ends.
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return Seen::NoChild;
        }
    }
}

fn seen(info: &libc::siginfo_t) -> Seen {
    // SAFETY: after `waitid` succeeded the record holds a child's pid, or the zero that we wrote if none has ended.
    let raw = unsafe { info.si_pid() };
    let Some(pid) = Pid::new(raw) else {
        return Seen::Running;
    };
    // SAFETY: as above; with a pid the record also holds how the child ended.
    let status = unsafe { info.si_status() };
    let exit = if info.si_code == libc::CLD_EXITED {
        Exit::Code(status)
    } else {
        Exit::Signal {
            signal: status,
            core_dumped: info.si_code == libc::CLD_DUMPED,
        }
    };
    Seen::Ended(pid, exit)
}
