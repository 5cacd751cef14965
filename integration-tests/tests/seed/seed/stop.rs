//! stop: "Tell the remote actor to gracefully shutdown."

use std::time::Duration;

use pulsar::Target;
use pulsar::prelude::*;
use pulsar_testkit::{Process, Program};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::PLACEMENTS;
use super::ping::spin;
use crate::gate::{open_gate, until_waiting, wait_at_gate};

/// A program that an actor in a process tells to stop.
const SYNC_START: &str = env!("CARGO_BIN_EXE_sync-start");

/// How the actor ends, waited for from now on: once it has ended it is forgotten.
pub(super) async fn end_of(actor: &Proxy) -> JoinHandle<Result<Cause, SendError>> {
    let actor = actor.clone();
    let ended = tokio::spawn(async move { arbiter().ended(&actor).await });
    // The loop is one thread's, so that the task has begun to wait when it is our turn again.
    tokio::task::yield_now().await;
    ended
}

async fn note_state(cx: Context) -> Result<()> {
    let word = format!("{} is {}", cx.placement(), cx.state());
    send("arbiter", note_last_word, word).await?;
    Ok(())
}

#[command]
fn note_last_word(cx: Context, word: String) {
    let said = cx.info().extra.get(&word).and_then(Value::as_u64);
    cx.set_extra(word, said.unwrap_or_default() + 1);
}

/// How often this last word has been heard.
fn heard(word: &str) -> Option<pulsar::Json> {
    let extra = get_actor()
        .expect("the test runs in the arbiter")
        .info()
        .extra;
    extra.get(word).cloned().map(pulsar::Json)
}

#[pulsar::test]
async fn what_is_in_flight_and_what_waits_is_finished_first() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).stopping(note_state).await?;
        let pid = send(&actor, info, ()).await?.actor.pid;
        let one = tokio::spawn(send(&actor, wait_at_gate, "one").into_future());
        until_waiting(&actor, "one").await?;
        let two = tokio::spawn(send(&actor, wait_at_gate, "two").into_future());
        while send(&actor, info, ()).await?.mailbox.depth == 0 {}
        let end = end_of(&actor).await;

        // The answer says that it is on its way, and not that it has ended.
        send(&actor, stop, ()).await?;
        while send(&actor, info, ()).await?.actor.state == State::Running {}
        let word = format!("{placement} is stopping");
        while heard(&word).is_none() {
            tokio::task::yield_now().await;
        }
        let state = send(&actor, info, ()).await?.actor.state;
        assert_eq!(state, State::Stopping, "{placement}");
        assert!(!one.is_finished() && !end.is_finished(), "{placement}");

        open_gate(&actor).await?;
        assert_eq!(one.await??, "one", "{placement}");
        until_waiting(&actor, "two").await?;
        open_gate(&actor).await?;
        assert_eq!(two.await??, "two", "{placement}");
        assert_eq!(end.await??, Cause::Stopped, "{placement}");
        assert_eq!(heard(&word), Some(json!(1).into()), "fired once");
        let has_own = placement == Placement::Process;
        assert_eq!(!Process::of(pid).runs(), has_own, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn once_asked_it_takes_nothing_new_and_then_it_is_gone() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).name("abcd").await?;
        let held = tokio::spawn(send(&actor, wait_at_gate, "held").into_future());
        until_waiting(&actor, "held").await?;
        send("abcd", stop, ()).await?;
        while send(&actor, info, ()).await?.actor.state == State::Running {}
        let late = send(&actor, wait_at_gate, "late").await;
        let died = SendError::ActorDied {
            cause: Cause::Stopped,
        };
        let is_told = matches!(&late, Err(CallError::Send(error)) if *error == died);
        assert!(is_told, "{placement}: {late:?}");
        assert!(!held.is_finished(), "{placement}");
        let end = end_of(&actor).await;
        open_gate(&actor).await?;
        assert_eq!(held.await??, "held", "{placement}");
        end.await??;
        for target in [Target::from(&actor), "abcd".into()] {
            let gone = send(target, ping, ()).await;
            let is_unknown = matches!(gone, Err(CallError::Send(SendError::UnknownActor { .. })));
            assert!(is_unknown, "{placement}: {gone:?}");
        }
        let _ = spawn().task().name("abcd").await?;
        arbiter().stop_actor("abcd").await?;
    }
    Ok(())
}

#[pulsar::test]
async fn it_has_no_acknowledgement() -> Result<()> {
    let actor = spawn().await?;
    let spinning = tokio::spawn(run(&actor, spin, ()).into_future());
    let short = Duration::from_millis(50);
    while send(&actor, ping, ()).timeout(short).await.is_ok() {}
    // It hears nothing, and whoever tells it to stop waits for nothing.
    send(&actor, stop, ()).await?;
    assert!(!spinning.is_finished());
    arbiter().kill_actor(&actor).await?;
    assert!(spinning.await?.is_err());
    Ok(())
}

#[command]
async fn stop_from_here(_cx: Context, target: String) -> Result<()> {
    Ok(send(target, stop, ()).await?)
}

#[pulsar::test]
async fn any_actor_stops_any_other_or_itself() -> Result<()> {
    for to in PLACEMENTS {
        for from in PLACEMENTS {
            let stopper = spawn().placement(from).await?;
            let actor = spawn().placement(to).name("abcd").await?;
            let end = end_of(&actor).await;
            send(&stopper, stop_from_here, "abcd").await?;
            assert_eq!(end.await??, Cause::Stopped, "{to} by {from}");
        }
        let actor = spawn().placement(to).name("abcd").await?;
        let end = end_of(&actor).await;
        send(&actor, stop_from_here, "abcd").await?;
        assert_eq!(end.await??, Cause::Stopped, "{to} by itself");
    }
    Ok(())
}

#[command]
async fn bear_task(_cx: Context, name: String) -> Result<()> {
    let _ = spawn().task().name(name).stopping(note_state).await?;
    Ok(())
}

#[pulsar::test]
async fn that_of_a_monitor_stops_its_workers_too() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread] {
        let worker = spawn().placement(placement).stopping(note_state);
        let pool = Pool::new("crew", 3, worker).start().await?;
        assert!(pool.all_ready().await);
        let workers = send("crew", actors, ()).await?;
        assert_eq!(workers.len(), 3, "{placement}");
        let end = end_of(pool.proxy()).await;
        send("crew", stop, ()).await?;
        assert_eq!(end.await??, Cause::Stopped, "{placement}");
        // Each of them in order, and before the monitor.
        let word = format!("{placement} is stopping");
        assert_eq!(heard(&word), Some(json!(3).into()), "{placement}");
        assert_eq!(arbiter().actors().len(), 1, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn that_of_an_actor_stops_the_tasks_on_its_loop_too() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread] {
        let actor = spawn().placement(placement).await?;
        for name in ["one", "two"] {
            send(&actor, bear_task, name).await?;
        }
        let before = heard("task is stopping");
        let end = end_of(&actor).await;
        send(&actor, stop, ()).await?;
        assert_eq!(end.await??, Cause::Stopped, "{placement}");
        let before = before.and_then(|before| before.0.as_u64());
        let now = before.unwrap_or_default() + 2;
        let word = "task is stopping";
        assert_eq!(heard(word), Some(json!(now).into()), "{placement}");
        for name in ["one", "two"] {
            assert!(send(name, ping, ()).await.is_err(), "{placement}");
        }
    }
    Ok(())
}

#[pulsar::test]
async fn one_that_does_not_come_to_an_end_is_ended_at_its_exit_timeout() -> Result<()> {
    #[pulsar::remote]
    async fn never_end(_cx: Context, _: ()) {
        std::future::pending::<()>().await;
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement);
        let actor = actor.exit_timeout(Duration::from_millis(100)).await?;
        let never = tokio::spawn(run(&actor, never_end, ()).into_future());
        while send(&actor, info, ()).await?.mailbox.received < 2 {}
        let end = end_of(&actor).await;
        send(&actor, stop, ()).await?;
        assert_eq!(end.await??, Cause::Stopped, "{placement}");
        let died = SendError::ActorDied {
            cause: Cause::Stopped,
        };
        assert_eq!(never.await?, Err(died), "{placement}");
    }
    Ok(())
}

#[test]
fn that_of_the_arbiter_stops_all_and_ends_the_program() {
    let outcome = Program::start(SYNC_START, ["stop-by-actor"]).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let stops = outcome.stdout.iter().filter(|line| line.ends_with("stops"));
    let stops: Vec<_> = stops.collect();
    assert_eq!(stops, ["task stops", "thread stops", "process stops"]);
}
