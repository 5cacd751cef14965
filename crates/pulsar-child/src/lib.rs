//! What surrounds a child process: the limits that hold it, the control groups that count its memory, and its
//! standard error stream.
//!
//! Knows processes, and nothing of actors but their limits and the errors of their spawning.
//!
//! # Layout
//!
//! * [`Confinement`]: what holds one process to its limits, and tells whether it died of them.
//! * [`Memory`]: control groups for memory: those of processes, and the own one.
//! * [`Stderr`]: the standard error stream of one process, read here; [`Last`]: what it said last; [`RELAY`]:
//!   what passes it on.
#![forbid(unsafe_code)]

mod confinement;
mod memory;
mod relay;
mod stderr;

pub use confinement::{Confinement, LEAST_OPEN_FILES};
pub use memory::Memory;
pub use relay::{RELAY, Relay};
pub use stderr::{Last, Stderr};
