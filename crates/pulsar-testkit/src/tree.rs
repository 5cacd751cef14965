//! The processes below another.

use std::time::Duration;

use pulsar_sys::{Pid, usage};

use crate::{Process, wait_until};

/// The processes that stood below one at some moment, and that one itself.
#[derive(Clone, Debug)]
pub struct Tree {
    pids: Vec<Pid>,
}

impl Tree {
    /// The tree of `pid`, now.
    pub fn of(pid: Pid) -> Self {
        let below = usage::processes_below(pid);
        let pids = below.into_iter().map(|process| process.pid);
        Self {
            pids: std::iter::once(pid).chain(pids).collect(),
        }
    }

    /// The pids, the root first.
    pub fn pids(&self) -> &[Pid] {
        &self.pids
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
        pids.filter(|pid| Process::from(*pid).runs()).collect()
    }
}
