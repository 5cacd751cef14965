//! `halt(code)`: the end of the whole server by any actor's word.

use std::time::Duration;

use integration_tests::Laboratory;
use pulsar::HaltError;
use pulsar::prelude::*;
use pulsar_testkit::{Outcome, Program};

use crate::{BINARIES, FACTORY, HALTING};

/// What each of the actors says as it stops, the last started first.
const ALL_STOP: [&str; 4] = [
    "pool-1 stops",
    "task stops",
    "thread stops",
    "process stops",
];

/// How it ends with each of these command lines. They run beside each other.
fn halt_all(lines: &[&[&str]]) -> Vec<Outcome> {
    let programs = lines.iter().map(|words| Program::start(HALTING, *words));
    let programs: Vec<_> = programs.collect();
    let outcomes = programs.into_iter().map(Program::outcome).zip(lines);
    let outcomes = outcomes.map(|(outcome, words)| {
        assert_eq!(outcome.stdout, ALL_STOP, "{words:?}: {}", outcome.stderr);
        outcome
    });
    outcomes.collect()
}

#[test]
fn a_halt_ends_the_program_in_order_with_its_code_whoever_says_it() {
    let callers = [
        "main", "process", "thread", "task", "pool", "hook", "foreign",
    ];
    let lines = callers.map(|by| [by, "3"]);
    for (outcome, by) in halt_all(&lines.each_ref().map(<[_; 2]>::as_slice))
        .iter()
        .zip(callers)
    {
        assert_eq!(outcome.code, Some(3), "{by}: {}", outcome.stderr);
    }
}

#[test]
fn a_halt_wins_over_what_main_returns() {
    for by in ["main", "process", "thread", "task", "pool", "last-hook"] {
        let outcomes = halt_all(&[&[by, "3", "0"], &[by, "3", "9"], &[by, "0", "9"]]);
        let codes: Vec<_> = outcomes.iter().map(|outcome| outcome.code).collect();
        assert_eq!(codes, [Some(3), Some(3), Some(0)], "{by}: {outcomes:?}");
    }
}

#[test]
fn of_two_halts_the_first_wins() {
    for by in ["main", "process", "thread", "task"] {
        let outcomes = halt_all(&[&[by, "3,4", "0"]]);
        assert_eq!(outcomes[0].code, Some(3), "{by}: {outcomes:?}");
    }
}

/// How a server ends whose `target` is told to halt from the command line.
fn halt_server(target: &str, code: &str) {
    let mut laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
    laboratory.worker_pids(2);
    let tree = laboratory.program.tree();
    let args = ["send", target, "halt", code];
    let answer = laboratory.cli.run(&laboratory.program, &args);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    laboratory.program.wait();
    let instances = laboratory.program.runtime_dir().join("pulsar");
    let instance = instances.join("crashlab-under-test");
    assert!(!instance.exists(), "the control socket is left");
    let Outcome {
        code: ended,
        stderr,
        ..
    } = laboratory.program.outcome();
    assert_eq!(ended, code.parse().ok(), "{stderr}");
    let logged = stderr
        .lines()
        .find(|line| line.contains("the server is halted"));
    let logged = logged.unwrap_or_else(|| panic!("nothing is logged: {stderr}"));
    let name = format!("name=\"{target}\"");
    assert!(logged.contains(&name), "{logged}");
    assert!(logged.contains(&format!("code={code}")), "{logged}");
    assert_eq!(tree.gone_within(Duration::from_secs(1)), Ok(()));
}

#[test]
fn a_server_is_halted_from_the_command_line() {
    halt_server("arbiter", "3");
}

#[test]
fn a_worker_passes_a_halt_on_and_the_log_says_who_it_was() {
    halt_server("crashlab-1", "4");
}

#[test]
fn a_factory_in_a_worker_halts_its_server_before_that_serves() {
    for workers in ["1", "3"] {
        let args = ["--bind=127.0.0.1:0", "--failing=halt", "--workers", workers];
        let outcome = Program::start(FACTORY, args).outcome();
        assert_eq!(outcome.code, Some(7), "{}", outcome.stderr);
    }
}

#[pulsar::test]
async fn outside_of_any_actor_a_halt_is_refused_and_the_arbiters_own_works() -> Result<()> {
    let elsewhere = std::thread::spawn(|| halt(9)).join();
    assert_eq!(elsewhere.ok(), Some(Err(HaltError::NotAnActor)));
    assert!(arbiter().is_running());
    let elsewhere = std::thread::spawn(|| arbiter().halt(0)).join();
    assert_eq!(elsewhere.ok(), Some(Ok(())));
    arbiter().stop_asked().await;
    Ok(())
}
