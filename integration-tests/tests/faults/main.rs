//! Faults of processes, injected for real into a server that serves.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod arbiter;
mod boot;
mod clock;
mod crash;
mod crash_loop;
mod held;
mod orphans;
mod spawning;
mod worker;

use integration_tests::Binaries;

const BINARIES: Binaries = Binaries {
    crashlab: env!("CARGO_BIN_EXE_crashlab-under-test"),
    pulsar: env!("CARGO_BIN_EXE_pulsar-under-test"),
};
