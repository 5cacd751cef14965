//! How long a place stays empty before its next life.

use std::time::Duration;

use crate::RestartLimits;

/// Doublings after which no delay grows any more, so that the factor fits.
const MAX_DOUBLINGS: u32 = 16;
/// No delay is longer: what is added to the present stays a time that the clock can tell.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The back-off of one place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    /// Lives in a row that were not healthy.
    failures: u32,
}

impl Backoff {
    /// A life was healthy, however it ended.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// A life was not healthy and has ended by itself: how long the next one waits. `chance` is
    /// from -1 to 1.
    pub(crate) fn failed(&mut self, limits: &RestartLimits, chance: f64) -> Duration {
        let doublings = self.failures.min(MAX_DOUBLINGS);
        self.failures = self.failures.saturating_add(1);
        let delay = limits
            .first_delay
            .saturating_mul(1 << doublings)
            .min(limits.max_delay)
            .min(LONGEST);
        let factor = 1.0 + limits.jitter * chance.clamp(-1.0, 1.0);
        Duration::try_from_secs_f64(delay.as_secs_f64() * factor).unwrap_or(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_its_limit() {
        let (mut backoff, limits) = (Backoff::default(), RestartLimits::default());
        for expected_ms in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let delay = backoff.failed(&limits, 0.0);
            assert_eq!(delay, Duration::from_millis(expected_ms));
        }
        backoff.reset();
        assert_eq!(backoff.failed(&limits, 0.0), limits.first_delay);
    }

    #[test]
    fn a_delay_varies_by_its_jitter() {
        let (mut backoff, limits) = (Backoff::default(), RestartLimits::default());
        for (chance, expected_ms) in [(1.0, 120), (-1.0, 160), (7.0, 480)] {
            assert_eq!(backoff.failed(&limits, chance).as_millis(), expected_ms);
        }
    }

    #[test]
    fn absurd_limits_make_no_panic() {
        let limits = RestartLimits {
            first_delay: Duration::MAX,
            max_delay: Duration::MAX,
            jitter: f64::NAN,
            ..RestartLimits::default()
        };
        let mut backoff = Backoff::default();
        for _ in 0..40 {
            assert_eq!(backoff.failed(&limits, -1.0), LONGEST);
        }
    }
}
