//! The processes below another.

use std::time::Duration;

use pulsar_sys::usage::{self, Process};
use pulsar_sys::{Pid, template};

use crate::wait_until;

/// The processes that stood below one at some moment, and that one itself.
#[derive(Clone, Debug)]
pub struct Tree {
    pids: Vec<Pid>,
    /// Those below that are no template processes.
    actors: Vec<Pid>,
}

impl Tree {
    /// The tree of `pid`, now.
    pub fn of(pid: Pid) -> Self {
        let below = usage::processes_below(pid);
        let is_actor = |process: &&Process| !process.name.starts_with(template::SHORT_NAME);
        Self {
            actors: below
                .iter()
                .filter(is_actor)
                .map(|found| found.pid)
                .collect(),
            pids: std::iter::once(pid)
                .chain(below.iter().map(|found| found.pid))
                .collect(),
        }
    }

    /// The pids, the root first.
    pub fn pids(&self) -> &[Pid] {
        &self.pids
    }

    /// Those below the root, but for the process from which actors are forked.
    pub fn actors(&self) -> &[Pid] {
        &self.actors
    }

    /// Waits until none of them runs any more, for as long as `limit`. A zombie that nobody has
    /// reaped yet is gone.
    ///
    /// # Errors
    ///
    /// Those that still run.
    pub fn gone_within(&self, limit: Duration) -> Result<(), Vec<Pid>> {
        let gone = wait_until(limit, || self.running().is_empty().then_some(()));
        gone.ok_or_else(|| self.running())
    }

    fn running(&self) -> Vec<Pid> {
        let pids = self.pids.iter().copied();
        pids.filter(|pid| crate::Process::from(*pid).runs())
            .collect()
    }
}
