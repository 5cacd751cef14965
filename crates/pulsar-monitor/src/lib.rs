//! Monitors: actors on the arbiter's loop that keep groups of others alive.
//!
//! When to restart, when to wait and when to give up is decided in `pulsar-policy`; how an actor
//! comes to be, and its end, are `pulsar-core`'s.
//!
//! # Layout
//!
//! * [`Monitor`]: an ordered list of children, with a restart strategy; a [`Child`] is an actor, a pool or
//!   another monitor. [`Pool`]: like workers, kept at their number.
//! * [`MonitorHandle`]: either, while it runs. [`Escalation`]: what becomes of the program when it gives up.
//! * `group`: what a monitor keeps alive, as it is described, and where; `keeper`: what carries out the
//!   policy's decisions; `root`: the start of a monitor under the arbiter.
//!
//! # Example
//!
//! ```no_run
//! use pulsar_core::{Result, spawn};
//! use pulsar_monitor::{Monitor, Pool};
//!
//! # async fn example() -> Result<()> {
//! let services = Monitor::new("services")
//!     .child(spawn().name("store"))
//!     .child(Pool::new("crunchers", 4, spawn()))
//!     .start()
//!     .await?;
//! services.all_ready().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod child;
mod group;
mod handle;
mod keeper;
mod pool;
mod root;
mod tree;

pub use child::Child;
pub use handle::MonitorHandle;
pub use pool::Pool;
pub use pulsar_core::ScaleError;
pub use pulsar_policy::{GroupStatus, RestartLimits, Strategy};
pub use tree::{Escalation, Monitor};
