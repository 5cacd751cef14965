//! Targets of messages, as tables of a link tell them apart.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// An actor behind a link: its place and task number.
pub(crate) type Key = (u32, u32);

/// A table by targets, looked into for each message.
pub(crate) type Keyed<T> = HashMap<Key, T, BuildHasherDefault<KeyHasher>>;

/// Odd, and without a pattern: the golden ratio's fraction.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads two numbers in a few nanoseconds. A peer that knows how could choose its targets so that they
/// meet; but each of these tables is kept to some thousand of them, and so is what that would cost.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0.rotate_left(32) ^ u64::from(number)).wrapping_mul(SPREAD);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32((*byte).into());
        }
    }

    fn finish(&self) -> u64 {
        // A product's upper half depends on all of its factors, its lower bits on few.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;

    #[test]
    fn neighbours_do_not_meet() {
        let build = BuildHasherDefault::<KeyHasher>::default();
        let keys = || (0..64).flat_map(|place| (0..64).map(move |task| (place, task)));
        let keys = || keys().map(|key: Key| build.hash_one(key));
        // By what a table looks at first, and by all of it.
        assert_eq!(keys().collect::<HashSet<_>>().len(), 4096);
        let low: HashSet<_> = keys().map(|hash| hash % 8192).collect();
        assert!(low.len() > 2500, "{}", low.len());
    }
}
