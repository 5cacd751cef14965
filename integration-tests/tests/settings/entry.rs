//! A program that has no entry for child processes.

use pulsar_testkit::{Outcome, Program};

const NO_ENTRY: &str = env!("CARGO_BIN_EXE_no-entry");

fn run(args: &[&str]) -> Outcome {
    Program::start(NO_ENTRY, args).outcome()
}

/// It says what to add, and has made no process.
fn is_refused(outcome: &Outcome) {
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let last = outcome.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("#[pulsar::main]"), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, ["0"], "a child has been waited for");
}

#[test]
fn spawn_without_an_entry_says_what_to_add_and_makes_no_process() {
    is_refused(&run(&[]));
}

#[test]
fn a_server_without_an_entry_says_what_to_add_and_makes_no_process() {
    is_refused(&run(&["--bind=127.0.0.1:0"]));
}
