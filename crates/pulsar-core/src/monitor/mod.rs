//! Monitors: actors on the arbiter's loop that manage groups of others.
//!
//! * [`Pool`]: a group of like workers, kept at its size.
//! * [`policy`]: when to restart, when to wait and when to give up; pure.

mod policy;
mod pool;

pub use policy::{PoolLimits, PoolStatus};
pub use pool::{Pool, PoolHandle};
