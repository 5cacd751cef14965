//! The program, run as its users run it.
#![forbid(unsafe_code)]

use pulsar_testkit::Program;

#[test]
fn a_program_that_renames_its_dependency_spawns_and_ends() {
    let outcome = Program::start(env!("CARGO_BIN_EXE_renamed"), &[] as &[&str]).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, ["Hello luca, this is a process!", "3"]);
}
