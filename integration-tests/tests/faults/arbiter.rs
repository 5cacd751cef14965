//! The sudden death of the arbiter.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use integration_tests::Laboratory;
use pulsar_testkit::{Process, wait_until};
use rustix::process::Signal;

use crate::BINARIES;

/// Kills the arbiter: all its actors are gone within a second, and another server of the same
/// name takes over the same port.
fn dies_with_all_its_workers(mut laboratory: Laboratory) {
    let tree = laboratory.program.tree();
    laboratory.program.signal(Signal::KILL).unwrap();
    if let Err(left) = tree.gone_within(Duration::from_secs(1)) {
        panic!("they live on: {left:?}");
    }
    laboratory.program.wait();
    drop(TcpListener::bind(laboratory.address).unwrap());
    let mut command = Command::new(BINARIES.crashlab);
    command.args(["--bind", &laboratory.address.to_string()]);
    let next = Laboratory::of(BINARIES, laboratory.program.beside(command));
    assert_eq!(next.address, laboratory.address);
    assert_eq!(next.get("/").unwrap().body, "ok");
    next.stop(Signal::TERM);
}

#[test]
fn fault_02_all_workers_go_with_a_killed_arbiter() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "3"]);
    laboratory.worker_pids(3);
    assert_eq!(laboratory.program.tree().actors().len(), 3);
    laboratory.visitor().send("/sleep/60000");
    dies_with_all_its_workers(laboratory);
}

#[test]
fn fault_03_so_do_a_worker_in_a_loop_and_one_that_is_stopped() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "3"]);
    let pids = laboratory.worker_pids(3);
    let mut burning = laboratory.visitor_of(pids[0]);
    burning.send("/burn/60000");
    laboratory.await_burning(pids[0]);
    laboratory
        .program
        .signal_below(pids[1], Signal::STOP)
        .unwrap();
    let stopped = wait_until(Duration::from_secs(5), || {
        Process::of(pids[1]).is_stopped().then_some(())
    });
    assert!(stopped.is_some());
    assert_eq!(laboratory.program.tree().actors().len(), 3);
    dies_with_all_its_workers(laboratory);
}
