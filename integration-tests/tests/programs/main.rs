//! Programs as a whole: how they start, how they are steered, and how they end.
#![forbid(unsafe_code)]

mod failures;
mod halting;
mod imposters;
mod mortality;
mod preloading;
mod steering;
mod sync_start;

use integration_tests::Binaries;
use pulsar::Placement;

/// Behaviour is the same in all of them.
const PLACEMENTS: [Placement; 3] = [Placement::Process, Placement::Thread, Placement::Task];

const BINARIES: Binaries = Binaries {
    crashlab: env!("CARGO_BIN_EXE_crashlab-under-test"),
    pulsar: env!("CARGO_BIN_EXE_pulsar-under-test"),
};
/// A program that is halted.
const HALTING: &str = env!("CARGO_BIN_EXE_halting");
/// A server whose factory can be made to fail.
const FACTORY: &str = env!("CARGO_BIN_EXE_factory");
