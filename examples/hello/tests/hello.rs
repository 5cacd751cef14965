//! The example, run as its readers run it.
#![forbid(unsafe_code)]

use std::time::Duration;

use pulsar_testkit::{Program, http_get};
use rustix::process::Signal;

#[test]
fn it_greets_the_world_and_ends_when_asked() {
    let args = ["--bind", "127.0.0.1:0", "--workers", "2"];
    let program = Program::start(env!("CARGO_BIN_EXE_hello"), args);
    let line = program.line().unwrap();
    let address = line.strip_prefix("hello listening on http://").unwrap();
    let reply = http_get(address.parse().unwrap(), "/").unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (200, "Hello World!"));
    let tree = program.tree();
    program.signal(Signal::TERM).unwrap();
    let outcome = program.outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    tree.gone_within(Duration::from_secs(1)).unwrap();
}

#[test]
fn an_unknown_path_is_not_found() {
    let program = Program::start(env!("CARGO_BIN_EXE_hello"), ["--bind", "127.0.0.1:0"]);
    let reply = http_get(program.listening_on(), "/nowhere").unwrap();
    assert_eq!(reply.status, 404);
}
