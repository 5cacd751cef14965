//! The period of an actor's periodic task.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The longest time that anything is given: a year. Longer ones are cut to it, so that adding
/// them to the time of day never overflows.
pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The shortest period: a task that is due again at once would only heat the processor.
const SHORTEST: Duration = Duration::from_millis(1);

/// How often the periodic task runs, and when it runs next.
pub struct Period {
    timing: Mutex<Timing>,
    changed: Notify,
}

#[derive(Clone, Copy)]
struct Timing {
    period: Duration,
    /// When the run before ended; the actor's start, before the first.
    ended: Option<Instant>,
    /// None while it runs, and while the actor does not.
    next: Option<Instant>,
}

impl Period {
    /// Of this length, between a millisecond and [`LONGEST`]. Nothing is due before it is
    /// [counted from](Self::count_from) somewhere.
    pub fn new(period: Duration) -> Self {
        let timing = Timing {
            period: period.clamp(SHORTEST, LONGEST),
            ended: None,
            next: None,
        };
        Self {
            timing: Mutex::new(timing),
            changed: Notify::new(),
        }
    }

    /// How long it is.
    pub fn get(&self) -> Duration {
        self.timing.lock().period
    }

    /// Another period, counted from the end of the last run.
    pub fn set(&self, period: Duration) {
        let mut timing = self.timing.lock();
        timing.period = period.clamp(SHORTEST, LONGEST);
        if let (Some(ended), Some(next)) = (timing.ended, &mut timing.next) {
            *next = ended + period.clamp(SHORTEST, LONGEST);
        }
        drop(timing);
        self.changed.notify_one();
    }

    /// Waits until the period has been set anew.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// When the task runs next; `None` if nobody has decided that.
    pub fn next(&self) -> Option<Instant> {
        self.timing.lock().next
    }

    /// A run has ended: the next is counted from here, so that a slow one delays and never piles up.
    pub fn count_from(&self, now: Instant) {
        let mut timing = self.timing.lock();
        timing.ended = Some(now);
        timing.next = Some(now + timing.period);
    }

    /// No run is to come, until the next [`count_from`](Self::count_from).
    pub fn suspend(&self) {
        self.timing.lock().next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_period_counts_from_the_end_of_the_last_run() {
        let period = Period::new(Duration::from_secs(10));
        assert_eq!(period.next(), None);
        let now = Instant::now();
        period.count_from(now);
        assert_eq!(period.next(), Some(now + Duration::from_secs(10)));
        period.set(Duration::from_secs(2));
        assert_eq!(period.next(), Some(now + Duration::from_secs(2)));
    }

    #[test]
    fn a_period_that_is_set_during_a_run_begins_no_second_one() {
        let period = Period::new(Duration::from_secs(10));
        let now = Instant::now();
        period.count_from(now);
        period.suspend();
        period.set(Duration::from_secs(2));
        assert_eq!(period.next(), None);
    }

    #[test]
    fn no_period_is_so_short_that_it_keeps_the_processor_busy() {
        assert_eq!(Period::new(Duration::ZERO).get(), SHORTEST);
        let period = Period::new(Duration::from_secs(1));
        period.set(Duration::ZERO);
        assert_eq!(period.get(), SHORTEST);
    }
}
