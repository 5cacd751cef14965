//! Monitors: "Monitors are specialised actors which share the arbiter event loop and therefore they live
//! in the main thread of the master process of your application."

use std::time::{Duration, Instant};

use pulsar::prelude::*;
use pulsar::{ActorStatus, MonitorHandle, RestartLimits, Role};
use rustix::process::{Pid, Signal, kill_process};

use super::PLACEMENTS;
use super::actors::{place_now, place_of};

/// Those that a monitor may have.
const WORKERS: [Placement; 2] = [Placement::Process, Placement::Thread];

/// A crew of two whose workers are replaced without delay.
async fn crew(placement: Placement) -> Result<MonitorHandle> {
    let limits = RestartLimits {
        first_delay: Duration::from_millis(1),
        ..RestartLimits::default()
    };
    let pool = Pool::new("crew", 2, spawn().placement(placement));
    let pool = pool.limits(limits).start().await?;
    assert!(pool.all_ready().await);
    Ok(pool)
}

#[pulsar::test]
async fn they_share_the_arbiters_loop_on_the_main_thread_of_the_master_process() -> Result<()> {
    for placement in WORKERS {
        let pool = crew(placement).await?;
        let own = find("arbiter").await?;
        let shared = place_of(&own).await?;
        assert_eq!(place_of(pool.proxy()).await?, shared, "{placement}");
        assert_eq!(place_now(), shared);
        for worker in ["crew-1", "crew-2"] {
            let place = place_of(&find(worker).await?).await?;
            assert_ne!(place, shared, "{placement}: {worker} has its own");
        }
        arbiter().stop_actor(pool.proxy()).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn elsewhere_none_is_started_nor_one_whose_workers_would_share_that_loop() -> Result<()> {
    for placement in WORKERS {
        let actor = spawn().placement(placement).await?;
        let begin = |_cx, ()| async {
            let started = Pool::new("crew", 1, spawn()).start().await;
            started.map(|pool| pool.proxy().clone())
        };
        let refused = run(&actor, begin, ()).await?;
        let is_typed = matches!(refused, Err(SpawnError::Unsupported { .. }));
        assert!(is_typed, "{placement}: {refused:?}");
    }
    let refused = Pool::new("crew", 1, spawn().task()).start().await;
    let is_typed = matches!(refused, Err(SpawnError::Unsupported { .. }));
    assert!(is_typed, "{refused:?}");
    Ok(())
}

#[pulsar::test]
async fn they_are_actors() -> Result<()> {
    let pool = crew(Placement::Process).await?;
    assert_eq!(send(pool.proxy(), ping, ()).await?, "pong");
    assert_eq!(send("crew", echo, "Hello!").await?, "Hello!");
    let shown = send("crew", info, ()).await?.actor;
    assert_eq!((&*shown.name, shown.state), ("crew", State::Running));
    assert_eq!(shown.id, pool.proxy().aid().to_string());
    let again = Pool::new("crew", 1, spawn()).start().await;
    assert!(matches!(again, Err(SpawnError::NameTaken { .. })));
    Ok(())
}

#[pulsar::test]
async fn they_have_a_periodic_task_that_comes_again_and_again() -> Result<()> {
    let pool = crew(Placement::Thread).await?;
    let period = ("period_s".to_owned(), 0.002.into());
    send(pool.proxy(), config_set, period).await?;
    let next = async || Ok::<_, Error>(send("crew", info, ()).await?.actor.next_periodic_task_s);
    for _ in 0..2 {
        // Time only takes from what is left, so that more is left only after another run.
        let mut least = f64::INFINITY;
        loop {
            match next().await? {
                Some(left) if left > least => break,
                Some(left) => least = left,
                None => {}
            }
        }
    }
    Ok(())
}

fn workers() -> Vec<ActorStatus> {
    let all = arbiter().actors().into_iter();
    all.filter(|actor| actor.role == Role::Worker).collect()
}

#[pulsar::test]
async fn they_manage_as_many_workers_as_they_were_told() -> Result<()> {
    for placement in WORKERS {
        let pool = crew(placement).await?;
        let listed = send("crew", actors, ()).await?;
        let names: Vec<_> = listed.iter().map(|worker| &*worker.name).collect();
        assert_eq!(names, ["crew-1", "crew-2"], "{placement}");
        for worker in &listed {
            assert_eq!(worker.monitor.as_deref(), Some("crew"), "{placement}");
            assert_eq!(worker.placement, placement);
            assert_eq!(worker.state, State::Running, "{placement}");
        }
        let aids = |of: &[ActorStatus]| of.iter().map(|it| it.aid).collect::<Vec<_>>();
        assert_eq!(
            aids(&workers()),
            aids(&listed),
            "{placement}: and no others"
        );
        arbiter().stop_actor(pool.proxy()).await?;
        assert_eq!(workers(), [], "{placement}");
    }
    Ok(())
}

/// The worker in this place once it lives its next life.
async fn replaced(before: &ActorStatus) -> ActorStatus {
    // Rather than for ever.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < deadline, "{} is not replaced", before.name);
        let mut workers = workers().into_iter();
        let now = workers.find(|worker| worker.aid == before.aid);
        let now = now.expect("its place is kept");
        if now.incarnation > before.incarnation && now.state == State::Running {
            return now;
        }
        tokio::task::yield_now().await;
    }
}

#[pulsar::test]
async fn they_replace_a_worker_that_was_killed() -> Result<()> {
    for placement in WORKERS {
        let pool = crew(placement).await?;
        let before = workers();
        let victim = &before[0];
        let pid = victim.pid.expect("it lives");
        match placement {
            // By somebody else.
            Placement::Process => {
                let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
                kill_process(pid.expect("it is a pid"), Signal::KILL)?;
            }
            _ => arbiter().kill_actor(victim.aid).await?,
        }
        let after = replaced(victim).await;
        assert_eq!((&*after.name, after.restarts), ("crew-1", 1), "{placement}");
        let last = after.last_exit.expect("it has had a predecessor");
        if placement == Placement::Process {
            assert_ne!(after.pid, Some(pid));
            assert_eq!(last.pid, Some(pid));
            assert!(matches!(last.cause, Cause::Signal { signal: 9, .. }));
        }
        // Under its id and its name, and the other is as it was.
        assert_eq!(send(victim.aid, ping, ()).await?, "pong", "{placement}");
        assert_eq!(send("crew-1", ping, ()).await?, "pong", "{placement}");
        assert_eq!(workers()[1].incarnation, before[1].incarnation);
        arbiter().stop_actor(pool.proxy()).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn they_replace_a_worker_that_was_told_to_stop() -> Result<()> {
    for placement in WORKERS {
        let pool = crew(placement).await?;
        let before = workers();
        send("crew-2", stop, ()).await?;
        let after = replaced(&before[1]).await;
        let last = after.last_exit.expect("it has had a predecessor");
        assert_eq!(last.cause, Cause::Stopped, "{placement}");
        arbiter().stop_actor(pool.proxy()).await?;
    }
    Ok(())
}

#[command]
async fn ask_monitor(_cx: Context) -> Result<(String, String)> {
    let name = send("monitor", info, ()).await?.actor.name;
    let found: Proxy = find("monitor").await?;
    Ok((name, found.aid().to_string()))
}

#[pulsar::test]
async fn monitor_is_to_a_worker_its_own_and_to_others_the_arbiter() -> Result<()> {
    let own = arbiter().aid().expect("it runs").to_string();
    for placement in WORKERS {
        let pool = crew(placement).await?;
        let other = Pool::new("other", 1, spawn().placement(placement));
        let other = other.start().await?;
        assert!(other.all_ready().await);
        for (worker, pool) in [("crew-1", &pool), ("crew-2", &pool), ("other-1", &other)] {
            let monitor = pool.proxy();
            let expected = (monitor.name().to_owned(), monitor.aid().to_string());
            assert_eq!(
                send(worker, ask_monitor, ()).await?,
                expected,
                "{placement}"
            );
        }
        for pool in [pool, other] {
            arbiter().stop_actor(pool.proxy()).await?;
        }
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let expected = ("arbiter".to_owned(), own.clone());
        assert_eq!(
            send(&actor, ask_monitor, ()).await?,
            expected,
            "{placement}"
        );
    }
    let here = send("monitor", info, ()).await?.actor.id;
    assert_eq!(here, own, "the arbiter's own");
    Ok(())
}
