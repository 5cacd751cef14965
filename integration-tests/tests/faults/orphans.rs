//! Processes that actors have made and that outlive them.

use std::process::Command;
use std::time::Duration;

use pulsar_testkit::{Process, Program, skip, wait_until};
use rustix::process::{Pid, Signal, kill_process};

const ORPHANS: &str = env!("CARGO_BIN_EXE_orphans");

/// One that the program has made, and that the test ends.
struct Left(u32);

impl Left {
    fn announced_by(program: &Program) -> Self {
        Self(program.line().unwrap().parse().unwrap())
    }

    /// How often the log says that it is left.
    fn told(&self, stderr: &str) -> usize {
        let lines = stderr
            .lines()
            .filter(|line| line.contains("has outlived the actor"));
        lines
            .filter(|line| line.contains(&format!("pid={} ", self.0)))
            .count()
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It has ended already, perhaps.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

#[test]
fn fault_14_a_grandchild_that_outlives_its_actor_is_told_of_once_and_left_alone() {
    let mut program = Program::start(ORPHANS, [""; 0]);
    let (of_dead, of_living) = (Left::announced_by(&program), Left::announced_by(&program));
    assert_eq!(program.line().as_deref(), Some("killed"));
    let told = wait_until(Duration::from_secs(10), || {
        (of_dead.told(&program.stderr()) > 0).then_some(())
    });
    assert!(told.is_some(), "{}", program.stderr());
    let stderr = program.stderr();
    let line = stderr
        .lines()
        .find(|line| line.contains("has outlived"))
        .unwrap();
    assert!(
        line.contains(r#"process="sleep""#) && line.contains(r#"name="dying""#),
        "{line}"
    );
    assert_eq!(of_living.told(&stderr), 0, "{stderr}");
    // The program stops its other actor, and with that the other one is left too.
    program.signal(Signal::TERM).unwrap();
    assert_eq!(program.wait().code(), Some(0));
    for left in [&of_dead, &of_living] {
        assert!(Process::of(left.0).runs());
    }
    let stderr = program.outcome().stderr;
    assert_eq!(
        (of_dead.told(&stderr), of_living.told(&stderr)),
        (1, 1),
        "{stderr}"
    );
}

#[test]
fn fault_17_the_first_process_reaps_orphans_and_counts_them_as_no_actors() {
    let in_namespace = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child", program]);
        command
    };
    if !in_namespace("true")
        .status()
        .is_ok_and(|status| status.success())
    {
        return skip("fault_17", "no pid namespace may be made here");
    }
    let outcome = Program::launch(in_namespace(ORPHANS)).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let expected = ["adopted true reaped true", "pong"];
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
}
