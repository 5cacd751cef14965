//! Typed actors that begin anew when they end.

use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{ActorStatus, Pool, RawProxy, send_json};
use serde_json::json;
use tokio::task::yield_now;

use crate::PLACEMENTS;
use crate::counter::Counter;
use crate::scene::expect;

/// Begins well in its first life only.
struct Mayfly {
    words: u32,
}

#[pulsar::actor]
impl Mayfly {
    fn start(cx: Context) -> Result<Self> {
        match cx.incarnation().0 {
            1 => Ok(Self { words: 0 }),
            _ => Err(Error::msg("once is enough")),
        }
    }

    #[command]
    fn speak(&mut self) -> u32 {
        self.words += 1;
        self.words
    }
}

fn status(actor: &Proxy<impl pulsar::Actor>) -> Option<ActorStatus> {
    let mut actors = arbiter().actors().into_iter();
    actors.find(|status| status.aid == actor.aid())
}

/// Asks until the next life answers. Until then its place is known.
async fn next_total(counter: &Proxy<Counter>) -> Result<u64> {
    loop {
        match counter.total().await {
            Ok(total) => return Ok(total),
            Err(CallError::Send(SendError::Restarting { .. } | SendError::ActorDied { .. })) => {
                yield_now().await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[pulsar::test]
async fn a_killed_permanent_actor_begins_anew_in_its_place() -> Result<()> {
    for placement in PLACEMENTS {
        let described = Counter::spawn(7).name("counter").placement(placement);
        let counter = described.permanent().await?;
        assert_eq!(counter.add(1).await?, 8, "{placement}");
        let before = status(&counter).expect("it is known");
        arbiter().kill_actor(&counter).await?;
        // The same proxy, and the state of a beginner.
        assert_eq!(next_total(&counter).await?, 7, "{placement}");
        let after = status(&counter).expect("it is known");
        assert_eq!(after.incarnation.0, before.incarnation.0 + 1, "{placement}");
        assert_eq!(after.placement, placement);
        assert_eq!(after.name, "counter");
        if placement == Placement::Process {
            assert_ne!(after.pid, before.pid);
        }
        let about = send("counter", info, ()).await?;
        assert_eq!(about.actor.incarnation, 2, "{placement}");
        let taken = Counter::spawn(0).name("counter").thread().await;
        assert!(
            matches!(taken, Err(SpawnError::NameTaken { .. })),
            "{taken:?}"
        );
        arbiter().stop_actor(&counter).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn an_actor_that_panics_begins_anew() -> Result<()> {
    for placement in PLACEMENTS {
        for described in [Counter::spawn(7).permanent(), Counter::spawn(7).transient()] {
            let counter = described.placement(placement).await?;
            let panicked = counter.panics("as asked".to_owned()).await;
            assert!(panicked.is_err(), "{placement}");
            assert_eq!(next_total(&counter).await?, 7, "{placement}");
            assert_eq!(counter.add(1).await?, 8, "{placement}");
            arbiter().stop_actor(&counter).await?;
        }
    }
    Ok(())
}

#[pulsar::test]
async fn what_was_in_flight_when_a_life_ended_fails_once() -> Result<()> {
    for placement in PLACEMENTS {
        let gate = crate::gate::Gate::spawn().thread().await?;
        let counter = Counter::spawn(7).placement(placement).permanent().await?;
        let held = tokio::spawn(counter.add_behind(gate.clone(), 1).into_future());
        gate.arrivals(1).await?;
        let waits = crate::scene::in_flight(&counter, counter.add(1)).await?;
        arbiter().kill_actor(&counter).await?;
        let held = held.await?;
        let died = matches!(held, Err(CallError::Send(SendError::ActorDied { .. })));
        assert!(died, "{placement}: {held:?}");
        let waits = waits.await?;
        let died = matches!(waits, Err(CallError::Send(SendError::ActorDied { .. })));
        assert!(died, "{placement}: {waits:?}");
        gate.open(1).await?;
        assert_eq!(next_total(&counter).await?, 7, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_transient_actor_that_ends_in_order_is_gone() -> Result<()> {
    for placement in PLACEMENTS {
        let described = Counter::spawn(7).name("counter").placement(placement);
        let counter = described.transient().await?;
        let handle = arbiter();
        let (cause, stopped) = tokio::join!(
            handle.ended(&counter),
            send(&counter, stop, ()).into_future()
        );
        stopped?;
        assert_eq!(cause?, Cause::Stopped, "{placement}");
        await_gone(&counter).await?;
    }
    // The name is free again, as the next round has shown.
    Ok(())
}

#[pulsar::test]
async fn a_permanent_actor_that_ends_in_order_begins_anew() -> Result<()> {
    for placement in PLACEMENTS {
        let counter = Counter::spawn(7).placement(placement).permanent().await?;
        counter.add(1).await?;
        send(&counter, stop, ()).await?;
        while next_total(&counter).await? != 7 {}
        assert_eq!(send(&counter, info, ()).await?.actor.incarnation, 2);
    }
    Ok(())
}

#[pulsar::test]
async fn the_arbiters_stop_of_a_permanent_actor_is_final() -> Result<()> {
    for placement in PLACEMENTS {
        let described = Counter::spawn(7).name("counter").placement(placement);
        let counter = described.permanent().await?;
        arbiter().stop_actor(&counter).await?;
        await_gone(&counter).await?;
    }
    Ok(())
}

async fn permanent_from_here(
    _cx: Context,
    placement: Placement,
) -> Result<Proxy<Counter>, SpawnError> {
    Counter::spawn(7).placement(placement).permanent().await
}

#[pulsar::test]
async fn what_a_process_actor_has_spawned_begins_anew_too() -> Result<()> {
    let spawner = spawn().await?;
    for placement in [Placement::Process, Placement::Task] {
        let counter = run(&spawner, permanent_from_here, placement).await??;
        assert_eq!(counter.add(1).await?, 8, "{placement}");
        let panicked = counter.panics("as asked".to_owned()).await;
        assert!(panicked.is_err(), "{placement}");
        assert_eq!(next_total(&counter).await?, 7, "{placement}");
        let about = send(&counter, info, ()).await?;
        assert_eq!(about.actor.incarnation, 2, "{placement}");
        assert_eq!(about.actor.placement, placement);
    }
    Ok(())
}

/// Waits until nobody knows the actor any more; it must not answer again.
async fn await_gone(counter: &Proxy<Counter>) -> Result<()> {
    loop {
        match counter.total().await {
            Err(CallError::Send(SendError::UnknownActor { .. })) => break,
            Err(CallError::Send(SendError::ActorDied { .. })) => yield_now().await,
            other => expect(false, other)?,
        }
    }
    expect(status(counter).is_none(), "it is still listed")
}

#[pulsar::test]
async fn an_actor_between_two_lives_says_so_and_can_be_stopped_for_good() -> Result<()> {
    for placement in PLACEMENTS {
        let mayfly = Mayfly::spawn().name("mayfly").placement(placement);
        let mayfly = mayfly.permanent().await?;
        assert_eq!(mayfly.speak().await?, 1, "{placement}");
        arbiter().kill_actor(&mayfly).await?;
        await_restarting(&mayfly).await?;
        // What asks it hears that it is to be waited for.
        let spoken = mayfly.speak().try_send();
        let told = matches!(
            &spoken,
            Err(unsent) if matches!(unsent.error, SendError::Restarting { .. } | SendError::ActorDied { .. })
        );
        assert!(told, "{placement}: {spoken:?}");
        // Its name stays its own.
        let taken = Mayfly::spawn().name("mayfly").thread().await;
        assert!(
            matches!(taken, Err(SpawnError::NameTaken { .. })),
            "{taken:?}"
        );

        await_restarting(&mayfly).await?;
        arbiter().stop_actor(&mayfly).await?;
        assert!(status(&mayfly).is_none(), "{placement}");
        match mayfly.speak().await {
            Err(CallError::Send(SendError::UnknownActor { .. })) => {}
            other => panic!("{placement}: {other:?}"),
        }
    }
    // The name was free again in each round.
    Ok(())
}

/// Waits until a call is told that the actor is between two lives, with more than a moment to go.
async fn await_restarting(mayfly: &Proxy<Mayfly>) -> Result<()> {
    loop {
        match mayfly.speak().await {
            Err(CallError::Send(SendError::Restarting { until })) => {
                if until > Duration::from_millis(50) {
                    let listed = status(mayfly);
                    let restarting = listed.as_ref().and_then(|status| status.restarting);
                    return expect(restarting.is_some(), listed);
                }
            }
            Err(CallError::Send(SendError::ActorDied { .. })) => {}
            other => expect(false, other)?,
        }
        yield_now().await;
    }
}

async fn restarting_from_here(_cx: Context, mayfly: Proxy<Mayfly>) -> Result<()> {
    await_restarting_elsewhere(&mayfly).await
}

async fn await_restarting_elsewhere(mayfly: &Proxy<Mayfly>) -> Result<()> {
    loop {
        match mayfly.speak().await {
            Err(CallError::Send(SendError::Restarting { .. })) => return Ok(()),
            Err(CallError::Send(SendError::ActorDied { .. })) => yield_now().await,
            other => expect(false, other)?,
        }
    }
}

#[pulsar::test]
async fn callers_in_other_processes_hear_of_a_restart_too() -> Result<()> {
    let caller = spawn().await?;
    for placement in PLACEMENTS {
        let mayfly = Mayfly::spawn().placement(placement).permanent().await?;
        arbiter().kill_actor(&mayfly).await?;
        run(&caller, restarting_from_here, mayfly.clone()).await??;
        arbiter().stop_actor(&mayfly).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn an_actor_that_was_never_ready_is_not_restarted() -> Result<()> {
    for placement in PLACEMENTS {
        let died = Never::spawn()
            .name("never")
            .placement(placement)
            .permanent()
            .await;
        let cause = Cause::Failed("not in the mood".to_owned());
        assert_eq!(died, Err(SpawnError::Died { cause }), "{placement}");
    }
    // Each round had the name.
    Ok(())
}

/// Does not begin at all.
struct Never;

#[pulsar::actor]
impl Never {
    async fn start(_cx: Context) -> Result<Self> {
        Err(Error::msg("not in the mood"))
    }
}

#[pulsar::test]
async fn a_pool_keeps_typed_workers() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread] {
        let worker = Counter::spawn(1).placement(placement);
        let pool = Pool::new("counters", 2, worker).start().await?;
        assert!(pool.all_ready().await);
        let added = send_json("counters-1", "add", vec![json!(4)]).await;
        assert_eq!(added.ok(), Some(json!(5)), "{placement}");
        let aid = arbiter().find(&"counters-2".into())?;
        let second = Proxy::<Counter>::from(RawProxy::new(aid, "counters-2"));
        assert_eq!(second.add(1).await?, 2, "{placement}");
        arbiter().kill_actor(&second).await?;
        assert_eq!(next_total(&second).await?, 1, "{placement}");
        arbiter().stop_actor(pool.proxy()).await?;
    }
    Ok(())
}
