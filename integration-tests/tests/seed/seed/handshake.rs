//! Handshake: "The actor hand-shake is the mechanism with which an Actor register its mailbox address
//! with its manager. The actor manager is either a Monitor or the arbiter depending on which spawned the
//! actor. If the hand-shake fails, the spawned actor will eventually stop."

use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{ActorStatus, Role, Spawn, Target};
use pulsar_testkit::{Fault, Process};

use super::PLACEMENTS;
use super::ping::spin;
use crate::gate::{open_gate, start_at_gate, until_waiting, wait_at_gate};

fn listed(aid: Aid) -> Option<ActorStatus> {
    let mut all = arbiter().actors().into_iter();
    all.find(|listed| listed.aid == aid)
}

/// Its pid, as soon as it has been launched; `None` if it has ended before anybody could look.
async fn launched(aid: Aid) -> Option<u32> {
    while let Some(listed) = listed(aid) {
        if listed.pid.is_some() {
            return listed.pid;
        }
        tokio::task::yield_now().await;
    }
    None
}

#[pulsar::test]
async fn it_is_hello_then_start_then_the_first_notify() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).start(start_at_gate, None);
        let spawning = actor.begin()?;
        let aid = spawning.aid();
        // It answers, so it is there; and it says that it has not started.
        let starting = until_waiting(aid, "start").await?;
        assert_eq!(starting.actor.state, State::Starting, "{placement}");
        let known = listed(aid).expect("it has been launched");
        assert!(known.state < State::Running, "{placement}");
        assert_eq!(known.notified_ago, None, "{placement}");
        let early = arbiter().last_info(&aid.into());
        assert!(matches!(early, Err(SendError::Restarting { .. })));

        open_gate(aid).await?;
        let actor = spawning.await?;
        let known = listed(aid).expect("it lives");
        assert_eq!(known.state, State::Running, "{placement}");
        assert!(known.notified_ago.is_some(), "{placement}");
        // What it notified is what it was when its start had ended.
        let notified = arbiter().last_info(&Target::from(&actor))?;
        assert_eq!(notified.actor.state, State::Running, "{placement}");
        assert_eq!(notified.extra.get("passed"), Some(&"start".into()));
    }
    Ok(())
}

#[pulsar::test]
async fn what_is_sent_before_it_is_done_waits_for_it() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).start(start_at_gate, None);
        let spawning = actor.begin()?;
        let aid = spawning.aid();
        until_waiting(aid, "start").await?;
        let early = tokio::spawn(send(aid, wait_at_gate, "early").into_future());
        while send(aid, info, ()).await?.mailbox.depth == 0 {}
        open_gate(aid).await?;
        spawning.await?;
        until_waiting(aid, "early").await?;
        open_gate(aid).await?;
        assert_eq!(early.await??, "early", "{placement}");
    }
    Ok(())
}

#[command]
async fn reach(_cx: Context, name: String, aid: Aid) -> Result<(Aid, String, String)> {
    let found = find::<pulsar::Anyone>(&name).await?.aid();
    let by_name = send(name, info, ()).await?.actor.id;
    Ok((found, by_name, send(aid, info, ()).await?.actor.id))
}

#[pulsar::test]
async fn it_registers_the_mailbox_so_that_all_reach_it() -> Result<()> {
    for to in PLACEMENTS {
        let actor = spawn().placement(to).name("new").await?;
        let (aid, text) = (actor.aid(), actor.aid().to_string());
        for from in PLACEMENTS {
            let other = spawn().placement(from).await?;
            let reached = send(&other, reach, ("new".to_owned(), aid)).await?;
            assert_eq!(reached, (aid, text.clone(), text.clone()), "{from} to {to}");
        }
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}

/// Whom an actor has as its manager, by its own word and by sending to it.
#[command]
async fn ask_manager(cx: Context) -> Result<(Aid, String)> {
    let manager = send("monitor", info, ()).await?.actor;
    assert_eq!(manager.id, cx.manager().aid().to_string());
    Ok((cx.manager().aid(), manager.name))
}

#[command]
async fn spawn_guest(_cx: Context) -> Result<Proxy> {
    Ok(spawn().task().await?)
}

#[pulsar::test]
async fn that_of_a_task_is_its_host_whichever_task_there_has_spawned_it() -> Result<()> {
    let own = arbiter().aid().expect("it runs");
    let parent = spawn().task().await?;
    let child = send(&parent, spawn_guest, ()).await?;
    arbiter().stop_actor(&parent).await?;
    let manager = send(&child, ask_manager, ()).await?;
    assert_eq!(manager, (own, "arbiter".to_owned()));
    Ok(())
}

#[pulsar::test]
async fn its_manager_is_the_arbiter_or_the_monitor_that_has_spawned_it() -> Result<()> {
    let own = arbiter().aid().expect("it runs");
    for placement in [Placement::Process, Placement::Thread] {
        let actor = spawn().placement(placement).name("host").await?;
        let manager = send(&actor, ask_manager, ()).await?;
        assert_eq!(manager, (own, "arbiter".to_owned()), "{placement}");
        assert_eq!(listed(actor.aid()).and_then(|it| it.monitor), None);
        // A task's is the actor whose loop it is on.
        let guest = send(&actor, spawn_guest, ()).await?;
        let manager = send(&guest, ask_manager, ()).await?;
        assert_eq!(manager, (actor.aid(), "host".to_owned()), "{placement}");
        arbiter().stop_actor(&actor).await?;

        let worker = spawn().placement(placement);
        let pool = Pool::new("crew", 1, worker).start().await?;
        assert!(pool.all_ready().await);
        let manager = send("crew-1", ask_manager, ()).await?;
        let monitor = pool.proxy().aid();
        assert_eq!(manager, (monitor, "crew".to_owned()), "{placement}");
        let worker = arbiter().find(&"crew-1".into())?;
        let worker = listed(worker).expect("it lives");
        assert_eq!(worker.monitor.as_deref(), Some("crew"), "{placement}");
        assert_eq!(worker.role, Role::Worker, "{placement}");
        arbiter().stop_actor(pool.proxy()).await?;
    }
    Ok(())
}

/// Nothing is left of it: neither its place, nor its name, nor its process.
fn assert_gone(aid: Aid, pid: Option<u32>, placement: Placement) {
    assert_eq!(listed(aid), None, "{placement}");
    for target in [Target::from(aid), Target::from("hapless")] {
        let found = arbiter().find(&target);
        let is_unknown = matches!(found, Err(SendError::UnknownActor { .. }));
        assert!(is_unknown, "{placement}: {found:?}");
    }
    if placement == Placement::Process {
        let pid = pid.expect("a process takes its time to boot");
        assert!(!Process::of(pid).runs(), "{pid} runs on");
    }
}

/// How the spawn ends, after which nothing is left of the actor.
async fn failure_of(actor: Spawn, placement: Placement) -> Result<SpawnError> {
    let actor = actor.placement(placement).name("hapless");
    let spawning = actor.begin()?;
    let aid = spawning.aid();
    let pid = launched(aid).await;
    let failure = spawning.await.expect_err("it does not start");
    assert_gone(aid, pid, placement);
    Ok(failure)
}

#[pulsar::test]
async fn one_whose_start_fails_stops() -> Result<()> {
    async fn fail(_cx: Context, panics: bool) -> Result<()> {
        match panics {
            true => panic!("no database"),
            false => Err(Error::msg("no database")),
        }
    }
    let why = "no database".to_owned();
    for placement in PLACEMENTS {
        let failed = failure_of(spawn().start(fail, false), placement).await?;
        let cause = Cause::Failed(why.clone());
        assert_eq!(failed, SpawnError::Died { cause }, "{placement}");
        let panicked = failure_of(spawn().start(fail, true), placement).await?;
        let cause = Cause::Panic(why.clone());
        assert_eq!(panicked, SpawnError::Died { cause }, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn one_whose_start_hangs_stops_at_its_boot_timeout() -> Result<()> {
    let after = Duration::from_millis(100);
    for placement in PLACEMENTS {
        let actor = spawn().start(start_at_gate, None).boot_timeout(after);
        let failure = failure_of(actor, placement).await?;
        assert_eq!(failure, SpawnError::BootTimeout { after }, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_process_that_hears_nothing_in_its_start_stops_too() -> Result<()> {
    let after = Duration::from_millis(100);
    let actor = spawn().start(spin, ()).boot_timeout(after);
    let failure = failure_of(actor, Placement::Process).await?;
    assert_eq!(failure, SpawnError::BootTimeout { after });
    Ok(())
}

#[pulsar::test]
async fn a_process_that_ends_in_its_start_fails_the_spawn_with_how_it_ended() -> Result<()> {
    async fn end(_cx: Context, fault: String) {
        if let Ok(fault) = fault.parse::<Fault>() {
            fault.commit()
        }
    }
    let exit = spawn().start(end, Fault::Exit.to_string());
    let failure = failure_of(exit, Placement::Process).await?;
    let cause = Cause::Code(3);
    assert_eq!(failure, SpawnError::Died { cause });
    let abort = spawn().start(end, Fault::Abort.to_string());
    let failure = failure_of(abort, Placement::Process).await?;
    let SpawnError::Died {
        cause: Cause::Signal { signal: 6, .. },
    } = failure
    else {
        panic!("{failure:?}");
    };
    Ok(())
}
