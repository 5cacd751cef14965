//! What an actor's process may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an actor's process may use of the machine; without a word it is as much as its spawner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory.
    pub memory_max: Option<u64>,
    /// Open descriptors.
    pub open_files_max: Option<u64>,
    /// Processor time; the system counts whole seconds.
    pub cpu_time_max: Option<Duration>,
    /// How nice it is to others: -20 to 19, 0 by default.
    pub nice: Option<i32>,
    /// No control group is made for it: `memory_max` is then of its process alone.
    pub without_cgroup: bool,
    /// What the system cannot do is left out with a warning, rather than refused.
    pub best_effort: bool,
}

impl Limits {
    /// Whether it may use as much as its spawner.
    pub fn is_unlimited(&self) -> bool {
        let Self {
            memory_max,
            open_files_max,
            cpu_time_max,
            nice,
            without_cgroup: _,
            best_effort: _,
        } = self;
        memory_max.is_none() && open_files_max.is_none() && cpu_time_max.is_none() && nice.is_none()
    }
}
