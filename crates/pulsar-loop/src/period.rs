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
    /// There is nothing to run: nobody need be woken for it.
    is_idle: bool,
}

impl Timing {
    /// When the next run would be, if nothing has run at those times that have passed.
    fn rolled(&self, now: Instant) -> Option<Instant> {
        let next = self.next?;
        let passed = now.saturating_duration_since(next);
        if passed.is_zero() {
            return Some(next);
        }
        let into_period = passed.as_nanos() % self.period.as_nanos();
        let into_period = Duration::from_nanos(u64::try_from(into_period).unwrap_or(0));
        Some(now + self.period.saturating_sub(into_period))
    }
}

impl Period {
    /// Of this length, between a millisecond and [`LONGEST`]. Nothing is due before it is
    /// [counted from](Self::count_from) somewhere.
    pub fn new(period: Duration) -> Self {
        let timing = Timing {
            period: period.clamp(SHORTEST, LONGEST),
            ended: None,
            next: None,
            is_idle: false,
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

    /// When the task runs next, or would if there were any; `None` if nobody has decided that.
    pub fn next(&self) -> Option<Instant> {
        let timing = *self.timing.lock();
        match timing.is_idle {
            true => timing.rolled(Instant::now()),
            false => timing.next,
        }
    }

    /// When somebody has to be woken to run it; `None` if nobody has decided that, or if there is nothing to run.
    pub fn due(&self) -> Option<Instant> {
        let timing = self.timing.lock();
        timing.next.filter(|_| !timing.is_idle)
    }

    /// There is nothing to run, until [`resume`](Self::resume): nothing is due.
    pub fn idle(&self) {
        self.timing.lock().is_idle = true;
    }

    /// There may be something to run from now on: the next time that has not passed is due.
    pub fn resume(&self) {
        let mut timing = self.timing.lock();
        if !timing.is_idle {
            return;
        }
        timing.next = timing.rolled(Instant::now());
        timing.is_idle = false;
        drop(timing);
        self.changed.notify_one();
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
    fn where_there_is_nothing_to_run_nothing_is_due_until_there_is() {
        let second = Duration::from_secs(1);
        let period = Period::new(second);
        let now = Instant::now();
        // Of the times that have passed none is made up for.
        period.count_from(now - 5 * second / 2);
        assert_eq!(period.due(), period.next());
        assert!(period.due().unwrap() < now);
        period.idle();
        assert_eq!(period.due(), None);
        let next = period.next().unwrap();
        assert!(next > now && next <= Instant::now() + second);
        assert_eq!((next - now).as_millis() % 1_000, 500);
        period.resume();
        assert_eq!(period.due(), Some(next));
    }

    #[test]
    fn no_period_is_so_short_that_it_keeps_the_processor_busy() {
        assert_eq!(Period::new(Duration::ZERO).get(), SHORTEST);
        let period = Period::new(Duration::from_secs(1));
        period.set(Duration::ZERO);
        assert_eq!(period.get(), SHORTEST);
    }
}
