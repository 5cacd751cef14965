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
    // Long enough that a tenth of it is more than a busy machine takes for its part.
    let actor = spawn().exit_timeout(Duration::from_secs(3)).await?;
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
        (2700..=3300).contains(&took.as_millis()),
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
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let pid = pid.expect("a pid is above zero");
    let (cause, signalled) = tokio::join!(handle.ended(&actor), async {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
    });
    signalled.expect("one's own child can be signalled");
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

#[command]
fn stop_yourself(cx: Context) {
    cx.stop();
}

#[pulsar::test]
async fn a_stop_with_senders_that_wait_for_room_does_not_wait_for_its_timeout() -> Result<()> {
    let actor = spawn().task().mailbox_capacity(1).await?;
    let mut asks = Vec::new();
    for _ in 0..5 {
        asks.push(tokio::spawn(send(&actor, stop_yourself, ()).into_future()));
    }
    let begun = Instant::now();
    let cause = arbiter().ended(&actor).await?;
    assert_eq!(cause, Cause::Stopped);
    let took = begun.elapsed();
    assert!(
        took < Duration::from_secs(3),
        "the drain timeout is 9 s, it took {took:?}"
    );
    for ask in asks {
        match ask.await? {
            Ok(())
            | Err(CallError::Send(SendError::ActorDied {
                cause: Cause::Stopped,
            })) => {}
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

async fn boots_slowly(_cx: Context, _: ()) {
    std::future::pending::<()>().await;
}

#[pulsar::test]
async fn fault_12_a_spawn_that_waits_for_its_turn_can_be_stopped() -> Result<()> {
    let mut spawnings = Vec::new();
    // More than may boot at once.
    for _ in 0..36 {
        spawnings.push(spawn().start(boots_slowly, ()).begin()?);
    }
    let begun = Instant::now();
    let last = spawnings.pop().expect("there are some");
    arbiter().stop_actor(last.aid()).await?;
    assert!(begun.elapsed() < Duration::from_secs(5));
    let cause = Cause::Stopped;
    assert_eq!(last.await, Err(SpawnError::Died { cause }));
    // The others are stopped with the program, whether or not they have begun.
    Ok(())
}
