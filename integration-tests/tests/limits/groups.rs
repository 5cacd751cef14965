//! The control groups of actors.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use pulsar::prelude::*;
use pulsar_testkit::{Process, Program, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::LIMITED;
use crate::{death, eat, end_by, groups_of, limited, own_group};

/// What a killed program's actors take to be gone.
const GONE: Duration = Duration::from_secs(5);

#[pulsar::test]
async fn the_group_of_an_actor_has_its_limit_and_is_gone_with_it() -> Result<()> {
    let Some(own) = own_group("the_group_of_an_actor_has_its_limit_and_is_gone_with_it") else {
        return Ok(());
    };
    let groups = || groups_of(std::process::id(), &own);
    for end in ["stop", "kill", "exit", "eat"] {
        let actor = spawn().memory_max(48 << 20).await?;
        let [group] = &groups()[..] else {
            panic!("{:?}", groups());
        };
        let read =
            |file: &str| fs::read_to_string(group.join(file)).map(|text| text.trim().to_owned());
        assert_eq!(read("memory.limit_in_bytes")?, (48 << 20).to_string());
        let pid = send(&actor, info, ()).await?.actor.pid;
        assert_eq!(read("cgroup.procs")?, pid.to_string());
        match end {
            "stop" => arbiter().stop_actor(&actor).await?,
            "kill" => arbiter().kill_actor(&actor).await?,
            "eat" => drop(death(send(&actor, eat, 200).await)),
            how => drop(death(send(&actor, end_by, how).await)),
        }
        assert!(groups().is_empty(), "{end}: {:?}", groups());
    }
    Ok(())
}

/// Starts a process in a session of its own, and tells its pid.
#[command]
fn start_apart(_cx: Context) -> Result<u32> {
    let mut child = Command::new("setsid");
    child
        .args(["sleep", "1000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(child.spawn()?.id())
}

/// What was started apart: it is killed in the end, also where the test fails.
struct Apart(u32);

impl Apart {
    fn runs(&self) -> bool {
        Process::of(self.0).runs()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0).ok().and_then(Pid::from_raw);
        // One that has ended may have left its number to a stranger.
        if let Some(pid) = pid.filter(|_| self.runs() && self.is_a_sleep()) {
            // It may end meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Apart {
    fn is_a_sleep(&self) -> bool {
        let line = fs::read(format!("/proc/{}/cmdline", self.0));
        line.is_ok_and(|line| line == b"sleep\x001000\0")
    }
}

#[pulsar::test]
async fn fault_14_a_grandchild_in_the_group_of_its_actor_is_killed_with_it() -> Result<()> {
    const TEST: &str = "fault_14_a_grandchild_in_the_group_of_its_actor_is_killed_with_it";
    let Some(own) = own_group(TEST) else {
        return Ok(());
    };
    let groups = || groups_of(std::process::id(), &own);
    for end in ["stop", "kill"] {
        let actor = spawn().memory_max(64 << 20).await?;
        let apart = Apart(send(&actor, start_apart, ()).await?);
        assert!(apart.runs());
        match end {
            "stop" => arbiter().stop_actor(&actor).await?,
            _ => arbiter().kill_actor(&actor).await?,
        }
        let gone = wait_until(GONE, || (!apart.runs()).then_some(()));
        assert!(gone.is_some(), "{end}: it lives on");
    }
    // What is left of the groups goes with the next of them.
    let _ = spawn().memory_max(64 << 20).await?;
    assert_eq!(groups().len(), 1, "{:?}", groups());
    Ok(())
}

#[test]
fn the_groups_of_a_killed_arbiter_are_removed_by_the_next() {
    let Some(own) = own_group("the_groups_of_a_killed_arbiter_are_removed_by_the_next") else {
        return;
    };
    let mut first = Program::launch(limited("hold"));
    assert_eq!(first.line().as_deref(), Some("ready"), "{}", first.stderr());
    let pid = u32::try_from(first.pid().as_raw()).unwrap();
    let left = groups_of(pid, &own);
    assert_eq!(left.len(), 1);
    first.signal(Signal::KILL).unwrap();
    first.wait();
    // Another test's arbiter may have removed it already.
    let is_empty = || {
        let members = fs::read_to_string(left[0].join("cgroup.procs"));
        members.map_or(true, |members| members.is_empty())
    };
    wait_until(GONE, || is_empty().then_some(())).expect("its actor dies with it");
    let second = Program::launch(limited("hold"));
    assert_eq!(
        second.line().as_deref(),
        Some("ready"),
        "{}",
        second.stderr()
    );
    assert!(!left[0].exists());
    let pid = u32::try_from(second.pid().as_raw()).unwrap();
    assert_eq!(groups_of(pid, &own).len(), 1, "those of the living stay");
    second.signal(Signal::TERM).unwrap();
    let outcome = second.outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(groups_of(pid, &own).is_empty());
}

#[test]
fn what_an_actor_of_a_killed_arbiter_had_started_is_killed_by_the_next() {
    if own_group("what_an_actor_of_a_killed_arbiter_had_started_is_killed_by_the_next").is_none() {
        return;
    }
    let mut first = Program::launch(limited("leave"));
    let apart = Apart(first.line().unwrap().parse().unwrap());
    assert!(apart.runs());
    first.signal(Signal::KILL).unwrap();
    first.wait();
    let second = Program::launch(limited("hold"));
    assert_eq!(second.line().as_deref(), Some("ready"));
    // Another test's arbiter may have done it.
    let gone = wait_until(GONE, || (!apart.runs()).then_some(()));
    assert!(gone.is_some(), "{}", second.stderr());
    second.signal(Signal::TERM).unwrap();
    assert_eq!(second.outcome().code, Some(0));
}

/// A group of the test's own.
struct Narrow(PathBuf);

impl Drop for Narrow {
    fn drop(&mut self) {
        let removed = wait_until(GONE, || fs::remove_dir(&self.0).ok());
        if !std::thread::panicking() {
            removed.expect("nobody is left in the test's group");
        }
    }
}

impl Narrow {
    /// One with little memory below the own group.
    fn below(own: &Path, name: &str) -> Self {
        let narrow = Self(own.join(format!("narrow-{name}-{}", std::process::id())));
        fs::create_dir(&narrow.0).expect("a group can be made below the own one");
        let limit = (128 << 20).to_string();
        for file in ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"] {
            match fs::write(narrow.0.join(file), &limit) {
                Err(error) if file.contains("memsw") => eprintln!("swap is not limited: {error}"),
                written => written.expect("a group that was made can be limited"),
            }
        }
        narrow
    }

    /// What runs this in it.
    fn command(&self, run: &str) -> Command {
        let mut command = Command::new("sh");
        let enter = format!(
            "echo $$ > '{}/cgroup.procs' && exec {run}",
            self.0.display()
        );
        command.args(["-c", &enter]);
        command
    }
}

#[test]
fn fault_18_an_actor_killed_for_lack_of_the_arbiters_memory_is_out_of_memory() {
    const TEST: &str = "fault_18_an_actor_killed_for_lack_of_the_arbiters_memory_is_out_of_memory";
    let Some(own) = own_group(TEST) else {
        return;
    };
    let narrow = Narrow::below(&own, "crowd");
    let outcome = Program::launch(narrow.command(&format!("'{LIMITED}' crowd"))).outcome();
    // What is killed later by somebody is not for lack of memory.
    let expected = [
        "it ran out of memory",
        "pong",
        "it was killed by signal 9 (SIGKILL)",
    ];
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(0));
}

#[test]
fn a_kill_some_time_after_a_strangers_lack_of_memory_is_a_kill() {
    let Some(own) = own_group("a_kill_some_time_after_a_strangers_lack_of_memory_is_a_kill") else {
        return;
    };
    let narrow = Narrow::below(&own, "stranger");
    let program = Program::launch(narrow.command(&format!("'{LIMITED}' wait")));
    let pid = program.line().unwrap().parse().unwrap();
    // A line without end, which that program keeps whole.
    let mut stranger = narrow.command("tail /dev/zero");
    let killed = stranger.stdout(Stdio::null()).status().unwrap();
    assert_eq!(killed.signal(), Some(Signal::KILL.as_raw()));
    // Longer than a kill may be told for after it was seen, and than it takes to be seen.
    std::thread::sleep(Duration::from_secs(2));
    program.signal_below(pid, Signal::KILL).unwrap();
    let outcome = program.outcome();
    let expected = ["it was killed by signal 9 (SIGKILL)"];
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
}
