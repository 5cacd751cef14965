//! Loops that do not turn: what is told of them.

use std::time::{Duration, Instant};

use integration_tests::Laboratory;
use pulsar_testkit::{Outcome, Program, wait_until};
use rustix::process::Signal;

use crate::BINARIES;

const HELD: &str = env!("CARGO_BIN_EXE_held");

fn outcome(what: &str) -> Outcome {
    let outcome = Program::start(HELD, [what]).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome
}

/// The one line that holds this text.
fn line_with<'a>(stderr: &'a str, text: &str) -> &'a str {
    let mut lines = stderr.lines().filter(|line| line.contains(text));
    let line = lines.next().unwrap_or_else(|| panic!("{text}: {stderr}"));
    assert_eq!(lines.next(), None, "{stderr}");
    line
}

/// The number behind `field=`.
fn number(line: &str, field: &str) -> f64 {
    let (_, rest) = line
        .split_once(&format!("{field}="))
        .unwrap_or_else(|| panic!("{line}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

fn is_named(outcome: &Outcome, fields: &[&str]) {
    let timeout = ["the actor died before it replied: it was silent for longer than its timeout"];
    assert_eq!(outcome.stdout, timeout, "{}", outcome.stderr);
    let line = line_with(&outcome.stderr, "actor is silent");
    for field in fields {
        assert!(line.contains(field), "{field}: {line}");
    }
    // The timeout at least, but for the time since its last notify, and the second look.
    let for_s = number(line, "for_s");
    assert!((0.8..5.0).contains(&for_s), "{line}");
}

#[test]
fn the_log_names_the_command_that_holds_the_loop_of_a_process() {
    let outcome = outcome("process");
    is_named(
        &outcome,
        &[
            r#"name="burner" command="burn""#,
            r#"state="running""#,
            "aborted",
        ],
    );
}

#[test]
fn the_log_names_an_own_command_that_sleeps_in_the_kernel() {
    let outcome = outcome("own");
    is_named(&outcome, &[r#"command="brew""#, r#"state="asleep""#]);
}

#[test]
fn the_log_names_the_command_that_holds_a_thread() {
    let outcome = outcome("thread");
    is_named(&outcome, &[r#"name="burner" command="burn""#, "abandoned"]);
}

#[test]
fn a_task_that_holds_its_loop_is_seen_as_lag_by_all_on_it_and_named() {
    let outcome = outcome("task");
    for lag_us in outcome.stdout[0].split(' ') {
        assert!(lag_us.parse::<u64>().unwrap() >= 1_200_000, "{outcome:?}");
    }
    let line = line_with(&outcome.stderr, "has held its loop");
    assert!(line.contains(r#"name="holder" command="hold""#), "{line}");
    assert!(number(line, "held_ms") >= 1_500.0, "{line}");
}

#[test]
fn a_main_that_holds_the_arbiters_loop_is_seen_as_its_lag() {
    let outcome = outcome("main");
    let lag_us: u64 = outcome.stdout[0].parse().unwrap();
    assert!(lag_us >= 400_000, "{outcome:?}");
    let line = line_with(&outcome.stderr, "loop was late");
    assert!(line.contains(r#"name="arbiter""#), "{line}");
    assert!(number(line, "lag_ms") >= 400.0, "{line}");
}

#[test]
fn a_process_that_is_held_for_less_than_its_timeout_lives_and_says_so() {
    let outcome = outcome("brief");
    assert!(
        outcome.stdout[0].parse::<u64>().unwrap() >= 1_500_000,
        "{outcome:?}"
    );
    for command in [r#"command="hold""#, r#"command="hold_and_rest""#] {
        let line = line_with(&outcome.stderr, command);
        assert!(number(line, "held_ms") >= 1_500.0, "{line}");
    }
}

/// Whether ABRT was sent to a process, and has not come through.
fn abort_waits_for(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pending = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
    let pending = pending.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    pending.is_some_and(|set| set & (1 << (Signal::ABORT.as_raw() - 1)) != 0)
}

#[test]
fn fault_04_a_stopped_worker_is_aborted_then_killed_and_replaced() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2", "--timeout", "1"]);
    let pids = laboratory.worker_pids(2);
    laboratory
        .program
        .signal_below(pids[0], Signal::STOP)
        .unwrap();
    let stopped = Instant::now();
    // ABRT waits for a process that is stopped, and is there for as long as that is not killed.
    let aborted = wait_until(Duration::from_secs(6), || {
        abort_waits_for(pids[0]).then_some(())
    });
    assert!(aborted.is_some(), "no ABRT was sent");
    let row = laboratory.replacement_of(pids[0], Duration::from_secs(10));
    let after = stopped.elapsed();
    assert_eq!(row["last_exit"]["cause"], "HeartbeatTimeout", "{row}");
    // Its timeout, counted from its last notify; the second look; what ABRT is given.
    let (least, most) = (Duration::from_millis(1_900), Duration::from_secs(6));
    assert!((least..most).contains(&after), "replaced after {after:?}");
    let stderr = wait_until(Duration::from_secs(5), || {
        let stderr = laboratory.program.stderr();
        stderr.contains("actor is silent").then_some(stderr)
    });
    let stderr = stderr.unwrap_or_else(|| panic!("{}", laboratory.program.stderr()));
    let line = line_with(&stderr, "actor is silent");
    assert!(line.contains(r#"state="stopped""#), "{line}");
    // The other one has served all the time.
    assert_eq!(laboratory.visitor_of(pids[1]).pid(), pids[1]);
    assert!(laboratory.worker_pids(2).contains(&pids[1]));
    laboratory.stop(Signal::TERM);
}
