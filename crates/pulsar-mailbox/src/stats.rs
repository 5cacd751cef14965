//! A mailbox's counters.

use std::sync::atomic::{AtomicU64, Ordering};

use pulsar_model::MailboxInfo;

/// What has come to a mailbox and what became of it. Relaxed: the counters are only ever read to
/// be shown.
///
/// All but `dead_letters` are written by the actor's own loop alone.
#[derive(Debug, Default)]
pub struct MailboxStats {
    /// Messages whose turn has come.
    pub received: AtomicU64,
    /// Those that were answered with a reply.
    pub replied: AtomicU64,
    /// Those that ended with an error.
    pub failed: AtomicU64,
    /// Messages that were not run.
    pub dead_letters: AtomicU64,
}

impl MailboxStats {
    /// Counts one more, where only one thread ever counts: no exchange is needed.
    #[inline]
    pub fn count_here(&self, counter: &AtomicU64) {
        let before = counter.load(Ordering::Relaxed);
        counter.store(before.wrapping_add(1), Ordering::Relaxed);
    }

    /// Counts one more; how many there were before.
    pub fn count(&self, counter: &AtomicU64) -> u64 {
        counter.fetch_add(1, Ordering::Relaxed)
    }

    /// The counters, for a mailbox in which `depth` of `capacity` messages wait.
    pub fn info(&self, depth: usize, capacity: usize) -> MailboxInfo {
        MailboxInfo {
            depth: depth as u64,
            capacity: capacity as u64,
            received: self.received.load(Ordering::Relaxed),
            replied: self.replied.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dead_letters: self.dead_letters.load(Ordering::Relaxed),
        }
    }
}
