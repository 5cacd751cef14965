//! How often a group restarts its children before it gives up.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::RestartLimits;

/// The restarts of a group, within its period.
#[derive(Debug, Default)]
pub(crate) struct Intensity {
    /// When they were decided, the oldest first. Never more than the limit.
    restarts: VecDeque<Instant>,
}

impl Intensity {
    /// Counts one more restart of a group of so many children.
    ///
    /// # Errors
    ///
    /// That the limit was reached before.
    pub(crate) fn count(
        &mut self,
        limits: &RestartLimits,
        children: usize,
        now: Instant,
    ) -> Result<(), String> {
        let is_over = |at: &Instant| now.duration_since(*at) >= limits.period;
        while self.restarts.front().is_some_and(is_over) {
            self.restarts.pop_front();
        }
        let default = || children.saturating_mul(5).max(10);
        let most = limits.intensity.unwrap_or_else(default);
        if self.restarts.len() >= most {
            return Err(format!("over {most} restarts in {:?}", limits.period));
        }
        self.restarts.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn restarts_are_counted_over_a_period() {
        let limits = RestartLimits {
            intensity: Some(2),
            ..RestartLimits::default()
        };
        let (mut restarts, start) = (Intensity::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for (seconds, fits) in [(0, true), (30, true), (59, false), (60, true), (61, false)] {
            let counted = restarts.count(&limits, 1, at(seconds));
            assert_eq!(counted.is_ok(), fits, "after {seconds} s");
            if let Err(reason) = counted {
                assert_eq!(reason, "over 2 restarts in 60s");
            }
        }
    }

    #[test]
    fn the_default_is_ten_or_five_for_each_child() {
        for (children, most) in [(0, 10), (1, 10), (2, 10), (3, 15)] {
            let (mut restarts, now) = (Intensity::default(), Instant::now());
            let limits = RestartLimits::default();
            let fits = |_: &usize| restarts.count(&limits, children, now).is_ok();
            assert_eq!((0..100).take_while(fits).count(), most);
        }
    }
}
