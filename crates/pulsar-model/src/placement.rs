//! How an actor runs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How an actor runs. The same actor runs in any of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// In a process of its own: nothing that befalls it takes others along.
    #[default]
    Process,
    /// On a thread of its own, in the arbiter's process.
    Thread,
    /// As a task on the loop of the actor that spawned it.
    Task,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "process",
            Self::Thread => "thread",
            Self::Task => "task",
        })
    }
}
