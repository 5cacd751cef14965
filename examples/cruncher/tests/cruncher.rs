//! The example, run as its readers run it.
#![forbid(unsafe_code)]

use pulsar_testkit::Program;

#[test]
fn it_answers_while_it_computes_and_ends() {
    let outcome = Program::start(env!("CARGO_BIN_EXE_cruncher"), &[] as &[&str]).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let [process, primes, thread, more] = &outcome.stdout[..] else {
        panic!("{outcome:?}");
    };
    assert!(process.starts_with("process: a ping takes"), "{process}");
    assert!(thread.starts_with("thread: a ping takes"), "{thread}");
    for found in [primes, more] {
        assert!(found.ends_with("primes were found meanwhile"), "{found}");
        assert!(!found.contains(": 0 "), "{found}");
    }
}
