//! What surrounds a child process: the limits that hold it, the control groups that count its memory, and its
//! standard error stream.
//!
//! Knows processes, and nothing of actors but their limits and the errors of their spawning.
//!
//! # Layout
//!
//! * [`Brood`]: the child processes, and their exits, of which [`exits`] learns by SIGCHLD; [`LastWords`]: that an actor has
//!   ended, before its process has.
//! * [`SetAside`], [`Templates`] and [`keep`]: the process from which children are forked; [`Ordered`]: a fork to be;
//!   [`make`]: by it, or by exec; [`Letter`]: what the process is told first.
//! * [`Surroundings`]: the world of a child, as it is told of it; [`LogConfig`]: what it logs.
//! * [`Aside`]: what may block for a moment, beside the loop; so [`Looks`] sees who sleeps, and [`Standstill`] where one that is
//!   silent stands.
//! * [`Confinement`]: what holds one process to its limits, and tells whether it died of them.
//! * [`Memory`]: control groups for memory: those of processes, and the own one.
//! * [`Stderr`]: the standard error stream of one process, read here; [`Last`]: what it said last; [`RELAY`]:
//!   what passes it on.
#![forbid(unsafe_code)]

mod aside;
mod brood;
mod confinement;
pub mod exits;
mod last_words;
mod letter;
mod log;
mod looks;
mod make;
mod memory;
mod relay;
mod set_aside;
mod standstill;
mod stderr;
mod surroundings;
mod templates;

pub use aside::Aside;
pub use brood::Brood;
pub use confinement::{Confinement, LEAST_OPEN_FILES};
pub use last_words::LastWords;
pub use letter::Letter;
pub use log::LogConfig;
pub use looks::Looks;
pub use make::make;
pub use memory::Memory;
pub use relay::{RELAY, Relay};
pub use set_aside::{Entered, SetAside, Way};
pub use standstill::Standstill;
pub use stderr::{Last, Stderr};
pub use surroundings::{MARK, Surroundings, marked, settle};
pub use templates::{Made, Ordered, Templates, Unforked, keep};
