//! What the arbiter's process holds.

use std::fs::{read_dir, read_to_string};

use pulsar::prelude::*;

/// Descriptors and memory of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    descriptors: usize,
    resident_bytes: u64,
}

impl Held {
    pub(crate) fn now() -> Result<Self> {
        let status = read_to_string("/proc/self/status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|resident| resident.trim().strip_suffix(" kB"));
        let kib = kib.ok_or_else(|| Error::msg("no resident memory is told"))?;
        Ok(Self {
            descriptors: read_dir("/proc/self/fd")?.count(),
            resident_bytes: kib.parse::<u64>()? << 10,
        })
    }

    /// Checks that now no more is held than then, but for so much that the allocator keeps.
    pub(crate) fn is_all_again(self, kept_bytes: u64) -> Result<()> {
        let now = Self::now()?;
        println!("held before: {self:?}, after: {now:?}");
        assert_eq!(now.descriptors, self.descriptors);
        assert!(
            now.resident_bytes < self.resident_bytes + kept_bytes,
            "{self:?} became {now:?}"
        );
        Ok(())
    }
}
