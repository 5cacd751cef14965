//! What somebody may want of a task of the loop, and since when.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pulsar_sys::occupation::now_us;
use tokio::sync::Notify;

/// Whether something is wanted, by whomever, of the one who waits for it.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Since when, by the system's monotonic clock; 0 while it is not.
    since_us: AtomicU64,
    news: Notify,
}

impl Wanted {
    /// It is wanted, since then, by [`now_us`]. Where it is wanted already, that stands.
    pub fn came(&self, since_us: u64) {
        let _ = self.since_us.compare_exchange(
            0,
            since_us.max(1),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        self.news.notify_one();
    }

    /// For how long it was wanted; from now on it is not. Zero where it was not.
    pub fn take(&self) -> Duration {
        match self.since_us.swap(0, Ordering::Relaxed) {
            0 => Duration::ZERO,
            since_us => Duration::from_micros(now_us().saturating_sub(since_us)),
        }
    }

    /// Waits until it is wanted. For one who waits.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn until_wanted(&self) {
        self.news.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wanted_counts_from_the_first_that_wants_it() {
        let wanted = Wanted::default();
        assert_eq!(wanted.take(), Duration::ZERO);
        wanted.came(now_us() - 2_000_000);
        wanted.came(now_us());
        wanted.until_wanted().await;
        let lag = wanted.take();
        assert!(lag >= Duration::from_secs(2), "{lag:?}");
        assert_eq!(wanted.take(), Duration::ZERO);
        // A time that lies ahead is none that has passed.
        wanted.came(u64::MAX);
        assert_eq!(wanted.take(), Duration::ZERO);
    }
}
