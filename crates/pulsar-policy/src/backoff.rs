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
        let factor = 1.0 + limits.jitter.clamp(0.0, 1.0) * chance.clamp(-1.0, 1.0);
        let varied = Duration::try_from_secs_f64(delay.as_secs_f64() * factor);
        // What is no number varies nothing.
        varied.unwrap_or(delay).min(LONGEST)
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
        let longest_and = |jitter| RestartLimits {
            first_delay: Duration::MAX,
            max_delay: Duration::MAX,
            jitter,
            ..RestartLimits::default()
        };
        for (jitter, expected) in [
            (f64::NAN, LONGEST),
            (f64::INFINITY, Duration::ZERO),
            (1e300, Duration::ZERO),
            (-7.0, LONGEST),
        ] {
            let (mut backoff, limits) = (Backoff::default(), longest_and(jitter));
            for _ in 0..40 {
                assert_eq!(backoff.failed(&limits, -1.0), expected, "{jitter}");
                assert_eq!(backoff.failed(&limits, 1.0), LONGEST, "{jitter}");
                assert_eq!(backoff.failed(&limits, f64::NAN), LONGEST, "{jitter}");
            }
        }
    }

    #[test]
    fn a_wait_is_never_less_than_none_nor_more_than_doubled_by_its_jitter() {
        let limits = RestartLimits {
            jitter: 5.0,
            ..RestartLimits::default()
        };
        let mut backoff = Backoff::default();
        assert_eq!(backoff.failed(&limits, -1.0), Duration::ZERO);
        assert_eq!(backoff.failed(&limits, 1.0).as_millis(), 400);
    }
}
