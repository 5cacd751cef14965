//! The states of an actor.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where in its life an actor is. The order is the order of a life.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Asked for; nothing runs yet.
    #[default]
    Initial,
    /// Its process, thread or task exists and has said hello.
    Inactive,
    /// Its `start` hook runs.
    Starting,
    /// It takes commands.
    Running,
    /// Its `stopping` hook runs; what is in flight is finished.
    Stopping,
    /// Its mailbox is closed.
    Closed,
    /// It is gone.
    Terminated,
}

impl State {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 7] = [
        Self::Initial,
        Self::Inactive,
        Self::Starting,
        Self::Running,
        Self::Stopping,
        Self::Closed,
        Self::Terminated,
    ];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initial => "initial",
            Self::Inactive => "inactive",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Closed => "closed",
            Self::Terminated => "terminated",
        })
    }
}
