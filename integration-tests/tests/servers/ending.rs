//! How a server ends.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use integration_tests::Laboratory;
use pulsar_testkit::{Process, wait_until};
use rustix::process::Signal;

use crate::BINARIES;

/// The end of a server that is told to hurry: a second of grace, and the rest of its ending.
const HURRY: Duration = Duration::from_secs(4);

fn is_refused(laboratory: &Laboratory) -> bool {
    let opened = TcpStream::connect(laboratory.address);
    matches!(opened, Err(error) if error.kind() == ErrorKind::ConnectionRefused)
}

fn await_refusal(laboratory: &Laboratory) {
    let refused = wait_until(Duration::from_secs(5), || {
        is_refused(laboratory).then_some(())
    });
    assert!(refused.is_some(), "new connections are still taken");
}

/// TERM with a request of half a second in flight.
fn drains(args: &[&str]) {
    let laboratory = Laboratory::open(BINARIES, args);
    let tree = laboratory.program.tree();
    let mut visitor = laboratory.visitor();
    visitor.send("/sleep/500");
    laboratory.program.signal(Signal::TERM).unwrap();
    let reply = visitor.reply().unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (200, "slept"));
    assert!(
        reply.closes,
        "it promises to answer more on this connection"
    );
    laboratory.ends(&tree);
}

#[test]
fn term_lets_a_request_in_flight_finish() {
    drains(&["--workers", "2"]);
}

#[test]
fn term_lets_a_request_of_a_thread_finish() {
    drains(&["--workers", "2", "--concurrency", "thread"]);
}

/// A request of two seconds stays in flight while new connections are already refused.
fn refuses_while_it_drains(args: &[&str]) {
    let laboratory = Laboratory::open(BINARIES, args);
    let tree = laboratory.program.tree();
    let mut visitor = laboratory.visitor();
    visitor.send("/sleep/2000");
    let sent = Instant::now();
    laboratory.program.signal(Signal::TERM).unwrap();
    await_refusal(&laboratory);
    let after = sent.elapsed();
    assert!(after < Duration::from_secs(2), "refused after {after:?}");
    assert_eq!(visitor.reply().unwrap().status, 200);
    laboratory.ends(&tree);
}

#[test]
fn new_connections_are_refused_while_processes_drain() {
    refuses_while_it_drains(&["--workers", "2"]);
}

#[test]
fn new_connections_are_refused_while_threads_drain() {
    refuses_while_it_drains(&["--workers", "2", "--concurrency", "thread"]);
}

#[test]
fn an_idle_kept_alive_connection_does_not_hold_the_end() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
    let mut idle = laboratory.visitor();
    let took = laboratory.stop(Signal::TERM);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(idle.get("/").is_err());
}

#[test]
fn int_and_quit_end_it_fast_in_order() {
    for signal in [Signal::INT, Signal::QUIT] {
        let laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
        let mut visitor = laboratory.visitor();
        visitor.send("/sleep/30000");
        let took = laboratory.stop(signal);
        assert!(took < HURRY, "{signal:?}: {took:?}");
        assert!(visitor.reply().is_err());
    }
}

/// TERM with a long request in flight, then a second signal once the drain has begun.
fn hurries(args: &[&str], second: Signal) {
    let laboratory = Laboratory::open(BINARIES, args);
    let mut visitor = laboratory.visitor();
    visitor.send("/sleep/30000");
    laboratory.program.signal(Signal::TERM).unwrap();
    // The first signal has been obeyed: a second cannot be taken for the same one.
    laboratory.await_state("stopping");
    let took = laboratory.stop(second);
    assert!(took < HURRY, "{took:?}");
    assert!(visitor.reply().is_err());
}

#[test]
fn fault_19_a_second_term_ends_the_drain() {
    hurries(&["--workers", "2"], Signal::TERM);
}

#[test]
fn fault_19_int_during_term_ends_the_drain() {
    hurries(&["--workers", "2"], Signal::INT);
}

#[test]
fn fault_19_a_second_term_ends_the_drain_of_threads() {
    let threads = ["--workers", "2", "--concurrency", "thread"];
    hurries(&threads, Signal::TERM);
}

#[test]
fn fault_05_a_worker_that_cannot_hear_is_killed_at_its_grace() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2", "--exit-timeout", "1"]);
    let mut visitor = laboratory.visitor();
    visitor.send("/burn/60000");
    laboratory.await_burning(visitor.pid());
    let took = laboratory.stop(Signal::TERM);
    assert!(took >= Duration::from_millis(900), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(visitor.reply().is_err());
}

#[test]
fn fault_05_a_thread_that_cannot_hear_is_left_behind_at_its_grace() {
    let args = ["--workers", "2", "--concurrency", "thread"];
    let laboratory = Laboratory::open(BINARIES, &[&args[..], &["--exit-timeout", "1"]].concat());
    let mut visitor = laboratory.visitor();
    visitor.send("/burn/60000");
    laboratory.await_burning(visitor.pid());
    let took = laboratory.stop(Signal::TERM);
    assert!(took >= Duration::from_millis(900), "{took:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(visitor.reply().is_err());
}

#[test]
fn fault_05_a_worker_that_a_signal_has_stopped_is_killed_at_its_grace() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2", "--exit-timeout", "1"]);
    let pids = laboratory.worker_pids(2);
    let signalled = laboratory.program.signal_below(pids[0], Signal::STOP);
    signalled.unwrap();
    let stopped = wait_until(Duration::from_secs(5), || {
        Process::of(pids[0]).is_stopped().then_some(())
    });
    assert!(stopped.is_some());
    let took = laboratory.stop(Signal::TERM);
    assert!(took >= Duration::from_millis(900), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn term_to_one_worker_lets_it_drain_and_replaces_it() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
    let pids = laboratory.worker_pids(2);
    let mut visitor = laboratory.visitor_of(pids[0]);
    visitor.send("/sleep/500");
    let signalled = laboratory.program.signal_below(pids[0], Signal::TERM);
    signalled.unwrap();
    assert_eq!(visitor.reply().unwrap().body, "slept");
    let row = laboratory.replacement_of(pids[0], Duration::from_secs(5));
    assert_eq!(row["last_exit"]["cause"], "Stopped", "{row}");
    assert_eq!(laboratory.worker_pids(2)[1], pids[1]);
    laboratory.stop(Signal::TERM);
}

#[test]
fn workers_leave_the_signals_of_a_terminal_to_the_arbiter() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
    let pids = laboratory.worker_pids(2);
    for signal in [Signal::INT, Signal::QUIT, Signal::HUP] {
        for pid in &pids {
            laboratory.program.signal_below(*pid, signal).unwrap();
        }
    }
    // Had one of them died of it, its connections would be refused or broken, or its row new.
    for pid in &pids {
        assert_eq!(laboratory.visitor_of(*pid).ask_pid().unwrap(), *pid);
    }
    assert_eq!(laboratory.worker_pids(2), pids);
    laboratory.stop(Signal::INT);
}

#[test]
fn stopping_the_application_by_its_name_ends_the_server_as_asked() {
    let mut laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
    laboratory.worker_pids(2);
    let tree = laboratory.program.tree();
    let stopped = laboratory
        .cli
        .run(&laboratory.program, &["stop", "crashlab"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    let status = laboratory.program.wait();
    assert_eq!(status.code(), Some(0), "{}", laboratory.program.stderr());
    assert_eq!(tree.gone_within(Duration::from_secs(1)), Ok(()));
}

#[test]
fn fast_means_a_second_however_many_threads_hang() {
    let laboratory = Laboratory::open(
        BINARIES,
        &[
            "--workers",
            "3",
            "--concurrency",
            "thread",
            "--exit-timeout",
            "20",
        ],
    );
    let mut visitors: Vec<_> = (0..3).map(|_| laboratory.visitor()).collect();
    for visitor in &mut visitors {
        visitor.send("/burn/60000");
    }
    let took = laboratory.stop(Signal::INT);
    assert!(took < Duration::from_secs(4), "{took:?}");
}
