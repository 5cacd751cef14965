//! What becomes of errors and panics: passed on, logged, or the end. What a single command's come to is
//! in the tests of actors; here stands what a program shows of it.

use pulsar::prelude::*;
use pulsar_testkit::Program;
use serde::{Deserialize, Serialize};

use crate::{HALTING, PLACEMENTS};

const FAILING_CALLBACKS: &str = env!("CARGO_BIN_EXE_failing-callbacks");

/// The actors outlive their failing callbacks in each placement, and each failure is logged.
fn callbacks_fail(stopping: &str, logged: &str) {
    let outcome = Program::start(FAILING_CALLBACKS, [stopping]).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let ended = "stopped as asked; the actor died before it replied: it stopped as asked";
    let ended = PLACEMENTS.map(|placement| format!("{placement} {ended}"));
    assert_eq!(outcome.stdout, ended, "{}", outcome.stderr);
    let failures = [
        "periodic task failed",
        "periodic task panicked",
        "dead letter hook panicked",
        logged,
    ];
    for failure in failures {
        let seen = outcome.stderr.matches(failure).count();
        assert_eq!(seen, PLACEMENTS.len(), "{failure}: {}", outcome.stderr);
    }
}

#[test]
fn errors_and_panics_in_callbacks_are_logged_and_end_nothing() {
    callbacks_fail("error", "stopping hook failed");
    callbacks_fail("panic", "stopping hook panicked");
}

#[test]
fn a_main_that_fails_or_panics_ends_the_program_in_order() {
    for (returned, code) in [("error", 1), ("panic", 101)] {
        let outcome = Program::start(HALTING, ["nobody", "", returned]).outcome();
        assert_eq!(outcome.code, Some(code), "{returned}: {}", outcome.stderr);
        assert_eq!(outcome.stdout.len(), 4, "{returned}: {outcome:?}");
        assert!(outcome.stderr.contains("no way on"), "{}", outcome.stderr);
    }
}

#[test]
fn a_halt_wins_over_a_main_that_fails_or_panics() {
    for returned in ["error", "panic"] {
        let outcome = Program::start(HALTING, ["process", "3", returned]).outcome();
        assert_eq!(outcome.code, Some(3), "{returned}: {}", outcome.stderr);
        assert_eq!(outcome.stdout.len(), 4, "{returned}: {outcome:?}");
    }
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("{0} is odd")]
struct IsOdd(u64);

#[command]
fn half(cx: Context, number: u64) -> Result<u64, IsOdd> {
    cx.set_extra("asked", true);
    match number % 2 {
        0 => Ok(number / 2),
        _ => Err(IsOdd(number)),
    }
}

#[pulsar::test]
async fn an_error_of_a_command_is_its_callers_and_the_actor_lives_on_as_it_was() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).permanent().await?;
        let odd = send(&actor, half, 7_u64).await;
        let has_type = matches!(odd, Err(CallError::Command(IsOdd(7))));
        assert!(has_type, "{placement}: {odd:?}");
        assert_eq!(send(&actor, half, 8_u64).await?, 4, "{placement}");
        let about = send(&actor, info, ()).await?;
        assert_eq!(about.actor.incarnation, 1, "{placement}");
        assert_eq!(about.extra.0["asked"], true, "{placement}");
        assert_eq!(about.mailbox.failed, 1, "{placement}");
    }
    Ok(())
}
