//! Exceptions: "Exceptions deriving from Exception will generally be caught and handled appropriately;
//! for example, they will be passed through by a Future, and they will be logged and ignored when they
//! occur in a callback. However, exceptions deriving only from `BaseException` are never caught, and will
//! usually cause the program to terminate."
//!
//! The first are `Err` and, where they cost no more than one actor, panics; the second `halt`, and what
//! `main` itself ends with.

use std::process;
use std::time::Duration;

use pulsar::prelude::*;
use pulsar_testkit::{Fault, Outcome, Program};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PLACEMENTS;

/// A program in which the callbacks of actors in all placements fail.
const FAILING_CALLBACKS: &str = env!("CARGO_BIN_EXE_failing-callbacks");
/// A program with actors in all placements that one of them, or `main`, ends.
const HALTING: &str = env!("CARGO_BIN_EXE_halting");

#[derive(Clone, PartialEq, Debug, thiserror::Error, Serialize, Deserialize)]
enum Overdrawn {
    #[error("{missing} coins are missing")]
    By { missing: u64 },
}

#[command]
fn withdraw(_cx: Context, coins: u64) -> Result<u64, Overdrawn> {
    let missing = coins.saturating_sub(10);
    match missing {
        0 => Ok(coins),
        missing => Err(Overdrawn::By { missing }),
    }
}

#[command]
async fn withdraw_from(_cx: Context, target: Proxy, coins: u64) -> Result<u64, Overdrawn> {
    match send(&target, withdraw, coins).await {
        Ok(coins) => Ok(coins),
        Err(CallError::Command(error)) => Err(error),
        Err(CallError::Send(error)) => panic!("{error}"),
    }
}

#[pulsar::test]
async fn an_error_of_a_command_is_passed_to_its_caller_with_its_type() -> Result<()> {
    for to in PLACEMENTS {
        let purse = spawn().placement(to).await?;
        for from in PLACEMENTS {
            let between = spawn().placement(from).await?;
            let failed = send(&between, withdraw_from, (purse.clone(), 13_u64)).await;
            let Err(CallError::Command(error)) = failed else {
                panic!("{from} to {to}: {failed:?}");
            };
            assert_eq!(error, Overdrawn::By { missing: 3 }, "{from} to {to}");
        }
        // It lives on, as it was.
        assert_eq!(send(&purse, withdraw, 7_u64).await.ok(), Some(7), "{to}");
        let shown = send(&purse, info, ()).await?;
        assert_eq!((shown.actor.incarnation, shown.mailbox.failed), (1, 3));
    }
    Ok(())
}

#[command]
fn read_settings(_cx: Context) -> Result<String> {
    #[derive(Debug, thiserror::Error)]
    #[error("the settings cannot be read")]
    struct Unreadable(#[source] std::io::Error);
    let file = std::fs::read_to_string("/proc/there/is/none");
    Ok(file.map_err(Unreadable)?)
}

#[pulsar::test]
async fn any_other_error_is_passed_with_the_chain_of_its_causes() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let failed = send(&actor, read_settings, ()).await;
        let Err(CallError::Command(error)) = failed else {
            panic!("{placement}: {failed:?}");
        };
        let chain: Vec<_> = error.chain().map(ToString::to_string).collect();
        assert_eq!(chain.len(), 2, "{placement}: {chain:?}");
        assert_eq!(chain[0], "the settings cannot be read", "{placement}");
        assert!(chain[1].contains("No such file"), "{placement}: {chain:?}");
    }
    Ok(())
}

#[command]
fn lose_count(_cx: Context) -> Result<u64, Overdrawn> {
    panic!("lost count")
}

#[pulsar::test]
async fn a_panic_is_passed_to_the_caller_and_costs_the_actor_alone() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let beside = spawn().placement(placement).await?;
        let handle = arbiter();
        let calling = send(&actor, lose_count, ()).into_future();
        let (cause, failed) = tokio::join!(handle.ended(&actor), calling);
        let Err(CallError::Send(SendError::Panicked { message })) = failed else {
            panic!("{placement}: {failed:?}");
        };
        assert_eq!(message, "lost count", "{placement}");
        assert_eq!(cause?, Cause::Panic(message), "{placement}");
        for other in [beside.aid().to_string(), "arbiter".to_owned()] {
            assert_eq!(send(other, ping, ()).await?, "pong", "{placement}");
        }
        arbiter().stop_actor(&beside).await?;
    }
    Ok(())
}

/// Keeps what it has, whatever its commands come to.
struct Careless {
    calls: u64,
}

#[pulsar::actor(on_panic = "continue")]
impl Careless {
    fn start(_cx: Context) -> Self {
        Self { calls: 0 }
    }

    #[command]
    fn count(&mut self, panics: bool) -> u64 {
        self.calls += 1;
        assert!(!panics, "on purpose");
        self.calls
    }
}

#[pulsar::test]
async fn where_it_says_so_a_panic_costs_the_call_alone() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = Careless::spawn().placement(placement).await?;
        let failed = actor.count(true).await;
        let is_typed = matches!(failed, Err(CallError::Send(SendError::Panicked { .. })));
        assert!(is_typed, "{placement}: {failed:?}");
        assert_eq!(actor.count(false).await?, 2, "{placement}");
    }
    Ok(())
}

fn fail_to_amend(_cx: Context, params: &mut SpawnParams, panics: bool) -> Result<()> {
    params.params.insert("amended", true);
    match panics {
        true => panic!("on purpose"),
        false => Err(Error::msg("on purpose")),
    }
}

#[command]
async fn spawn_amended(_cx: Context) -> Result<Proxy> {
    Ok(spawn().await?)
}

#[pulsar::test]
async fn in_on_params_they_are_ignored_and_the_spawn_goes_on() -> Result<()> {
    for placement in PLACEMENTS {
        for panics in [false, true] {
            let spawner = spawn().placement(placement);
            let spawner = spawner.on_params_with(fail_to_amend, panics).await?;
            let child = send(&spawner, spawn_amended, ()).await?;
            let amended = |cx: Context, ()| async move { cx.param::<bool>("amended").ok() };
            // What the hook had done before it failed stays.
            assert_eq!(run(&child, amended, ()).await?, Some(true), "{placement}");
            assert_eq!(send(&spawner, ping, ()).await?, "pong", "{placement}");
        }
    }
    Ok(())
}

/// How the program ends with each of these command lines. They run beside each other.
fn outcomes<const N: usize>(binary: &str, lines: [&[&str]; N]) -> [Outcome; N] {
    lines
        .map(|words| Program::start(binary, words))
        .map(Program::outcome)
}

#[test]
fn in_callbacks_they_are_logged_and_ignored() {
    let [error, panic] = outcomes(FAILING_CALLBACKS, [&["error"], &["panic"]]);
    for (outcome, stopping) in [
        (error, "stopping hook failed"),
        (panic, "stopping hook panicked"),
    ] {
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        // One line for each placement: its actor has lived until it was asked to stop.
        let lived = outcome.stdout.iter();
        let lived = lived.filter(|line| line.contains(" stopped as asked;"));
        assert_eq!(lived.count(), PLACEMENTS.len(), "{outcome:?}");
        for logged in ["periodic task failed", "periodic task panicked", stopping] {
            let times = outcome.stderr.matches(logged).count();
            assert_eq!(times, PLACEMENTS.len(), "{logged}: {}", outcome.stderr);
        }
    }
}

#[test]
fn halt_is_never_caught_and_ends_the_program_with_its_code() {
    // Whoever calls it, and whatever comes of `main`.
    let lines: [&[&str]; 7] = [
        &["main", "42", "0"],
        &["process", "42", "0"],
        &["thread", "42", "0"],
        &["task", "42", "0"],
        &["pool", "42", "0"],
        &["process", "42", "error"],
        &["process", "42", "panic"],
    ];
    for (outcome, words) in outcomes(HALTING, lines).into_iter().zip(lines) {
        assert_eq!(outcome.code, Some(42), "{words:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout.len(), 4, "{words:?}: all stop in order");
    }
}

#[test]
fn what_main_does_not_catch_ends_the_program_in_order() {
    let lines: [&[&str]; 2] = [&["nobody", "", "error"], &["nobody", "", "panic"]];
    let [error, panic] = outcomes(HALTING, lines);
    for (outcome, code) in [(error, 1), (panic, 101)] {
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        let is_told = outcome.stderr.contains("no way on");
        assert!(is_told, "{code}: {}", outcome.stderr);
        assert_eq!(outcome.stdout.len(), 4, "{code}: all stop in order");
    }
}

#[pulsar::test]
async fn the_exit_of_an_actors_process_is_the_end_of_that_actor_alone() -> Result<()> {
    for (fault, ended) in [
        (Fault::Exit, "exited with code 3"),
        (Fault::Abort, "signal 6"),
    ] {
        let [actor, beside] = [spawn().await?, spawn().await?];
        let commit = |_cx: Context, fault: String| async move {
            if let Ok(fault) = fault.parse::<Fault>() {
                fault.commit()
            }
        };
        let died = run(&actor, commit, fault.to_string()).await;
        let Err(SendError::ActorDied { cause }) = died else {
            panic!("{fault}: {died:?}");
        };
        assert!(cause.to_string().contains(ended), "{fault}: {cause}");
        assert_eq!(send(&beside, ping, ()).await?, "pong", "{fault}");
        assert_eq!(send("arbiter", info, ()).await?.actor.pid, process::id());
    }
    Ok(())
}

async fn fail_each_time(cx: Context) -> Result<()> {
    let times = cx.info().extra.get("times").and_then(Value::as_u64);
    let times = times.unwrap_or_default();
    cx.set_extra("times", times + 1);
    match times % 2 {
        0 => Err(Error::msg("on purpose")),
        _ => panic!("on purpose"),
    }
}

#[pulsar::test]
async fn a_periodic_task_that_fails_is_called_again() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).periodic_task(fail_each_time);
        let actor = actor.every(Duration::from_millis(1)).await?;
        let times = async || {
            let extra = send(&actor, info, ()).await?.extra;
            Ok::<_, Error>(extra.get("times").and_then(Value::as_u64))
        };
        while times().await? < Some(4) {}
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}

/// "Examples of this category include `KeyboardInterrupt`": what operators send is no error, and the
/// program ends in order.
#[test]
fn a_signal_of_an_operators_ends_the_program_in_order() {
    let all_stop = [
        "pool-1 stops",
        "task stops",
        "thread stops",
        "process stops",
    ];
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT] {
        let program = Program::start(HALTING, ["operator", "0"]);
        assert_eq!(program.line().as_deref(), Some("ready"));
        program.signal(signal).expect("it runs");
        let outcome = program.outcome();
        assert_eq!(outcome.code, Some(0), "{signal:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, all_stop, "{signal:?}: {}", outcome.stderr);
    }
}
