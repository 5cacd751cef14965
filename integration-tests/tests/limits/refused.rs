//! Limits that cannot be.

use std::time::Duration;

use pulsar::prelude::*;

/// The message of a limit that is refused.
fn message(refused: Result<Proxy, SpawnError>) -> String {
    match refused {
        Err(SpawnError::Limit { message } | SpawnError::Unsupported { message }) => message,
        other => panic!("not refused: {other:?}"),
    }
}

#[pulsar::test]
async fn values_out_of_their_range_are_refused_by_name() -> Result<()> {
    for (described, name) in [
        (spawn().memory_max(0), "memory_max"),
        (spawn().memory_max(1 << 10), "memory_max"),
        (spawn().open_files_max(3), "open_files_max"),
        (spawn().cpu_time_max(Duration::ZERO), "cpu_time_max"),
        (spawn().nice(20), "nice"),
        (spawn().nice(-21), "nice"),
        (spawn().keep_stderr(0), "keep_stderr"),
        (spawn().keep_stderr(1_001), "keep_stderr"),
    ] {
        // Best effort is no licence for nonsense.
        for described in [described.clone(), described.best_effort_limits()] {
            let message = message(described.name("wrong").await);
            assert!(message.contains(name), "{message}");
        }
    }
    assert_eq!(arbiter().actors().len(), 1, "only the arbiter is there");
    Ok(())
}

#[pulsar::test]
async fn threads_and_tasks_have_no_limits_unless_they_may_be_left_out() -> Result<()> {
    for placement in [Placement::Thread, Placement::Task] {
        for (described, name) in [
            (spawn().memory_max(64 << 20), "memory_max"),
            (spawn().open_files_max(40), "open_files_max"),
            (spawn().cpu_time_max(Duration::from_secs(9)), "cpu_time_max"),
            (spawn().nice(5), "nice"),
            (spawn().keep_stderr(5), "keep_stderr"),
        ] {
            let described = described.placement(placement);
            let refused = described.clone().await;
            assert!(
                matches!(refused, Err(SpawnError::Unsupported { .. })),
                "{refused:?}"
            );
            let message = message(refused);
            assert!(message.contains(name), "{message}");
            let lives = described.best_effort_limits().await?;
            assert_eq!(send(&lives, ping, ()).await?, "pong");
            arbiter().stop_actor(&lives).await?;
        }
    }
    let nice = rustix::process::getpriority_process(None)?;
    assert!(nice < 5, "the arbiter is as it was");
    Ok(())
}

#[pulsar::test]
async fn shared_bytes_count_as_descriptors() -> Result<()> {
    async fn hold(_cx: Context, _held: Vec<SharedBytes>) -> Result<()> {
        Ok(())
    }
    let held: Vec<_> = (0..8)
        .map(|_| SharedBytes::copy_from(b"held"))
        .collect::<Result<_, _>>()?;
    let described = spawn().start(hold, held);
    // What an actor needs for itself, and seven: one less than it is given.
    let message = message(described.clone().open_files_max(16 + 7).await);
    assert!(message.contains("needs 24"), "{message}");
    described.open_files_max(16 + 8).await?;
    Ok(())
}

/// More descriptors than any Linux lets one process have.
const TOO_MANY: u64 = 1 << 40;

#[pulsar::test]
async fn what_the_system_refuses_is_no_actor_unless_it_may_be_left_out() -> Result<()> {
    let described = spawn().name("greedy").open_files_max(TOO_MANY);
    for _ in 0..3 {
        let message = message(described.clone().await);
        assert!(message.contains("open_files_max"), "{message}");
        // Half-limited by what could be set is no actor either; nothing of it is left.
        let message_too = self::message(described.clone().memory_max(64 << 20).await);
        assert_eq!(message_too, message);
        assert_eq!(arbiter().actors().len(), 1);
    }
    if let Some(own) = crate::own_group("no group is left of what is refused") {
        assert!(crate::groups_of(std::process::id(), &own).is_empty());
    }
    let lives = described.best_effort_limits().await?;
    assert_eq!(send(&lives, ping, ()).await?, "pong");
    Ok(())
}

#[command]
async fn spawn_limited(_cx: Context, open_files: u64) -> Result<(), SpawnError> {
    spawn().open_files_max(open_files).await.map(drop)
}

#[pulsar::test]
async fn limits_that_a_process_actor_says_are_checked_by_the_arbiter() -> Result<()> {
    let spawner = spawn().await?;
    send(&spawner, spawn_limited, 40).await?;
    for wrong in [3, TOO_MANY] {
        let refused = send(&spawner, spawn_limited, wrong).await;
        assert!(
            matches!(refused, Err(CallError::Command(SpawnError::Limit { .. }))),
            "{refused:?}"
        );
    }
    Ok(())
}
