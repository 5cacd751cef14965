//! `#[pulsar::test]`: each test in a process of its own, and nothing left behind.
//!
//! * [`isolation`]: runs a test's process and judges it.
//! * [`leftovers`]: what a process has left behind.

mod isolation;
mod leftovers;

pub use isolation::{TESTS, TestDef, enter_test, run_test};
pub use leftovers::Leftovers;
