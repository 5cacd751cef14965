//! Samples what the process uses.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::Usage;

/// Samples what the process uses. One per process: the processor's share is counted from one
/// sample to the next.
#[derive(Debug, Default)]
pub struct Sampler(Mutex<Option<Sample>>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    cpu: Duration,
    percent: f64,
}

/// Samples closer together than this give the share of the one before: over less time the
/// kernel's clock ticks are too coarse.
const MIN_SAMPLE: Duration = Duration::from_millis(100);

impl Sampler {
    /// What the process uses now, and its share of the processor since the sample before, in percent of one core.
    ///
    /// # Errors
    ///
    /// The system's, where it doesn't tell.
    pub fn sample(&self) -> io::Result<(Usage, f64)> {
        let usage = Usage::current()?;
        let percent = self.share(usage.cpu, Instant::now());
        Ok((usage, percent))
    }

    fn share(&self, cpu: Duration, now: Instant) -> f64 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let percent = match *last {
            Some(last) if now.duration_since(last.at) < MIN_SAMPLE => return last.percent,
            Some(last) => {
                let spent = cpu.saturating_sub(last.cpu).as_secs_f64();
                100.0 * spent / now.duration_since(last.at).as_secs_f64()
            }
            None => 0.0,
        };
        let at = now;
        *last = Some(Sample { at, cpu, percent });
        percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_share_is_counted_between_samples() {
        let (sampler, start) = (Sampler::default(), Instant::now());
        assert_eq!(sampler.share(Duration::from_secs(1), start), 0.0);
        let later = start + Duration::from_secs(2);
        assert_eq!(sampler.share(Duration::from_secs(2), later), 50.0);
        let soon = later + Duration::from_millis(1);
        assert_eq!(sampler.share(Duration::from_secs(3), soon), 50.0);
    }
}
