//! Tests with real processes, real signals and real sockets. They stand in `tests/`; here stands
//! what they share.
//!
//! # Layout
//!
//! * [`Laboratory`]: a `crashlab` under test; [`Binaries`]: the programs that it needs.
//! * [`Visitor`]: a connection to it, and the worker that answers there.
//! * [`strict`]: typed actors of a library, under the strictest lints.
#![forbid(unsafe_code)]

mod laboratory;
pub mod strict;
mod visitor;

pub use laboratory::{Binaries, Laboratory};
pub use visitor::Visitor;
