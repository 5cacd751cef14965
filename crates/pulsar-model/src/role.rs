//! The part of an actor in the system.

use serde::{Deserialize, Serialize};

/// What part an actor has in the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The root.
    Arbiter,
    /// Manages a group of actors.
    Monitor,
    /// One of a monitor's group.
    Worker,
    /// Any other.
    Actor,
}
