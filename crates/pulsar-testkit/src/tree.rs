//! The processes below another.

use std::fs;
use std::time::Duration;

use pulsar_sys::{Pid, usage};

use crate::wait_until;

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
        self.pids.iter().copied().filter(|pid| runs(*pid)).collect()
    }
}

fn runs(pid: Pid) -> bool {
    // The state stands behind the name, which may itself hold any character but ends at the
    // last parenthesis.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}
