//! `#[pulsar::test]`: each test in a process of its own, and nothing left behind.
//!
//! # Layout
//!
//! * `isolation`: a test's process, from both sides; for the expansion of the macro.
//! * [`spawn_way`]: how a test's processes are made.
//! * [`Leftovers`]: children, zombies and descriptors that were not there before.
#![forbid(unsafe_code)]

mod isolation;
mod leftovers;
mod way;

#[doc(hidden)]
pub use isolation::{TESTS, TestDef, enter_test, run_test};
pub use leftovers::Leftovers;
pub use pulsar_macros::test;
pub use way::{WAY_VARIABLE, spawn_way};
