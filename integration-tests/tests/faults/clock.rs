//! Time that does not go as it should: the wall clock jumps, and the whole server stands still.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use integration_tests::Laboratory;
use pulsar_testkit::{InjectedClock, Program, wait_until};
use rustix::process::Signal;

use crate::BINARIES;

const ARGS: [&str; 6] = ["--bind", "127.0.0.1:0", "--workers", "2", "--timeout", "1"];
/// Three timeouts and a bit.
const THREE_TIMEOUTS: Duration = Duration::from_millis(3_300);
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// All workers live on, the same ones, for three timeouts.
fn nobody_is_lost(laboratory: &Laboratory, pids: &[u32]) {
    let lost = wait_until(THREE_TIMEOUTS, || {
        let stderr = laboratory.program.stderr();
        stderr.contains("silent").then_some(stderr)
    });
    assert_eq!(lost, None);
    assert_eq!(laboratory.worker_pids(2), pids);
}

/// The seconds of the day, as a worker says in the `Date` of its answer.
fn date_at(address: SocketAddr) -> i64 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let answer = answer.to_ascii_lowercase();
    let line = answer
        .lines()
        .find(|line| line.starts_with("date: "))
        .unwrap();
    let time = line
        .split(' ')
        .find(|word| word.contains(':') && word.len() == 8)
        .unwrap();
    time.split(':').fold(0, |seconds, part| {
        seconds * 60 + part.parse::<i64>().unwrap()
    })
}

#[test]
fn fault_34_a_wall_clock_that_jumps_by_an_hour_is_no_timeout() {
    let clock = InjectedClock::new();
    let mut command = Command::new(BINARIES.crashlab);
    command.args(ARGS);
    clock.inject(&mut command);
    let laboratory = Laboratory::of(BINARIES, Program::launch(command));
    let pids = laboratory.worker_pids(2);
    let before = date_at(laboratory.address);
    for pid in &pids {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        assert!(
            maps.contains("clock.so"),
            "the clock is not injected: {maps}"
        );
    }
    clock.set_ahead(HOUR);
    nobody_is_lost(&laboratory, &pids);
    // It has really jumped, in the workers too. (Backwards that would not show: there the server's own cache of the
    // date stands still.)
    let ahead = (date_at(laboratory.address) - before).rem_euclid(DAY);
    assert!((HOUR..HOUR + 60).contains(&ahead), "{ahead} s ahead");
    clock.set_ahead(-HOUR);
    nobody_is_lost(&laboratory, &pids);
    laboratory.stop(Signal::TERM);
}

#[test]
fn fault_34_a_server_that_has_stood_still_as_a_whole_loses_nobody() {
    let laboratory = Laboratory::open(BINARIES, &ARGS[2..]);
    let pids = laboratory.worker_pids(2);
    // About as long as the timeout, where each is due at some moment of it; and far longer.
    for still_ms in [900, 1_000, 1_100, 1_300, 2_600] {
        laboratory.program.signal(Signal::STOP).unwrap();
        for pid in &pids {
            laboratory.program.signal_below(*pid, Signal::STOP).unwrap();
        }
        // The fault itself: nothing runs that could tell how long it has lasted.
        std::thread::sleep(Duration::from_millis(still_ms));
        laboratory.program.signal(Signal::CONT).unwrap();
        for pid in &pids {
            laboratory.program.signal_below(*pid, Signal::CONT).unwrap();
        }
        nobody_is_lost(&laboratory, &pids);
    }
    laboratory.stop(Signal::TERM);
}
