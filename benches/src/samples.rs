//! Spans of time that a contender has measured.

use std::time::{Duration, Instant};

use crate::order::{Order, Reading};

/// No more are kept: 4 bytes each, and the median of so many moves no more.
const MOST: usize = 4 << 20;

/// Spans of time, each of less than four seconds.
#[derive(Default)]
pub(crate) struct Samples(Vec<u32>);

impl Samples {
    pub(crate) fn add(&mut self, span: Duration) {
        if self.0.len() < MOST {
            self.0
                .push(u32::try_from(span.as_nanos()).unwrap_or(u32::MAX));
        }
    }

    /// Times `ask` again and again, one after the other: first for the warm-up, which does not count.
    ///
    /// # Errors
    /// The first of `ask`.
    pub(crate) fn of(
        order: &Order,
        mut ask: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let mut course = Course::begin(order);
        while course.goes_on() {
            ask()?;
            course.lap();
        }
        Ok(course.end())
    }

    fn percentile_us(&mut self, percent: usize) -> f64 {
        if self.0.is_empty() {
            return f64::NAN;
        }
        let rank = (self.0.len() * percent).div_ceil(100).max(1) - 1;
        let (_, nanos, _) = self.0.select_nth_unstable(rank);
        f64::from(*nanos) / 1e3
    }

    /// Their median and 99th percentile, under names that begin so.
    pub(crate) fn reading(mut self, prefix: &str) -> Reading {
        [50, 99]
            .map(|percent| {
                let value = self.percentile_us(percent);
                (format!("{prefix}p{percent}_us"), value)
            })
            .into()
    }
}

/// Laps one after the other: a warm-up, then those that count. Between two laps the clock is read once.
pub(crate) struct Course {
    begun: Instant,
    last: Instant,
    counts_from: Instant,
    ends: Instant,
    samples: Samples,
}

/// A lap whose contender is slow still is measured a few times.
const FEWEST: usize = 3;

impl Course {
    pub(crate) fn begin(order: &Order) -> Self {
        let begun = Instant::now();
        Self {
            begun,
            last: begun,
            counts_from: begun + order.warm_up(),
            ends: begun + order.warm_up() + order.effort,
            samples: Samples(Vec::with_capacity(1 << 20)),
        }
    }

    /// Whether there is time for a further lap.
    pub(crate) fn goes_on(&self) -> bool {
        self.last < self.ends || self.samples.0.len() < FEWEST
    }

    /// What happens until now belongs to no lap.
    pub(crate) fn skip(&mut self) {
        self.last = Instant::now();
    }

    /// A lap is over; the next one begins.
    pub(crate) fn lap(&mut self) {
        let now = Instant::now();
        if self.last >= self.counts_from {
            self.samples.add(now - self.last);
        }
        self.last = now;
    }

    /// A lap took this long, by another clock.
    pub(crate) fn lap_of(&mut self, span: Duration) {
        self.last = Instant::now();
        if self.last >= self.counts_from {
            self.samples.add(span);
        }
    }

    /// How long it has gone on, with the warm-up.
    pub(crate) fn elapsed(&self) -> Duration {
        self.last - self.begun
    }

    pub(crate) fn end(self) -> Samples {
        self.samples
    }
}

/// The time by the clock that all processes share.
pub(crate) fn machine_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

/// So many in such a time, by the second.
pub(crate) fn per_second(count: u64, span: Duration) -> f64 {
    count as f64 / span.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_rank() {
        let mut samples = Samples::default();
        for us in (1..=200).rev() {
            samples.add(Duration::from_micros(us));
        }
        let reading = samples.reading("hot_");
        assert_eq!(reading["hot_p50_us"], 100.0);
        assert_eq!(reading["hot_p99_us"], 198.0);
    }
}
