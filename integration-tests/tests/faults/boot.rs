//! A parent that dies while its child begins.

use std::process::Command;
use std::time::{Duration, Instant};

use pulsar_testkit::Program;

use crate::BINARIES;

/// What a child finds whose parent has died before the death signal was armed: another parent than the
/// one that it was told of. Here that is a process that never was its parent.
#[test]
fn fault_13_a_child_whose_parent_has_gone_leaves_at_once() {
    let mut command = Command::new(BINARIES.crashlab);
    let stranger = std::process::id() + 1;
    command.env("PULSAR_BOOT", format!("3:{stranger}"));
    let begun = Instant::now();
    let program = Program::launch(command);
    let tree = program.tree();
    let outcome = program.outcome();
    assert_eq!(outcome.code, Some(70), "{}", outcome.stderr);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        outcome.stderr.contains("is no longer its parent"),
        "{}",
        outcome.stderr
    );
    // It has not run as a server, nor as anything else.
    assert_eq!(outcome.stdout, [""; 0]);
    assert_eq!(tree.gone_within(Duration::from_secs(1)), Ok(()));
}
