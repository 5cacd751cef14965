//! Monitors that keep their workers alive.

use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{ActorStatus, Escalation, Role};

async fn fails(_cx: Context, _: ()) -> Result<()> {
    Err(Error::msg("not in the mood"))
}

#[command]
async fn manager(cx: Context) -> String {
    cx.manager().aid().to_string()
}

fn workers() -> Vec<ActorStatus> {
    let actors = arbiter().actors().into_iter();
    actors.filter(|actor| actor.role == Role::Worker).collect()
}

#[pulsar::test]
async fn a_pool_keeps_its_workers_alive_in_their_places() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread] {
        let pool = Pool::new("pool", 2, spawn().placement(placement))
            .start()
            .await?;
        assert!(pool.all_ready().await);
        let before = workers();
        let names: Vec<_> = before.iter().map(|worker| worker.name.as_str()).collect();
        assert_eq!(names, ["pool-1", "pool-2"]);
        assert!(
            before
                .iter()
                .all(|worker| worker.monitor.as_deref() == Some("pool"))
        );
        let monitor = send("pool-1", manager, ()).await?;
        assert_eq!(monitor, pool.proxy().aid().to_string());

        let victim = &before[0];
        arbiter().kill_actor(victim.aid).await?;
        // Between two lives, or in the next: the place is never unknown.
        let after = loop {
            assert!(pool.all_ready().await);
            let after = workers();
            if after[0].incarnation.0 == 2 {
                break after;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(after[0].aid, victim.aid);
        assert_eq!(after[0].restarts, 1);
        let last = after[0].last_exit.as_ref().expect("it had a predecessor");
        if placement == Placement::Process {
            assert_eq!(last.pid, victim.pid);
            assert!(matches!(last.cause, Cause::Signal { signal: 9, .. }));
        }
        assert_eq!(after[1].incarnation.0, 1);
        assert_eq!(send(victim.aid, ping, ()).await?, "pong");
        arbiter().stop_actor(pool.proxy()).await?;
        assert_eq!(workers(), []);
    }
    Ok(())
}

#[pulsar::test]
async fn a_pool_of_which_no_worker_gets_ready_gives_up_and_tells_why() -> Result<()> {
    let worker = spawn().start(fails, ());
    let limits = pulsar::RestartLimits {
        first_delay: Duration::from_millis(1),
        ..pulsar::RestartLimits::default()
    };
    let pool = Pool::new("pool", 2, worker)
        .limits(limits)
        .escalation(Escalation::Tell)
        .start()
        .await?;
    let reason = pool.gave_up().await.expect("it gives up");
    assert_eq!(reason, "no worker became ready, after 5 boots in one place");
    assert!(!pool.first_ready().await);
    let last = pool.status().last_failure;
    assert_eq!(last, Some(Cause::Failed("not in the mood".to_owned())));
    Ok(())
}

#[pulsar::test]
async fn a_worker_between_two_lives_is_restarting() -> Result<()> {
    let worker = spawn().start(fails, ());
    let limits = pulsar::RestartLimits {
        first_delay: Duration::from_secs(60),
        max_delay: Duration::from_secs(60),
        ..pulsar::RestartLimits::default()
    };
    let pool = Pool::new("pool", 1, worker).limits(limits).start().await?;
    let aid = loop {
        match workers().first() {
            Some(worker) if worker.restarting.is_some() => break worker.aid,
            _ => tokio::task::yield_now().await,
        }
    };
    match send(aid, ping, ()).await {
        Err(CallError::Send(SendError::Restarting { until })) => {
            assert!(until > Duration::from_secs(40), "{until:?}");
        }
        other => panic!("{other:?}"),
    }
    arbiter().stop_actor(pool.proxy()).await?;
    Ok(())
}

#[pulsar::test]
async fn a_monitor_that_is_killed_takes_its_workers_along() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread] {
        let pool = Pool::new("pool", 2, spawn().placement(placement))
            .start()
            .await?;
        assert!(pool.all_ready().await);
        arbiter().kill_actor(pool.proxy()).await?;
        assert_eq!(workers(), []);
    }
    // The names are free again, as the second round has shown.
    Ok(())
}

#[pulsar::test]
async fn each_of_many_workers_is_tried_again_before_the_pool_gives_up() -> Result<()> {
    const WORKERS: usize = 8;
    let limits = pulsar::RestartLimits {
        first_delay: Duration::from_millis(1),
        ..pulsar::RestartLimits::default()
    };
    let worker = spawn().start(fails, ());
    let pool = Pool::new("pool", WORKERS, worker)
        .limits(limits)
        .escalation(Escalation::Tell)
        .start()
        .await?;
    let mut incarnations = [0; WORKERS];
    let gave_up = loop {
        tokio::select! {
            biased;
            reason = pool.gave_up() => break reason,
            () = tokio::task::yield_now() => {}
        }
        for (seen, worker) in incarnations.iter_mut().zip(workers()) {
            *seen = worker.incarnation.0.max(*seen);
        }
    };
    assert!(gave_up.is_some());
    assert!(
        incarnations.iter().all(|seen| *seen >= 3),
        "{incarnations:?}"
    );
    Ok(())
}
