//! How often an actor is heard, or looked at.

use std::time::Duration;

use tokio::time::Instant;

/// No period of looks is shorter.
const SHORTEST_PERIOD: Duration = Duration::from_millis(1);

/// The heartbeat's period for an actor that may be silent for `timeout`: three in that time, but
/// neither so many that they cost nor so few that what they show is old.
pub fn notify_period(timeout: Duration) -> Duration {
    timeout
        .mul_f64(0.3)
        .clamp(Duration::from_millis(100), Duration::from_secs(10))
}

/// When processes are looked at: at the same times all of those that have the same period.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looks {
    every: Duration,
    from: Instant,
}

impl Looks {
    /// Looks in this period, counted from then.
    pub(crate) fn new(every: Duration, from: Instant) -> Self {
        let every = every.max(SHORTEST_PERIOD);
        Self { every, from }
    }

    /// The first that comes after now.
    pub(crate) fn next(&self, now: Instant) -> Instant {
        let passed = now.saturating_duration_since(self.from).as_nanos();
        let into_period = passed % self.every.as_nanos();
        let into_period = Duration::from_nanos(u64::try_from(into_period).unwrap_or(0));
        now + self.every.saturating_sub(into_period)
    }
}
