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
    /// What the system cannot do is left out with a warning, rather than refused.
    pub best_effort: bool,
}
