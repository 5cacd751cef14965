//! Until when a message is worth running.

use std::time::Duration;

use pulsar_sys::occupation::coarse_us;

/// Until when a message is worth running. By the coarse clock, as it is looked at for each message that came from another
/// process: up to some 10 ms late, and not early.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    by_coarse_us: u64,
}

/// What the coarse clock may be behind.
const TICK: Duration = Duration::from_millis(5);

impl Deadline {
    /// So long from now.
    pub fn after(left: Duration) -> Self {
        let left_us = u64::try_from(left.saturating_add(TICK).as_micros()).unwrap_or(u64::MAX);
        Self {
            by_coarse_us: coarse_us().saturating_add(left_us),
        }
    }

    /// True once it has passed.
    pub fn is_past(self) -> bool {
        self.by_coarse_us <= coarse_us()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_passes_in_time_and_not_early() {
        let deadline = Deadline::after(Duration::from_millis(20));
        let begun = std::time::Instant::now();
        while !deadline.is_past() {
            std::thread::yield_now();
        }
        assert!(begun.elapsed() >= Duration::from_millis(20));
        assert!(!Deadline::after(Duration::MAX).is_past());
    }
}
