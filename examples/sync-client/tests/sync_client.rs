//! The example, run as its readers run it.
#![forbid(unsafe_code)]

use pulsar_testkit::Program;

#[test]
fn it_is_awaited_and_waited_for_and_ends() {
    let outcome = Program::start(env!("CARGO_BIN_EXE_sync-client"), &[] as &[&str]).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let lines = [
        "awaited: hello",
        "refused: this is async code, where waiting would hold the event loop: await it instead, \
         or wait on a thread of the executor",
        "waited for: one, two, 2 lines in all",
        "waited for elsewhere: again",
    ];
    assert_eq!(outcome.stdout, lines);
}
