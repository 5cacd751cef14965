//! What becomes of a program when a monitor gives up that no other has started.

use pulsar_testkit::{Outcome, Program};

const REASON: &str = "child 1 was never ready, after 5 boots";

fn run(words: &[&str]) -> Outcome {
    Program::start(env!("CARGO_BIN_EXE_giving-up"), words).outcome()
}

#[test]
fn fault_10_a_monitor_that_gives_up_ends_the_program_in_order_with_exit_code_1() {
    let outcome = run(&[]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, ["steady stops"]);
    assert!(outcome.stderr.contains(REASON), "{}", outcome.stderr);
}

#[test]
fn a_program_may_decide_by_itself_what_becomes_of_it() {
    let outcome = run(&["tell"]);
    assert_eq!(outcome.code, Some(7), "{}", outcome.stderr);
    // Its other child stops beside.
    let said = &outcome.stdout;
    assert!(said.iter().any(|line| line == REASON), "{said:?}");
}

#[test]
fn a_worker_that_dies_while_the_program_stops_is_not_replaced_and_that_is_no_failure() {
    let outcome = run(&["late"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, ["lingered"]);
    assert!(!outcome.stderr.contains("given up"), "{}", outcome.stderr);
}
