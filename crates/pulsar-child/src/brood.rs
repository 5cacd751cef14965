//! Child processes: who they are, and how they have exited.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use parking_lot::Mutex;
use pulsar_sys::{Children, Exit, Pid, Signal, template};
use tokio::sync::oneshot;

/// To find one that has exited among so many children the kernel takes a microsecond.
const CROWD: usize = 64;
/// So many are a great crowd.
const GREAT_CROWD: usize = 1_000;
/// Exits of which nothing but the signal tells may be learnt so much later, for each great crowd of children: looking for any
/// goes over all of them, and each of very many that end at once brings a signal.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// The children of this process, each with somebody who is told of its exit. A process has one.
#[derive(Debug, Default)]
pub struct Brood {
    children: Mutex<Children>,
    overseers: Mutex<HashMap<Pid, oneshot::Sender<Exit>>>,
    /// Children whose links have ended, and that had not exited then.
    ending: Mutex<HashSet<Pid>>,
}

impl Brood {
    /// A child has been made; its exit will be told. To be called in the same step on the main
    /// loop, so that its exit is not looked for before it is known.
    pub fn adopt(&self, pid: Pid) -> oneshot::Receiver<Exit> {
        let (overseer, exit) = oneshot::channel();
        self.children.lock().insert(pid);
        self.overseers.lock().insert(pid, overseer);
        exit
    }

    /// The template is about to make a child, and to tell its pid, or that there will be none.
    pub(crate) fn expect(&self) {
        self.children.lock().expect();
    }

    /// One that was expected will not come.
    pub(crate) fn expect_less(&self) {
        self.children.lock().expect_less();
    }

    /// A child that was expected has been made, and may have exited; its exit will be told.
    pub(crate) fn adopt_expected(&self, pid: Pid) -> oneshot::Receiver<Exit> {
        let (overseer, exit) = oneshot::channel();
        self.overseers.lock().insert(pid, overseer);
        let ended = self.children.lock().insert_expected(pid);
        if let Some(ended) = ended {
            self.exited(pid, ended);
        }
        exit
    }

    /// Children that a template has made, and could not tell of any more.
    pub(crate) fn adopt_strays(&self) -> Vec<(Pid, oneshot::Receiver<Exit>)> {
        let strays = template::strays(&self.children.lock());
        let adopted = strays.into_iter().map(|pid| (pid, self.adopt(pid)));
        adopted.collect()
    }

    /// Learns which children have exited, and tells their overseers. Whether any has.
    pub fn reap(&self) -> bool {
        let exits = self.children.lock().reap();
        let mut any = false;
        for (pid, exit) in exits {
            any |= self.exited(pid, exit);
        }
        any
    }

    /// The same for one child, whose link has ended. If it has not exited yet, it is about to.
    pub fn reap_one(&self, pid: Pid) -> bool {
        let exit = self.children.lock().reap_one(pid);
        match exit {
            Some(exit) => return self.exited(pid, exit),
            None if self.is_child(pid) => drop(self.ending.lock().insert(pid)),
            None => {}
        }
        false
    }

    /// The same for those whose links have ended. Each is asked for by its pid, which the kernel finds at once, where for
    /// any child it goes over all of them.
    pub fn reap_ending(&self) -> bool {
        let ending: Vec<Pid> = self.ending.lock().iter().copied().collect();
        let mut any = false;
        for pid in ending {
            let exit = self.children.lock().reap_one(pid);
            any |= exit.is_some_and(|exit| self.exited(pid, exit));
        }
        any
    }

    /// Whether there are so many children that the kernel should not be asked for any too often.
    pub(crate) fn is_crowded(&self) -> bool {
        self.children.lock().len() > CROWD
    }

    /// How long to wait before it is asked for any.
    pub(crate) fn look_pause(&self) -> Duration {
        let crowds = self.children.lock().len() / GREAT_CROWD;
        LOOK_PAUSE * u32::try_from(crowds.max(1)).unwrap_or(u32::MAX)
    }

    /// False if nobody has adopted it.
    fn exited(&self, pid: Pid, exit: Exit) -> bool {
        self.ending.lock().remove(&pid);
        let overseer = self.overseers.lock().remove(&pid);
        let Some(overseer) = overseer else {
            return false;
        };
        tracing::debug!(%pid, ?exit, "child exited");
        // An overseer that has given the child up does not listen any more.
        let _ = overseer.send(exit);
        true
    }

    /// Whether this is a child that has not been reaped.
    pub fn is_child(&self, pid: Pid) -> bool {
        self.children.lock().contains(pid)
    }

    /// The children that have not been reaped.
    pub fn pids(&self) -> HashSet<Pid> {
        self.children.lock().pids().collect()
    }

    /// Signals a child. One that has been reaped gets nothing: its pid may be a stranger's.
    pub fn signal(&self, pid: Pid, signal: Signal) {
        if let Err(error) = self.children.lock().signal(pid, signal) {
            tracing::debug!(%pid, ?signal, %error, "signal not sent");
        }
    }
}
