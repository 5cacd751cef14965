//! From the spawn to the first notify.

use std::time::Duration;

use pulsar::prelude::*;

use crate::PLACEMENTS;

async fn refuses(_cx: Context, why: String) -> Result<()> {
    Err(Error::msg(why))
}

async fn panics(_cx: Context, _: ()) {
    panic!("not today");
}

async fn never_ready(_cx: Context, _: ()) {
    std::future::pending::<()>().await;
}

async fn waits_for_stop(cx: Context, _: ()) {
    cx.stop_asked().await;
}

#[pulsar::test]
async fn a_spawned_actor_runs_with_its_name_placement_and_first_incarnation() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().name("me").placement(placement).await?;
        let about = send(&actor, info, ()).await?;
        assert_eq!(about.actor.name, "me");
        assert_eq!(about.actor.id, actor.aid().to_string());
        assert_eq!(about.actor.state, State::Running);
        assert_eq!(about.actor.placement, placement);
        assert_eq!(about.actor.incarnation, 1);
        let own_process = placement == Placement::Process;
        assert_eq!(about.actor.pid != std::process::id(), own_process);
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn the_id_is_known_before_the_actor_is_ready() -> Result<()> {
    for placement in PLACEMENTS {
        let spawning = spawn().placement(placement).begin()?;
        let aid = spawning.aid();
        assert_eq!(spawning.await?.aid(), aid);
    }
    Ok(())
}

#[pulsar::test]
async fn a_start_hook_that_fails_fails_the_spawn_with_its_message() {
    for placement in PLACEMENTS {
        let why = "no database".to_owned();
        let spawned = spawn()
            .placement(placement)
            .start(refuses, why.clone())
            .await;
        let cause = Cause::Failed(why);
        assert_eq!(spawned, Err(SpawnError::Died { cause }), "{placement}");
    }
}

#[pulsar::test]
async fn a_start_hook_that_panics_fails_the_spawn_with_its_message() {
    for placement in PLACEMENTS {
        let spawned = spawn().placement(placement).start(panics, ()).await;
        let cause = Cause::Panic("not today".to_owned());
        assert_eq!(spawned, Err(SpawnError::Died { cause }), "{placement}");
    }
}

#[pulsar::test]
async fn fault_06_a_boot_that_never_ends_is_ended_at_its_timeout() {
    let after = Duration::from_millis(200);
    for placement in PLACEMENTS {
        let begun = std::time::Instant::now();
        let actor = spawn()
            .placement(placement)
            .boot_timeout(after)
            .start(never_ready, ());
        assert_eq!(
            actor.await,
            Err(SpawnError::BootTimeout { after }),
            "{placement}"
        );
        let took = begun.elapsed();
        let most = Duration::from_secs(5);
        assert!((after..most).contains(&took), "{placement}: {took:?}");
    }
}

#[pulsar::test]
async fn fault_12_an_actor_can_be_stopped_while_it_starts() -> Result<()> {
    for placement in PLACEMENTS {
        let spawning = spawn()
            .placement(placement)
            .start(waits_for_stop, ())
            .begin()?;
        let aid = spawning.aid();
        arbiter().stop_actor(aid).await?;
        let cause = Cause::Stopped;
        assert_eq!(
            spawning.await,
            Err(SpawnError::Died { cause }),
            "{placement}"
        );
        assert!(arbiter().actors().iter().all(|actor| actor.aid != aid));
    }
    Ok(())
}

#[pulsar::test]
async fn built_in_commands_are_answered_while_the_start_hook_runs() -> Result<()> {
    for placement in PLACEMENTS {
        let spawning = spawn()
            .placement(placement)
            .start(waits_for_stop, ())
            .begin()?;
        let aid = spawning.aid();
        // A place that has not been launched yet is told from one that nobody has.
        let answer = loop {
            match send(aid, ping, ()).await {
                Err(CallError::Send(SendError::Restarting { .. })) => {
                    tokio::task::yield_now().await;
                }
                other => break other,
            }
        };
        assert_eq!(answer?, "pong");
        arbiter().stop_actor(aid).await?;
        drop(spawning);
    }
    Ok(())
}
