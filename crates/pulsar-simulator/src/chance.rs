//! The only source of chance in a run.

use std::time::Duration;

/// Numbers that look random and follow from a seed: splitmix64, written out here so that a seed
/// means the same run for as long as this file does.
#[derive(Clone, Debug)]
pub(crate) struct Chance {
    state: u64,
    /// All times are multiples of this.
    grain_ms: usize,
}

/// The grain of a coarse run: of seconds there are few, so many things happen at one time, or at the very
/// time of a limit.
const COARSE_MS: usize = 250;

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            grain_ms: 1,
        }
    }

    /// From now on time has few points, and what varies by chance does not vary.
    pub(crate) fn make_coarse(&mut self) {
        self.grain_ms = COARSE_MS;
    }

    pub(crate) fn is_coarse(&self) -> bool {
        self.grain_ms > 1
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number from 0 up to, not including, `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // The remainder's bias is nothing to ranges as small as ours.
        (self.next() % end as u64) as usize
    }

    /// True in so many of a thousand cases.
    pub(crate) fn permille(&mut self, cases: usize) -> bool {
        self.below(1000) < cases
    }

    /// A time from `from_ms` to `to_ms`, in whole milliseconds; in a coarse run the point before.
    pub(crate) fn ms(&mut self, from_ms: usize, to_ms: usize) -> Duration {
        let ms = from_ms + self.below(to_ms - from_ms + 1);
        Duration::from_millis((ms - ms % self.grain_ms) as u64)
    }

    /// A number from -1 to 1; 0 in a coarse run.
    pub(crate) fn signed(&mut self) -> f64 {
        if self.is_coarse() {
            return 0.0;
        }
        self.below(2_000_001) as f64 / 1_000_000.0 - 1.0
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_numbers_for_ever() {
        let mut chance = Chance::new(0);
        assert_eq!(chance.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(chance.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn numbers_lie_within_their_bounds() {
        let mut chance = Chance::new(7);
        for _ in 0..1000 {
            assert!(chance.below(3) < 3);
            assert!(chance.signed().abs() <= 1.0);
            let time = chance.ms(5, 7).as_millis();
            assert!((5..=7).contains(&time));
        }
    }
}
