//! For tests of programs on Pulsar: deliberate faults, real programs under test, probes, and
//! checks that nothing is left behind.
//!
//! # Layout
//!
//! * [`Fault`]: the ways in which an actor can be made to fail.
//! * [`Program`]: a server binary under test, from its start to its end.
//! * [`Cli`]: the command line, on the control socket of a program under test.
//! * [`HttpConnection`]: a plain HTTP client that shows what a connection does.
//! * [`Tree`]: the processes below another, by their pids; [`Process`]: what one of them does.
//! * [`Leftovers`]: children, zombies and descriptors that a test left behind.
//! * [`skip`]: says that a test cannot be run here.
//! * [`InjectedClock`]: a wall clock that jumps while a program under test runs.
//! * [`wait_until`]: waits for a condition, with a bound.
//!
//! # Example
//!
//! ```
//! use pulsar_testkit::{Fault, Leftovers};
//!
//! let before = Leftovers::baseline()?;
//! assert_eq!("segv".parse(), Ok(Fault::Segv));
//! assert_eq!(before.check(), Ok(()));
//! # Ok::<(), std::io::Error>(())
//! ```
#![forbid(unsafe_code)]

mod cli;
mod clock;
mod fault;
mod http;
mod process;
mod program;
mod skip;
mod tree;
mod wait;

pub use cli::Cli;
pub use clock::InjectedClock;
pub use fault::{Fault, UnknownFault};
pub use http::{HttpConnection, HttpReply, http_get};
pub use process::Process;
pub use program::{Outcome, Program};
pub use pulsar_harness::Leftovers;
pub use skip::skip;
pub use tree::Tree;
pub use wait::wait_until;
