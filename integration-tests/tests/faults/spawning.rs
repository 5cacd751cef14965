//! Processes that cannot be made.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use pulsar_testkit::{Outcome, Program, skip};
use tempfile::TempDir;

const FAILING_SPAWNS: &str = env!("CARGO_BIN_EXE_failing-spawns");
/// A user who is nobody's on any machine, so that only this test's processes are counted as theirs.
const NOBODYS_USER: &str = "987654";

/// How often the log says that an actor was not spawned.
fn refusals(outcome: &Outcome) -> usize {
    outcome.stderr.matches("actor not spawned").count()
}

#[test]
fn fault_08_a_file_that_may_not_be_executed_fails_each_spawn_with_its_error() {
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("copy");
    fs::copy(FAILING_SPAWNS, &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new(&copy);
    command.args(["forbidden", copy.to_str().unwrap()]);
    // A template is forked whatever becomes of the file.
    command.env("PULSAR_SPAWN", "exec");
    let outcome = Program::launch(command).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let [errno, gave_up, answer, left] = &outcome.stdout[..] else {
        panic!("{outcome:?}");
    };
    assert_eq!((&**errno, &**answer), ("errno 13", "pong"), "{outcome:?}");
    // The boots of a pool of which no worker was ever ready are five.
    assert!(gave_up.contains("5 boots in one place"), "{gave_up}");
    assert_eq!(refusals(&outcome), 1 + 5, "{}", outcome.stderr);
    assert_eq!(left, "nothing left");
}

#[test]
fn fault_08_a_file_that_is_not_there_fails_the_spawn_with_its_error() {
    let empty = TempDir::new().unwrap();
    let outcome = Program::start(FAILING_SPAWNS, ["absent", empty.path().to_str().unwrap()]);
    let outcome = outcome.outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    match &*outcome.stdout[0] {
        "errno 2" => {}
        skipped if skipped.starts_with("skipped ") => skip("fault_08", skipped),
        other => panic!("{other}: {}", outcome.stderr),
    }
}

#[test]
fn fault_09_without_processes_the_pool_backs_off_and_those_alive_serve() {
    if !rustix::process::geteuid().is_root() {
        return skip(
            "fault_09",
            "only root can become the user whose processes are limited",
        );
    }
    let mut command = Command::new(FAILING_SPAWNS);
    command.args(["dearth", NOBODYS_USER]);
    let outcome = Program::launch(command).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let expected = ["errno 11", "served true", "pong", "nothing left"];
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
    // The spawn of the program's own; and some of the pool's, which waits longer each time: 0.1 s, 0.2 s,
    // 0.4 s, 0.8 s, 1.6 s.
    let tries = refusals(&outcome) - 1;
    assert!((2..=6).contains(&tries), "{tries}: {}", outcome.stderr);
}
