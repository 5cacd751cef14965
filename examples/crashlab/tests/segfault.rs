//! The real `segfault`.
#![forbid(unsafe_code)]

use pulsar_testkit::Program;

#[test]
fn the_caller_learns_the_signal_and_the_bystander_answers_all() {
    let outcome = Program::start(env!("CARGO_BIN_EXE_segfault"), [""; 0]).outcome();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.stdout.len(), 2, "{outcome:?}");
    assert!(
        outcome.stdout[0].starts_with("the victim was killed by signal 11 (SIGSEGV): Signal {"),
        "{outcome:?}"
    );
    assert_eq!(
        outcome.stdout[1],
        "the bystander answered 10000 of 10000 asks meanwhile"
    );
}
