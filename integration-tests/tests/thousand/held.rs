//! What the arbiter's process holds.

use std::fs::{read_dir, read_to_string};
use std::time::Duration;

use pulsar::prelude::*;

/// How long what has ended may still hold something.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

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

    /// Waits until no more is held than then, but for so much that the allocator keeps. After deaths the arbiter looks
    /// for orphans, on a thread of its own, and has descriptors for a moment.
    pub(crate) async fn is_all_again(self, kept_bytes: u64) -> Result<()> {
        let settled = tokio::time::timeout(PATIENCE, async {
            loop {
                let now = Self::now()?;
                let is_all = now.descriptors <= self.descriptors
                    && now.resident_bytes < self.resident_bytes + kept_bytes;
                if is_all {
                    return Ok::<_, Error>(now);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        let settled = settled.await;
        let now = settled.unwrap_or_else(|_| Self::now())?;
        println!("held before: {self:?}, after: {now:?}");
        assert!(
            now.descriptors <= self.descriptors
                && now.resident_bytes < self.resident_bytes + kept_bytes,
            "{self:?} became {now:?}"
        );
        Ok(())
    }
}
