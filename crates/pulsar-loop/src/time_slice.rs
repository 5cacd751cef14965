//! How long a piece of work holds its loop at a time.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use pulsar_sys::occupation::{coarse_us, now_us};

/// How long parts of a piece of work hold its loop before that looks to whatever else it has to do. A part that does not
/// await cannot be cut: then it is as long as that takes.
const SLICE: Duration = Duration::from_micros(100);
/// The clock is read about this often, as reading it costs as much as a short part does.
const LOOK_US: u64 = 10;
/// Parts between two readings, at most.
const MOST_UNLOOKED: u64 = 16;

/// The time since a piece of work was last polled, of which each part asks whether it may begin.
///
/// It is written and read by the one task that polls the work.
#[derive(Debug)]
pub struct TimeSlice {
    /// When this poll began, by [`coarse_us`].
    tick_us: AtomicU64,
    /// When its second part was to begin, by [`now_us`]; 0 before.
    begun_us: AtomicU64,
    /// When the clock was read last.
    looked_us: AtomicU64,
    /// No part of this poll has been looked at yet.
    is_fresh: AtomicBool,
    /// Parts since the clock was read, and how many there may be.
    unlooked: AtomicU32,
    most_unlooked: AtomicU32,
}

impl Default for TimeSlice {
    fn default() -> Self {
        Self {
            tick_us: AtomicU64::new(coarse_us()),
            begun_us: AtomicU64::default(),
            looked_us: AtomicU64::default(),
            is_fresh: AtomicBool::new(true),
            unlooked: AtomicU32::default(),
            most_unlooked: AtomicU32::default(),
        }
    }
}

impl TimeSlice {
    /// The work is polled, at this time by [`coarse_us`].
    #[inline]
    pub fn begin(&self, tick_us: u64) {
        self.tick_us.store(tick_us, Ordering::Relaxed);
        self.begun_us.store(0, Ordering::Relaxed);
        self.most_unlooked.store(0, Ordering::Relaxed);
        self.is_fresh.store(true, Ordering::Relaxed);
    }

    /// Polls `part` only while there is time: one of the many that run beside each other, all of
    /// which may be ready at once. Whichever is first in a poll of the work finds time.
    pub async fn sharing<T>(&self, part: impl Future<Output = T>) -> T {
        let mut part = pin!(part);
        poll_fn(|task| {
            if self.is_spent() {
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
            part.as_mut().poll(task)
        })
        .await
    }

    /// Whether the work has had its time, as far as can be told without reading the clock for each command.
    #[inline]
    pub fn is_spent(&self) -> bool {
        if self.is_fresh.load(Ordering::Relaxed) {
            self.is_fresh.store(false, Ordering::Relaxed);
            return false;
        }
        // The tick that is read for little finds whatever has held the loop for long.
        if coarse_us() != self.tick_us.load(Ordering::Relaxed) {
            return true;
        }
        let unlooked = self.unlooked.load(Ordering::Relaxed) + 1;
        if unlooked <= self.most_unlooked.load(Ordering::Relaxed) {
            self.unlooked.store(unlooked, Ordering::Relaxed);
            return false;
        }
        let now_us = now_us();
        let looked_us = self.looked_us.swap(now_us, Ordering::Relaxed);
        self.unlooked.store(0, Ordering::Relaxed);
        let begun_us = self.begun_us.load(Ordering::Relaxed);
        if begun_us == 0 {
            self.begun_us.store(now_us, Ordering::Relaxed);
            return false;
        }
        // As many as there would be in that time if the next were like the last.
        let lasted_us = now_us.saturating_sub(looked_us).max(1);
        let most = (u64::from(unlooked) * LOOK_US / lasted_us).min(MOST_UNLOOKED);
        let most = u32::try_from(most).unwrap_or_default();
        self.most_unlooked.store(most, Ordering::Relaxed);
        Duration::from_micros(now_us.saturating_sub(begun_us)) >= SLICE
    }
}
