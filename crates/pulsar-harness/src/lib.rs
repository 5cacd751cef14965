//! `#[pulsar::test]`: each test in a process of its own, and nothing left behind.
//!
//! # Layout
//!
//! * `isolation`: a test's process, from both sides; for the expansion of the macro.
//! * [`Leftovers`]: children, zombies and descriptors that were not there before.
#![forbid(unsafe_code)]

mod isolation;
mod leftovers;

#[doc(hidden)]
pub use isolation::{TESTS, TestDef, enter_test, run_test};
pub use leftovers::Leftovers;
pub use pulsar_macros::test;
