//! What a server is told, by whom, and what it says to what it cannot use.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod boot_failures;
mod entry;
mod refusals;
mod sources;

use integration_tests::Binaries;

const BINARIES: Binaries = Binaries {
    crashlab: env!("CARGO_BIN_EXE_crashlab-under-test"),
    pulsar: env!("CARGO_BIN_EXE_pulsar-under-test"),
};
/// A server with settings of its own.
const FACTORY: &str = env!("CARGO_BIN_EXE_factory");
