//! Tests with real processes, real signals and real sockets. They stand in `tests/`; here stands
//! what they share.
//!
//! # Layout
//!
//! * [`Laboratory`]: a `crashlab` under test; [`Binaries`]: the programs that it needs.
//! * [`Visitor`]: a connection to it, and the worker that answers there.
//! * [`use_up_descriptors`]: a process that can open nothing more.
//! * [`strict`]: typed actors of a library, under the strictest lints.
#![forbid(unsafe_code)]

mod laboratory;
mod scarcity;
pub mod strict;
mod visitor;

pub use laboratory::{Binaries, Laboratory};
pub use scarcity::{give_descriptors_back, use_up_descriptors};
pub use visitor::Visitor;
