//! notify: "This message is used periodically by actors, to notify their manager. The first notify
//! message is sent to the manager as soon as the actor is up and running so that the handshake can occur."

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{ActorStatus, NotManaged, Target};
use rustix::process::{Pid, Signal, kill_process};

use super::PLACEMENTS;

fn listed(actor: &Proxy) -> ActorStatus {
    let mut all = arbiter().actors().into_iter();
    let listed = all.find(|listed| listed.aid == actor.aid());
    listed.expect("it lives")
}

fn last_info(actor: &Proxy) -> Result<Info> {
    Ok(arbiter().last_info(&Target::from(actor))?)
}

/// So short that the shortest is taken for it, one second; the period of the notifies is three tenths of
/// that.
const SHORT: Duration = Duration::from_millis(1);

/// Waits for the next notify; what it has brought.
async fn next_notify(of: &Proxy) -> Result<Info> {
    let mut oldest = Duration::ZERO;
    loop {
        let age = listed(of).notified_ago.expect("it is up and running");
        if age < oldest {
            return last_info(of);
        }
        oldest = age;
        tokio::task::yield_now().await;
    }
}

#[pulsar::test]
async fn it_comes_to_the_manager_again_and_again() -> Result<()> {
    let mut all = Vec::new();
    for placement in PLACEMENTS {
        all.push(spawn().placement(placement).timeout(SHORT).await?);
    }
    // Rather than for ever.
    let patience = Duration::from_secs(20);
    for actor in &all {
        for _ in 0..2 {
            let before = last_info(actor)?.actor;
            let next = tokio::time::timeout(patience, next_notify(actor)).await;
            let next = next.map_err(|_| Error::msg(format!("{} is silent", before.placement)))?;
            assert!(
                next?.actor.uptime_s > before.uptime_s,
                "it is of a later time"
            );
        }
    }
    Ok(())
}

#[pulsar::test]
async fn its_period_is_a_third_of_the_time_that_an_actor_may_be_silent() -> Result<()> {
    let minute = Duration::from_secs(60);
    for placement in PLACEMENTS {
        for (timeout, period) in [
            (None, 9.0),
            (Some(SHORT), 0.3),
            (Some(minute / 6), 3.0),
            (Some(minute), 10.0),
        ] {
            let actor = spawn().placement(placement);
            let actor = match timeout {
                Some(timeout) => actor.timeout(timeout),
                None => actor,
            };
            let actor = actor.await?;
            let shown = send(&actor, config_get, "notify_every_s".to_owned()).await?;
            assert_eq!(shown, period.into(), "{placement} {timeout:?}");
            arbiter().stop_actor(&actor).await?;
        }
    }
    Ok(())
}

#[pulsar::test]
async fn the_first_is_there_as_soon_as_it_runs() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let age = listed(&actor).notified_ago.expect("it is up and running");
        let info = last_info(&actor)?;
        assert_eq!(info.actor.id, actor.aid().to_string(), "{placement}");
        assert_eq!(info.actor.state, State::Running, "{placement}");
        // Far from its period, which is 9 s.
        assert!(age < Duration::from_secs(5), "{placement}: {age:?}");
    }
    Ok(())
}

/// Notifies a manager of what the actor says of itself, with a word. False if that is not its manager.
#[command]
async fn notify_with(cx: Context, manager: String, word: String) -> Result<bool, SendError> {
    let mut info = cx.info();
    info.extra.insert("word", word);
    match send(manager, notify, info).await {
        Ok(()) => Ok(true),
        Err(CallError::Command(NotManaged)) => Ok(false),
        Err(CallError::Send(error)) => Err(error),
    }
}

/// Until the last info has this word.
async fn until_notified(actor: &Proxy, word: &str) -> Result<Info> {
    loop {
        let info = last_info(actor)?;
        if info.extra.get("word") == Some(&word.into()) {
            return Ok(info);
        }
        tokio::task::yield_now().await;
    }
}

fn add_colour(_cx: Context, info: &mut Info) {
    info.extra.insert("colour", "blue");
}

#[pulsar::test]
async fn it_is_a_command_whose_info_the_manager_keeps() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).on_info(add_colour).await?;
        let first = last_info(&actor)?;
        assert_eq!(first.extra.get("colour"), Some(&"blue".into()));
        for word in ["one", "two"] {
            let args = ("monitor".to_owned(), word.to_owned());
            assert!(send(&actor, notify_with, args).await?, "{placement}");
            let kept = until_notified(&actor, word).await?;
            assert!(kept.actor.uptime_s > first.actor.uptime_s, "{placement}");
            // What others are shown is what it has told of itself.
            let shown = listed(&actor);
            assert_eq!(shown.mailbox, kept.mailbox, "{placement}");
            assert_eq!(shown.system, kept.system, "{placement}");
            assert!(shown.mailbox.received > 0, "{placement}");
        }
    }
    Ok(())
}

#[pulsar::test]
async fn a_workers_goes_to_its_monitor_and_not_to_the_arbiter() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread] {
        let pool = Pool::new("crew", 1, spawn().placement(placement));
        let pool = pool.start().await?;
        assert!(pool.all_ready().await);
        let worker = find("crew-1").await?;
        for (manager, is_its) in [("monitor", true), ("crew", true), ("arbiter", false)] {
            let args = (manager.to_owned(), manager.to_owned());
            let taken = send(&worker, notify_with, args).await?;
            assert_eq!(taken, is_its, "{placement}: {manager}");
        }
        until_notified(&worker, "crew").await?;
        arbiter().stop_actor(pool.proxy()).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn a_strangers_is_refused_and_changes_nothing() -> Result<()> {
    let others = spawn().name("others").await?;
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        for stranger in [actor.aid().to_string(), "others".to_owned()] {
            let args = (stranger, "mine".to_owned());
            assert!(!send(&actor, notify_with, args).await?, "{placement}");
        }
        // Nor does the arbiter have a manager other than itself.
        let info = send(&actor, info, ()).await?;
        let refused = send(&actor, notify, info).await;
        let is_typed = matches!(refused, Err(CallError::Command(NotManaged)));
        assert!(is_typed, "{placement}: {refused:?}");
        assert_eq!(last_info(&actor)?.extra.get("word"), None, "{placement}");
    }
    assert_eq!(last_info(&others)?.extra.get("word"), None);
    Ok(())
}

/// Tells the manager's manager that somebody else is well.
#[command]
async fn notify_for(_cx: Context, info: Info) -> Result<(), SendError> {
    match send("arbiter", notify, info).await {
        Ok(()) | Err(CallError::Command(NotManaged)) => Ok(()),
        Err(CallError::Send(error)) => Err(error),
    }
}

#[pulsar::test]
async fn none_notifies_in_the_name_of_another() -> Result<()> {
    for placement in PLACEMENTS {
        let victim = spawn().placement(placement).await?;
        let impostor = spawn().placement(placement).await?;
        let mut claimed = send(&victim, info, ()).await?;
        claimed.extra.insert("word", "false");
        send(&impostor, notify_for, claimed).await?;
        // It is taken as the sender's own, whatever it says.
        until_notified(&impostor, "false").await?;
        assert_eq!(last_info(&victim)?.extra.get("word"), None, "{placement}");
    }
    Ok(())
}

/// Holds its loop: nothing else on it gets its turn.
#[command]
fn hold_loop(_cx: Context) {
    let held = HELD.0.lock().unwrap_or_else(PoisonError::into_inner);
    drop(HELD.1.wait_while(held, |held| *held));
}

static HELD: (Mutex<bool>, Condvar) = (Mutex::new(true), Condvar::new());

async fn silenced(actor: &Proxy, by: &str) -> Result<()> {
    match by {
        "a signal" => {
            let pid = i32::try_from(send(actor, info, ()).await?.actor.pid)?;
            kill_process(Pid::from_raw(pid).expect("a pid"), Signal::STOP)?;
        }
        _ => assert!(send(actor, hold_loop, ()).try_send().is_ok()),
    }
    Ok(())
}

/// "If an actor fails to notify itself on a regular basis, its manager will shut it down."
#[pulsar::test]
async fn one_that_fails_to_is_shut_down_by_its_manager() -> Result<()> {
    let patience = Duration::from_secs(30);
    for (placement, by) in [
        (Placement::Process, "a signal"),
        (Placement::Process, "a command"),
        (Placement::Thread, "a command"),
    ] {
        let actor = spawn().placement(placement).timeout(SHORT).await?;
        // An ask that waits for it is told, too.
        silenced(&actor, by).await?;
        let waiting = tokio::spawn(send(&actor, ping, ()).into_future());
        let ended = tokio::time::timeout(patience, arbiter().ended(&actor)).await;
        let cause = ended.map_err(|_| Error::msg(format!("{placement}: it lives on")))?;
        assert_eq!(
            cause.ok(),
            Some(Cause::HeartbeatTimeout),
            "{placement}, held by {by}"
        );
        let told = waiting.await?;
        let died = SendError::ActorDied {
            cause: Cause::HeartbeatTimeout,
        };
        assert!(
            matches!(&told, Err(CallError::Send(error)) if *error == died),
            "{placement}, held by {by}: {told:?}"
        );
    }
    *HELD.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
    HELD.1.notify_all();
    Ok(())
}

#[pulsar::test]
async fn the_worker_of_a_monitor_that_fails_to_is_replaced() -> Result<()> {
    let pool = Pool::new("crew", 1, spawn().timeout(SHORT)).start().await?;
    pool.all_ready().await;
    let worker: Proxy = find("crew-1").await?;
    silenced(&worker, "a command").await?;
    let replaced = async {
        loop {
            let status = listed(&worker);
            if let Some(last) = status.last_exit.filter(|_| status.state == State::Running) {
                return last.cause;
            }
            tokio::task::yield_now().await;
        }
    };
    let cause = tokio::time::timeout(Duration::from_secs(30), replaced).await?;
    assert_eq!(cause, Cause::HeartbeatTimeout);
    assert_eq!(send(&worker, ping, ()).await?, "pong");
    Ok(())
}
