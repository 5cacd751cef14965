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
    usage: Usage,
    percent: f64,
}

/// What was read less than this long ago is given again: reading costs some files, and over less time the kernel's clock
/// ticks are too coarse for a share.
const MIN_SAMPLE: Duration = Duration::from_millis(100);

impl Sampler {
    /// What the process uses, as of at most 100 ms ago, and its share of the processor since the sample before, in percent
    /// of one core.
    ///
    /// # Errors
    ///
    /// The system's, where it doesn't tell.
    pub fn sample(&self) -> io::Result<(Usage, f64)> {
        self.sample_at(Instant::now(), Usage::current)
    }

    fn sample_at(
        &self,
        now: Instant,
        read: impl FnOnce() -> io::Result<Usage>,
    ) -> io::Result<(Usage, f64)> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let usage = match *last {
            Some(last) if now.duration_since(last.at) < MIN_SAMPLE => {
                return Ok((last.usage, last.percent));
            }
            _ => read()?,
        };
        let percent = last.map_or(0.0, |last| {
            let spent = usage.cpu.saturating_sub(last.usage.cpu).as_secs_f64();
            100.0 * spent / now.duration_since(last.at).as_secs_f64()
        });
        let at = now;
        *last = Some(Sample { at, usage, percent });
        Ok((usage, percent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(sampler: &Sampler, cpu_s: u64, now: Instant) -> f64 {
        let read = || {
            Ok(Usage {
                rss_bytes: 1,
                cpu: Duration::from_secs(cpu_s),
                threads: 1,
                open_files: 1,
            })
        };
        sampler.sample_at(now, read).unwrap().1
    }

    #[test]
    fn the_processors_share_is_counted_between_samples() {
        let (sampler, start) = (Sampler::default(), Instant::now());
        assert_eq!(share(&sampler, 1, start), 0.0);
        let later = start + Duration::from_secs(2);
        assert_eq!(share(&sampler, 2, later), 50.0);
        let soon = later + Duration::from_millis(1);
        assert_eq!(share(&sampler, 3, soon), 50.0);
    }
}
