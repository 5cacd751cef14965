//! A server from outside: what it prints, how it serves, and how it ends.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod ending;
mod serving;

use integration_tests::Binaries;

const BINARIES: Binaries = Binaries {
    crashlab: env!("CARGO_BIN_EXE_crashlab-under-test"),
    pulsar: env!("CARGO_BIN_EXE_pulsar-under-test"),
};
