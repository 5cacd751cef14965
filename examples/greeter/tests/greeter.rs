//! The example, run as its readers run it.
#![forbid(unsafe_code)]

use pulsar_testkit::{Outcome, Program};

fn greet(names: &[&str]) -> Outcome {
    let outcome = Program::start(env!("CARGO_BIN_EXE_greeter"), names).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome
}

#[test]
fn it_greets_each_by_name_and_ends() {
    assert_eq!(greet(&["luca"]).stdout, ["Hello luca!"]);
    assert_eq!(
        greet(&["luca", "ada"]).stdout,
        ["Hello luca!", "Hello ada!"]
    );
}

#[test]
fn it_greets_the_world_where_nobody_is_named() {
    assert_eq!(greet(&[]).stdout, ["Hello World!"]);
}

#[test]
fn an_error_of_the_command_comes_back_with_its_type() {
    assert!(greet(&[]).stderr.ends_with("it has manners\n"));
}
