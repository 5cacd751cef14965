//! Monitors: actors on the arbiter's loop that manage groups of others.
//!
//! * [`Pool`]: a group of like workers, kept at its size.
//!
//! When to restart, when to wait and when to give up is decided in `pulsar-policy`.

mod pool;

pub use pool::{Pool, PoolHandle};
