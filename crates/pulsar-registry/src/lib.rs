//! The actors that a process of a Pulsar system manages: who lives where, under which name, and how each is reached.
//!
//! A registry only keeps what it is told. Who begins lives and oversees them stands in `pulsar-core`.
//!
//! # Layout
//!
//! * [`Registry`]: all places and names of one process.
//! * [`Entry`]: one place and its current life; [`Reached`]: how messages get there.
//! * [`Control`]: how somebody else reaches into a life, to stop or to end it.
//! * [`Leaver`]: in which order those are stopped that are to be.
//!
//! # Example
//!
//! ```
//! use pulsar_registry::Registry;
//!
//! let registry = Registry::default();
//! assert_eq!(registry.named("nobody"), None);
//! ```
#![forbid(unsafe_code)]

mod control;
mod entry;
mod leaver;
mod registry;

pub use control::Control;
pub use entry::{Entry, Reached};
pub use leaver::Leaver;
pub use registry::Registry;
