//! The example, run as its readers run it.
#![forbid(unsafe_code)]

use pulsar_testkit::Program;

#[test]
fn it_counts_in_each_placement_and_ends() {
    let outcome = Program::start(env!("CARGO_BIN_EXE_counter"), &[] as &[&str]).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let counted =
        |place: &str| format!("10 + 5 = 15, in {place}; taking 100 away: only 15 are there");
    let lines = [
        format!("process: {}", counted("a process of its own")),
        format!("thread: {}", counted("this process")),
        format!("task: {}", counted("this process")),
    ];
    assert_eq!(outcome.stdout, lines);
}
