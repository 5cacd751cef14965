//! Actors that die, and those who wait for them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pulsar::prelude::*;
use pulsar_testkit::Fault;

use crate::{PLACEMENTS, never};

#[command]
async fn fail(_cx: Context, how: String) {
    if let Ok(fault) = how.parse::<Fault>() {
        fault.commit()
    }
}

#[command]
async fn ask_never(_cx: Context, of: Proxy) -> Result<(), SendError> {
    match send(&of, never, ()).await {
        Err(CallError::Send(error)) => Err(error),
        _ => Ok(()),
    }
}

fn killed_by(signal: i32, cause: &Cause) -> bool {
    matches!(cause, Cause::Signal { signal: number, .. } if *number == signal)
}

fn death<T: std::fmt::Debug, E: std::fmt::Debug>(answer: Result<T, CallError<E>>) -> Cause {
    match answer {
        Err(CallError::Send(SendError::ActorDied { cause })) => cause,
        other => panic!("no death but {other:?}"),
    }
}

#[pulsar::test]
async fn fault_01_all_asks_in_flight_learn_the_signal_that_killed_the_actor() -> Result<()> {
    const ASKS: usize = 1_000;
    let actor = spawn().mailbox_capacity(ASKS).await?;
    let asks: Vec<_> = (0..ASKS)
        .map(|_| tokio::spawn(send(&actor, never, ()).into_future()))
        .collect();
    // Sent after them over the same link: when it is answered they are there.
    assert_eq!(send(&actor, ping, ()).await?, "pong");
    tokio::task::yield_now().await;
    arbiter().kill_actor(&actor).await?;
    for ask in asks {
        let cause = death(ask.await?);
        assert!(killed_by(9, &cause), "{cause:?}");
    }
    Ok(())
}

#[pulsar::test]
async fn fault_18_each_fault_has_its_cause() -> Result<()> {
    for (fault, signals) in [
        (Fault::Abort, &[6][..]),
        (Fault::Segv, &[11]),
        (Fault::Overflow, &[6, 11]),
        (Fault::Oom, &[6]),
    ] {
        let actor = spawn().await?;
        let cause = death(send(&actor, fail, fault.to_string()).await);
        let by_one = signals.iter().any(|signal| killed_by(*signal, &cause));
        assert!(by_one, "{fault}: {cause:?}");
    }
    let actor = spawn().await?;
    let exit = death(send(&actor, fail, "exit").await);
    assert_eq!(exit, Cause::Code(3));
    Ok(())
}

#[pulsar::test]
async fn a_panic_in_a_command_reaches_its_caller_and_ends_the_actor() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        // Taken before: the place is free as soon as the actor has ended.
        let handle = arbiter();
        let ended = handle.ended(&actor);
        let (cause, answer) = tokio::join!(ended, send(&actor, fail, "panic"));
        let message = "a deliberate panic".to_owned();
        match answer {
            Err(CallError::Send(SendError::Panicked { message: told })) => {
                assert_eq!(told, message);
            }
            other => panic!("{placement}: {other:?}"),
        }
        assert_eq!(cause?, Cause::Panic(message), "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn the_queued_die_with_the_one_that_panics() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let mut asks = Vec::new();
        for _ in 0..10 {
            asks.push(tokio::spawn(send(&actor, fail, "panic").into_future()));
        }
        let (mut panicked, mut died) = (0, 0);
        for ask in asks {
            match ask.await? {
                Err(CallError::Send(SendError::Panicked { .. })) => panicked += 1,
                Err(CallError::Send(SendError::ActorDied {
                    cause: Cause::Panic(_),
                })) => died += 1,
                // Sent when the place was already free.
                Err(CallError::Send(SendError::UnknownActor { .. })) => died += 1,
                other => panic!("{placement}: {other:?}"),
            }
        }
        assert_eq!((panicked, died), (1, 9), "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn an_actor_in_another_process_learns_the_death_too() -> Result<()> {
    for placement in PLACEMENTS {
        let [victim, asker] = [spawn().await?, spawn().placement(placement).await?];
        let asking = tokio::spawn(send(&asker, ask_never, victim.clone()).into_future());
        // Until the ask has arrived at the victim.
        loop {
            let about = send(&victim, info, ()).await?;
            // Of two messages received, one is this `info`.
            if about.mailbox.received - about.mailbox.replied >= 2 {
                break;
            }
        }
        arbiter().kill_actor(&victim).await?;
        match asking.await? {
            Err(CallError::Command(SendError::ActorDied { cause })) => {
                assert!(killed_by(9, &cause), "{placement}: {cause:?}");
            }
            other => panic!("{placement}: {other:?}"),
        }
    }
    Ok(())
}

#[pulsar::test]
async fn a_dead_actor_is_unknown_and_its_name_is_free() -> Result<()> {
    for placement in PLACEMENTS {
        let first = spawn().name("phoenix").placement(placement).await?;
        arbiter().kill_actor(&first).await?;
        let late = send(&first, ping, ()).await;
        assert!(
            matches!(late, Err(CallError::Send(SendError::UnknownActor { .. }))),
            "{late:?}"
        );
        let second = spawn().name("phoenix").placement(placement).await?;
        assert_ne!(first, second);
        arbiter().stop_actor(&second).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn a_killed_actor_is_told_from_a_slow_one() -> Result<()> {
    let actor = spawn().await?;
    let after = Duration::from_millis(20);
    let slow = send(&actor, never, ()).timeout(after).await;
    assert!(matches!(
        slow,
        Err(CallError::Send(SendError::Timeout { .. }))
    ));
    Ok(())
}

#[command]
async fn spin_for_ever(_cx: Context) {
    Fault::Loop.commit()
}

#[pulsar::test]
#[expect(
    clippy::exit,
    reason = "the thread that spins can only end with the process"
)]
async fn the_asks_of_a_thread_that_cannot_be_ended_fail() -> Result<()> {
    let actor = spawn().thread().mailbox_capacity(1).await?;
    // One that runs, one that waits in the mailbox, one that waits for room in it.
    let mut asks = Vec::new();
    for _ in 0..3 {
        asks.push(tokio::spawn(send(&actor, spin_for_ever, ()).into_future()));
    }
    while send(&actor, ping, ())
        .timeout(Duration::from_millis(50))
        .await
        .is_ok()
    {}
    arbiter().kill_actor(&actor).await?;
    for ask in asks {
        assert_eq!(death(ask.await?), Cause::Unknown);
    }
    // The thread spins on; the test's process ends with it.
    std::process::exit(0)
}

/// Threads that may be abandoned at once.
const MOST_ABANDONED: usize = 8;
static RELEASED: AtomicBool = AtomicBool::new(false);
static HELD: AtomicUsize = AtomicUsize::new(0);

#[command]
async fn hold_until_released(_cx: Context) {
    HELD.fetch_add(1, Ordering::Relaxed);
    while !RELEASED.load(Ordering::Relaxed) {
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[pulsar::test]
async fn threads_are_abandoned_up_to_a_cap_and_made_again_when_those_have_ended() -> Result<()> {
    let mut asks = Vec::new();
    let mut actors = Vec::new();
    for _ in 0..MOST_ABANDONED {
        let actor = spawn().thread().await?;
        asks.push(tokio::spawn(
            send(&actor, hold_until_released, ()).into_future(),
        ));
        actors.push(actor);
    }
    while HELD.load(Ordering::Relaxed) < MOST_ABANDONED {
        tokio::task::yield_now().await;
    }
    let ends = actors.iter().map(|actor| {
        let actor = actor.clone();
        tokio::spawn(async move { arbiter().kill_actor(&actor).await })
    });
    for end in ends.collect::<Vec<_>>() {
        end.await??;
    }
    for ask in asks {
        assert_eq!(death(ask.await?), Cause::Unknown);
    }
    match spawn().thread().await {
        Err(SpawnError::Limit { message }) => assert!(message.contains("executor"), "{message}"),
        other => panic!("{other:?}"),
    }
    // Others are not concerned; and threads come back when those that were abandoned end after all.
    let process = spawn().await?;
    assert_eq!(send(&process, ping, ()).await?, "pong");
    RELEASED.store(true, Ordering::Relaxed);
    let thread = loop {
        match spawn().thread().await {
            Ok(thread) => break thread,
            Err(SpawnError::Limit { .. }) => tokio::task::yield_now().await,
            Err(other) => return Err(other.into()),
        }
    };
    assert_eq!(send(&thread, ping, ()).await?, "pong");
    Ok(())
}

#[pulsar::test]
async fn the_tasks_of_a_thread_end_with_it() -> Result<()> {
    let host = spawn().thread().await?;
    let task = send(&host, spawn_task, "guest").await?;
    assert_eq!(send("guest", ping, ()).await?, "pong");
    let asking = tokio::spawn(send(&task, never, ()).into_future());
    // Until it runs: more was taken in than was answered, beside this very ask.
    loop {
        let mailbox = send(&task, info, ()).await?.mailbox;
        if mailbox.received - mailbox.replied == 2 {
            break;
        }
    }
    let panicked = send(&host, fail, "panic").await;
    assert!(matches!(
        panicked,
        Err(CallError::Send(SendError::Panicked { .. }))
    ));
    let cause = death(asking.await?);
    assert!(
        matches!(cause, Cause::Stopped | Cause::Unknown),
        "{cause:?}"
    );
    // Its name is free as soon as it is gone.
    while arbiter()
        .actors()
        .iter()
        .any(|actor| actor.aid == task.aid())
    {
        tokio::task::yield_now().await;
    }
    let _ = spawn().task().name("guest").await?;
    Ok(())
}

#[command]
async fn spawn_task(_cx: Context, name: String) -> Result<Proxy, SpawnError> {
    spawn().task().name(name).await
}
