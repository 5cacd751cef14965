//! How a program's arbiter has ended.

use std::process::{ExitCode, Termination};

/// How the arbiter has ended, by [`Arbiter::start`](crate::Arbiter::start): a `main` that returns it
/// exits with the right code.
#[must_use = "it is the program's exit code: return it from `main`"]
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ended(pub(super) ExitCode);

impl Ended {
    /// The exit code.
    pub fn code(self) -> ExitCode {
        self.0
    }
}

impl Termination for Ended {
    fn report(self) -> ExitCode {
        self.0
    }
}
