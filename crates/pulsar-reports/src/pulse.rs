//! When an actor notifies.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// When an actor has notified its manager last, when it is due to do so again, and how late its loop was. It is written by
/// the actor's life, and read by any.
#[derive(Debug)]
pub struct Pulse {
    since: Instant,
    /// The last time, in microseconds after `since`, and one; 0 before the first.
    notified_us: AtomicU64,
    /// The next time, in microseconds after `since`; never before the first.
    due_us: AtomicU64,
    lag_us: AtomicU64,
}

impl Default for Pulse {
    /// It begins to live.
    fn default() -> Self {
        Self {
            since: Instant::now(),
            notified_us: AtomicU64::new(0),
            due_us: AtomicU64::new(u64::MAX),
            lag_us: AtomicU64::new(0),
        }
    }
}

impl Pulse {
    /// When it began to live.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// The next notify is due then.
    pub fn notify_due(&self, at: Instant) {
        let due = at.saturating_duration_since(self.since);
        self.due_us.store(micros(due), Ordering::Relaxed);
    }

    /// It notifies a manager that looks at it by itself.
    pub fn notified(&self) {
        let now_us = micros(self.since.elapsed());
        self.notified_us.store(now_us + 1, Ordering::Relaxed);
    }

    /// How long ago it did so last; `None` until it is ready.
    pub fn notified_ago(&self) -> Option<Duration> {
        let at_us = self.notified_us.load(Ordering::Relaxed).checked_sub(1)?;
        let at = Duration::from_micros(at_us);
        Some(self.since.elapsed().saturating_sub(at))
    }

    /// Its loop was so late, as of this notify.
    pub fn note_lag_us(&self, lag_us: u64) {
        self.lag_us.store(lag_us, Ordering::Relaxed);
    }

    /// How late its loop is, in microseconds: as of the last notify, or by one that is overdue by now, as whoever asks may be
    /// heard before it.
    pub fn lag_us(&self) -> u64 {
        let due_us = self.due_us.load(Ordering::Relaxed);
        let overdue_us = micros(self.since.elapsed()).saturating_sub(due_us);
        self.lag_us.load(Ordering::Relaxed).max(overdue_us)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_overdue_is_as_late_as_what_was_seen() {
        let pulse = Pulse::default();
        assert_eq!((pulse.notified_ago(), pulse.lag_us()), (None, 0));
        pulse.notified();
        pulse.note_lag_us(70);
        pulse.notify_due(Instant::now() + Duration::from_millis(5));
        tokio::time::advance(Duration::from_millis(5)).await;
        assert_eq!(pulse.lag_us(), 70);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(pulse.notified_ago(), Some(Duration::from_millis(6)));
        assert_eq!(pulse.lag_us(), 1000);
    }
}
