//! The ways in which a worker can end itself.

use std::time::Duration;

use integration_tests::{Laboratory, Visitor};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::BINARIES;

/// How long a worker may take to die and to be replaced: some faults take their time.
const LIMIT: Duration = Duration::from_secs(10);

fn laboratory() -> Laboratory {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
    laboratory.worker_pids(2);
    laboratory
}

/// Checks that only this worker was lost and that all serve again; how it ended.
fn lost(laboratory: Laboratory, mut dying: Visitor, mut other: Visitor) -> (String, Value) {
    let reply = dying.reply();
    assert!(reply.is_err(), "{reply:?}");
    let row = laboratory.replacement_of(dying.pid(), LIMIT);
    assert_eq!(row["incarnation"], 2, "{row}");
    assert_eq!(other.ask_pid().unwrap(), other.pid());
    for pid in laboratory.worker_pids(2) {
        assert_ne!(pid, dying.pid());
        assert_eq!(laboratory.visitor_of(pid).get("/").unwrap().body, "ok");
    }
    laboratory.stop(Signal::TERM);
    let cause = row["last_exit"]["cause"].as_str().unwrap_or_default();
    (cause.to_owned(), row["last_exit"]["detail"].clone())
}

/// A worker does as it is told; how it ended.
fn crash(how: &str) -> (String, Value) {
    let laboratory = laboratory();
    let mut dying = laboratory.visitor();
    let others = laboratory.worker_pids(2);
    let other = others.into_iter().find(|pid| *pid != dying.pid()).unwrap();
    let other = laboratory.visitor_of(other);
    dying.send(&format!("/crash/{how}"));
    lost(laboratory, dying, other)
}

fn signal_of((cause, detail): &(String, Value)) -> u64 {
    assert_eq!(cause, "Signal");
    assert!(detail["core_dumped"].is_boolean(), "{detail}");
    detail["signal"].as_u64().unwrap()
}

#[test]
fn fault_18_an_abort_is_signal_6_and_the_server_serves_on() {
    assert_eq!(signal_of(&crash("abort")), 6);
}

#[test]
fn fault_18_a_segfault_is_signal_11_and_the_server_serves_on() {
    assert_eq!(signal_of(&crash("segv")), 11);
}

#[test]
fn fault_18_a_stack_overflow_is_a_signal_and_the_server_serves_on() {
    let signal = signal_of(&crash("overflow"));
    assert!(matches!(signal, 6 | 11), "{signal}");
}

#[test]
fn fault_18_out_of_memory_is_signal_6_and_the_server_serves_on() {
    assert_eq!(signal_of(&crash("oom")), 6);
}

#[test]
fn fault_18_an_exit_is_its_code_and_the_server_serves_on() {
    assert_eq!(crash("exit"), ("Code".to_owned(), json!(3)));
}

#[test]
fn fault_18_a_killed_loop_is_signal_9_and_the_server_serves_on() {
    let laboratory = laboratory();
    let mut dying = laboratory.visitor();
    let others = laboratory.worker_pids(2);
    let other = others.into_iter().find(|pid| *pid != dying.pid()).unwrap();
    let other = laboratory.visitor_of(other);
    dying.send("/crash/loop");
    laboratory.await_burning(dying.pid());
    laboratory
        .program
        .signal_below(dying.pid(), Signal::KILL)
        .unwrap();
    let end = lost(laboratory, dying, other);
    assert_eq!(signal_of(&end), 9);
}
