//! A parent that dies while its child begins.

use std::process::Command;
use std::time::{Duration, Instant};

use pulsar_testkit::{Process, Program, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::BINARIES;

/// A shell that makes a child, which stops before it becomes the program: between its fork and the arming of its death
/// signal.
const FORKS: &str =
    r#"sh -c 'trap "" HUP; kill -STOP $$; PULSAR_BOOT=3:$PPID exec "$0"' "$1" & echo $!; wait"#;

#[test]
fn fault_13_a_child_whose_parent_dies_before_it_is_armed_leaves_at_once() {
    let mut parent = Program::start("sh", ["-c", FORKS, "sh", BINARIES.crashlab]);
    let pid: i32 = parent.line().and_then(|line| line.parse().ok()).unwrap();
    let child = Process::of(pid.try_into().unwrap());
    let stopped = wait_until(Duration::from_secs(10), || child.is_stopped().then_some(()));
    assert!(stopped.is_some(), "{}", parent.stderr());
    parent.signal(Signal::KILL).unwrap();
    parent.wait();
    // Where the two were all of their group, the system has let it go on already, and it may have gone.
    let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::CONT);
    let gone = wait_until(Duration::from_secs(2), || (!child.runs()).then_some(()));
    assert!(gone.is_some(), "it lives on");
    let told = wait_until(Duration::from_secs(2), || {
        let stderr = parent.stderr();
        stderr.contains("is no longer its parent").then_some(())
    });
    assert!(told.is_some(), "{}", parent.stderr());
}

/// What a child finds whose parent has died before the death signal was armed: another parent than the
/// one that it was told of. Here that is a process that never was its parent.
#[test]
fn fault_13_a_child_whose_parent_has_gone_leaves_at_once() {
    let mut command = Command::new(BINARIES.crashlab);
    let stranger = std::process::id() + 1;
    command.env("PULSAR_BOOT", format!("3:{stranger}"));
    let begun = Instant::now();
    let program = Program::launch(command);
    let tree = program.tree();
    let outcome = program.outcome();
    assert_eq!(outcome.code, Some(70), "{}", outcome.stderr);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        outcome.stderr.contains("is no longer its parent"),
        "{}",
        outcome.stderr
    );
    // It has not run as a server, nor as anything else.
    assert_eq!(outcome.stdout, [""; 0]);
    assert_eq!(tree.gone_within(Duration::from_secs(1)), Ok(()));
}
