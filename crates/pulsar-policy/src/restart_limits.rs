//! The limits of a group's restarts.

use std::time::Duration;

/// How a group waits before it restarts a child, and when it gives up.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RestartLimits {
    /// A child that was ready for this long is healthy: its replacement starts at once. Else
    /// each restart of its place waits twice as long as the one before.
    pub healthy_after: Duration,
    /// The first wait.
    pub first_delay: Duration,
    /// The longest wait; none is longer than a year.
    pub max_delay: Duration,
    /// How much each wait varies by chance, as a part of it, from 0 to 1: 0.2 is 20 % either way. What is
    /// outside is taken for the nearest of the two.
    pub jitter: f64,
    /// Restarts within [`period`](Self::period) after which the next one makes the group give up.
    /// `None`: ten, or five for each child, whichever is more.
    pub intensity: Option<usize>,
    /// The time over which restarts are counted.
    pub period: Duration,
    /// Failed boots of one place after which the group gives up: in a pool if no child was ever
    /// ready, in an ordered group if that one was not. 0 is taken for 1.
    pub max_failed_boots: usize,
}

impl Default for RestartLimits {
    fn default() -> Self {
        Self {
            healthy_after: Duration::from_secs(5),
            first_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(5),
            jitter: 0.2,
            intensity: None,
            period: Duration::from_secs(60),
            max_failed_boots: 5,
        }
    }
}
