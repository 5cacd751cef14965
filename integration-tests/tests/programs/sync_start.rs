//! Programs whose `main` has no `async`.

use pulsar_testkit::{Outcome, Program};

const SYNC_START: &str = env!("CARGO_BIN_EXE_sync-start");
const SAME_NAMES: &str = env!("CARGO_BIN_EXE_same-names");
const NO_ENTRY: &str = env!("CARGO_BIN_EXE_no-entry");

const BEFORE: [&str; 2] = ["main runs", "running before: false"];
const FIRST: [&str; 2] = ["running within: true", "first"];
const ALL_STOP: [&str; 3] = ["task stops", "thread stops", "process stops"];
const AFTER: [&str; 2] = ["running after: false", "again: true"];

/// It says these lines, and no others: children never run `main`.
fn outcome_of(how: &str, says: &[&[&str]]) -> Outcome {
    let outcome = Program::start(SYNC_START, [how]).outcome();
    assert_eq!(outcome.stdout, says.concat(), "{how}: {}", outcome.stderr);
    outcome
}

#[test]
fn main_starts_the_arbiter_and_goes_on_when_a_thread_has_stopped_it() {
    let between = ["second, on the arbiter: true", "running between: true"];
    let says = [&BEFORE[..], &FIRST, &between, &ALL_STOP, &AFTER];
    let outcome = outcome_of("stop-by-thread", &says);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn an_actor_stops_it_too() {
    let outcome = outcome_of("stop-by-actor", &[&BEFORE, &FIRST, &ALL_STOP, &AFTER]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_stop_before_the_start_counts() {
    let outcome = outcome_of("stop-before", &[&BEFORE, &AFTER]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_halt_gives_the_start_its_code() {
    let outcome = outcome_of("halt", &[&BEFORE, &FIRST, &ALL_STOP, &AFTER]);
    assert_eq!(outcome.code, Some(7), "{}", outcome.stderr);
}

#[test]
fn an_error_at_the_start_is_told_and_ends_the_program_in_order() {
    let outcome = outcome_of("error", &[&BEFORE, &FIRST, &ALL_STOP, &AFTER]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("no database"), "{}", outcome.stderr);
}

#[test]
fn a_panic_at_the_start_ends_the_program_in_order() {
    let outcome = outcome_of("panic", &[&BEFORE, &FIRST, &ALL_STOP, &AFTER]);
    assert_eq!(outcome.code, Some(101), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("no database"), "{}", outcome.stderr);
}

#[test]
fn what_is_to_be_logged_may_be_said_before_the_start_and_reaches_the_processes() {
    let outcome = outcome_of("log", &[&BEFORE, &AFTER]);
    let told = outcome.stderr.contains("stopping hook failed");
    assert!(told && outcome.stderr.contains("left open"), "{outcome:?}");
}

#[test]
fn what_is_said_too_late_is_refused() {
    let late = ["late: Err(Begun)", "again: Err(Begun)"];
    let outcome = outcome_of("late", &[&BEFORE, &late, &AFTER]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn what_runs_at_the_start_is_bounded() {
    let limit = ["over the limit of 256 functions that run at the start: do more in each"];
    let outcome = outcome_of("many", &[&BEFORE, &limit, &AFTER]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn it_starts_on_the_main_thread_alone_and_before_it_there_is_nobody_to_halt() {
    let refused = [
        "elsewhere: Ok(Some(NotOnMainThread))",
        "halt: Err(NotAnActor)",
        "halt: Err(Arbiter(NotRunning))",
    ];
    let outcome = outcome_of("elsewhere", &[&BEFORE, &refused, &AFTER]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn two_commands_of_one_name_are_told_by_it() {
    let outcome = Program::start(SAME_NAMES, [""; 0]).outcome();
    assert_eq!(outcome.code, Some(1));
    let told = "more than one command or remote function is named greet";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
}

#[test]
fn without_an_entry_it_says_what_to_add() {
    let outcome = Program::start(NO_ENTRY, ["start"]).outcome();
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("#[pulsar::main]"),
        "{}",
        outcome.stderr
    );
}
