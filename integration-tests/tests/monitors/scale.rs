//! Pools whose size changes while they run.

use std::time::Duration;

use pulsar::ScaleError;
use pulsar::prelude::*;

use crate::ledger::{names, quick, running};

fn workers() -> Vec<String> {
    let workers = names().into_iter().filter(|name| name.starts_with("pool-"));
    let mut workers: Vec<_> = workers.collect();
    workers.sort();
    workers
}

#[pulsar::test]
async fn a_pool_grows_and_shrinks_to_the_size_that_is_said() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread] {
        let pool = Pool::new("pool", 1, spawn().placement(placement))
            .start()
            .await?;
        assert!(pool.all_ready().await);
        let first = running("pool-1", 1).await;
        assert_eq!(pool.scale(3).await?, 3);
        assert_eq!(workers(), ["pool-1", "pool-2", "pool-3"]);
        for name in workers() {
            assert_eq!(send(name, ping, ()).await?, "pong");
        }
        assert_eq!(pool.scale(1).await?, 1);
        assert_eq!(workers(), ["pool-1"]);
        assert_eq!(running("pool-1", 1).await.pid, first.pid);
        assert_eq!(pool.scale(0).await?, 0);
        assert_eq!(workers(), [""; 0]);
        // A pool of none lives on.
        assert_eq!(pool.scale(2).await?, 2);
        assert_eq!(workers(), ["pool-1", "pool-2"]);
        arbiter().stop_actor("pool").await?;
        assert_eq!(names(), [""; 0]);
    }
    Ok(())
}

#[pulsar::test]
async fn the_last_word_about_the_size_wins() -> Result<()> {
    let pool = Pool::new("pool", 1, spawn()).start().await?;
    let (first, second) = tokio::join!(pool.scale(6), pool.scale(2));
    assert_eq!(first, Err(ScaleError::Overridden { workers: 2 }));
    assert_eq!(second, Ok(2));
    assert_eq!(workers(), ["pool-1", "pool-2"]);
    Ok(())
}

#[pulsar::test]
async fn a_worker_that_dies_while_the_pool_grows_is_replaced() -> Result<()> {
    let pool = Pool::new("pool", 1, spawn())
        .limits(quick())
        .start()
        .await?;
    assert!(pool.all_ready().await);
    let arbiter = arbiter();
    let (scaled, killed) = tokio::join!(pool.scale(4), arbiter.kill_actor("pool-1"));
    killed?;
    assert_eq!(scaled?, 4);
    assert_eq!(workers(), ["pool-1", "pool-2", "pool-3", "pool-4"]);
    Ok(())
}

async fn exits(cx: Context, life_of_its_own: u32) -> Result<()> {
    if cx.incarnation().0 != life_of_its_own {
        return Err(Error::msg("not this time"));
    }
    Ok(())
}

#[pulsar::test]
async fn a_pool_that_gives_up_on_its_way_to_a_size_says_so() -> Result<()> {
    let limits = pulsar::RestartLimits {
        intensity: Some(2),
        ..quick()
    };
    // Never well in its first life: each new worker costs restarts.
    let pool = Pool::new("pool", 0, spawn().start(exits, 9))
        .limits(limits)
        .escalation(pulsar::Escalation::Tell)
        .start()
        .await?;
    match pool.scale(2).await {
        Err(ScaleError::GaveUp { reason }) => assert_eq!(reason, "over 2 restarts in 60s"),
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[pulsar::test]
async fn who_is_no_pool_cannot_be_scaled() -> Result<()> {
    let monitor = Monitor::new("tree")
        .child(spawn().name("a"))
        .start()
        .await?;
    for target in ["tree", "a", "ghost", "arbiter"] {
        let refused = arbiter().scale(target, 2).await;
        assert!(
            matches!(refused, Err(ScaleError::NotAPool { .. })),
            "{target}: {refused:?}"
        );
    }
    let pool = Pool::new("pool", 1, spawn()).start().await?;
    let refused = pool.scale(10_001).await;
    assert_eq!(refused, Err(ScaleError::TooMany { workers: 10_001 }));
    arbiter().stop_actor("pool").await?;
    let refused = pool.scale(2).await;
    assert!(
        matches!(refused, Err(ScaleError::NotAPool { .. })),
        "{refused:?}"
    );
    drop(monitor);
    Ok(())
}

#[pulsar::test]
async fn a_worker_that_an_operator_has_stopped_comes_back_with_the_next_scale() -> Result<()> {
    let exit = Duration::from_secs(5);
    let pool = Pool::new("pool", 3, spawn().exit_timeout(exit))
        .start()
        .await?;
    assert!(pool.all_ready().await);
    arbiter().stop_actor("pool-2").await?;
    assert_eq!(workers(), ["pool-1", "pool-3"]);
    assert_eq!(pool.status().wanted, 2);
    assert_eq!(pool.scale(3).await?, 3);
    assert_eq!(workers(), ["pool-1", "pool-2", "pool-3"]);
    Ok(())
}
