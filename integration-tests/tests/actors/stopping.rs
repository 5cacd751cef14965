//! Stops: asked for, waited for, and enforced.

use std::time::{Duration, Instant};

use pulsar::prelude::*;
use pulsar_testkit::Fault;

use crate::PLACEMENTS;

#[command]
async fn slowly(_cx: Context, ms: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    ms
}

#[command]
async fn spin(_cx: Context) {
    Fault::Loop.commit()
}

#[pulsar::test]
async fn a_stop_lets_the_command_that_runs_and_those_that_wait_finish() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let handle = arbiter();
        let asks = async {
            tokio::join!(
                send(&actor, slowly, 30_u64).into_future(),
                send(&actor, slowly, 20_u64).into_future(),
            )
        };
        let stopping = async {
            // After the two, in the same order: it is in when they are.
            send(&actor, ping, ()).await?;
            send(&actor, stop, ()).await?;
            Ok::<_, Error>(handle.ended(&actor).await?)
        };
        let ((first, second), cause) = tokio::join!(asks, stopping);
        assert_eq!((first?, second?), (30, 20), "{placement}");
        assert_eq!(cause?, Cause::Stopped, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn fault_05_an_actor_that_hears_nothing_is_killed_at_its_grace() -> Result<()> {
    let actor = spawn().exit_timeout(Duration::from_secs(1)).await?;
    let asking = tokio::spawn(send(&actor, spin, ()).into_future());
    // The loop is held once a ping is not answered any more.
    while send(&actor, ping, ())
        .timeout(Duration::from_millis(50))
        .await
        .is_ok()
    {}
    let begun = Instant::now();
    arbiter().stop_actor(&actor).await?;
    let took = begun.elapsed();
    assert!(
        (900..1500).contains(&took.as_millis()),
        "killed after {took:?}"
    );
    let answer = asking.await?;
    let killed = matches!(
        answer,
        Err(CallError::Send(SendError::ActorDied {
            cause: Cause::Signal { signal: 9, .. }
        }))
    );
    assert!(killed, "{answer:?}");
    Ok(())
}

#[pulsar::test]
async fn term_stops_one_process_actor_gracefully() -> Result<()> {
    let actor = spawn().await?;
    let pid = send(&actor, info, ()).await?.actor.pid;
    let handle = arbiter();
    let (cause, ()) = tokio::join!(handle.ended(&actor), async {
        let kill = std::process::Command::new("kill")
            .args(["-TERM", &pid.to_string()])
            .status();
        assert!(kill.is_ok_and(|status| status.success()));
    });
    assert_eq!(cause?, Cause::Stopped);
    Ok(())
}

#[pulsar::test]
async fn leaving_main_stops_all_actors() -> Result<()> {
    for placement in PLACEMENTS {
        for _ in 0..3 {
            let _ = spawn().placement(placement).await?;
        }
    }
    // That no child, zombie or descriptor is left is checked after each test.
    Ok(())
}

#[pulsar::test]
async fn nothing_is_spawned_once_the_arbiter_is_stopping() -> Result<()> {
    arbiter().stop();
    let late = loop {
        match spawn().task().begin() {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(matches!(late, SpawnError::Limit { .. }), "{late}");
    Ok(())
}
