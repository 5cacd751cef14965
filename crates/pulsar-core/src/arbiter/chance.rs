//! Chance, for waits that shall not all end at once.

use std::hash::{BuildHasher, RandomState};

/// A source of numbers that differ between processes and between draws; no secret hangs on it.
#[derive(Debug, Default)]
pub struct Chance {
    seed: RandomState,
    draws: u64,
}

impl Chance {
    /// A number from -1 to 1.
    pub fn draw(&mut self) -> f64 {
        self.draws += 1;
        let bits = self.seed.hash_one(self.draws) >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
        let unit = bits as f64 / (1_u64 << 53) as f64;
        2.0 * unit - 1.0
    }
}
