//! In which order children start and stop.

use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{ActorStatus, Child, Role};

use tokio::sync::Semaphore;

use crate::ledger::{await_told, child, names, quick, running, told};

const PLACEMENTS: [Placement; 3] = [Placement::Process, Placement::Thread, Placement::Task];

/// A start that lasts until the actor `gate` lets it go on.
async fn waits_for_release(cx: Context, _: ()) -> Result<()> {
    crate::ledger::begin(cx.clone(), ()).await?;
    Ok(send("gate", released, ()).await?)
}

/// A permit lets one start go on.
static RELEASE: Semaphore = Semaphore::const_new(0);

#[command]
async fn released(_cx: Context) -> Result<()> {
    RELEASE.acquire().await?.forget();
    Ok(())
}

/// It is not the arbiter that waits: it takes the notes of the others.
async fn gate() -> Result<Proxy> {
    Ok(spawn().name("gate").task().await?)
}

#[pulsar::test]
async fn children_start_in_order_and_stop_in_reverse() -> Result<()> {
    for placement in PLACEMENTS {
        let monitor = Monitor::new("tree")
            .child(child("a", placement))
            .child(child("b", placement))
            .child(child("c", placement))
            .start()
            .await?;
        assert!(monitor.all_ready().await);
        let actors = arbiter().actors();
        let row = |actor: &ActorStatus| (actor.name.clone(), actor.role, actor.monitor.clone());
        let mut rows: Vec<_> = actors[1..].iter().map(row).collect();
        rows.sort_by_key(|(name, ..)| name.clone());
        let worker = |name: &str| (name.to_owned(), Role::Worker, Some("tree".to_owned()));
        assert_eq!(rows[..3], ["a", "b", "c"].map(worker));
        assert_eq!(rows[3..], [("tree".to_owned(), Role::Monitor, None)]);
        arbiter().stop_actor(monitor.proxy()).await?;
        await_told("+a1 +b1 +c1 -c -b -a").await;
        assert_eq!(names(), [""; 0]);
    }
    Ok(())
}

#[pulsar::test]
async fn a_child_waits_until_those_before_it_are_ready() -> Result<()> {
    let _ = gate().await?;
    let slow = spawn().name("slow").start(waits_for_release, ());
    let monitor = Monitor::new("tree")
        .child(slow)
        .child(child("next", Placement::Task))
        .start()
        .await?;
    while told() != "+slow1" {
        tokio::task::yield_now().await;
    }
    // It has begun and is not ready; a ping to all others shows that they had the time.
    assert_eq!(send("arbiter", ping, ()).await?, "pong");
    assert_eq!(names(), ["gate", "tree", "slow"]);
    RELEASE.add_permits(1);
    assert!(monitor.all_ready().await);
    await_told("+slow1 +next1").await;
    Ok(())
}

#[pulsar::test]
async fn fault_12_a_monitor_that_is_stopped_while_a_child_starts_leaves_nobody() -> Result<()> {
    let gate = gate().await?;
    let monitor = Monitor::new("tree")
        .child(child("first", Placement::Process))
        .child(spawn().name("slow").start(waits_for_release, ()))
        .child(child("never", Placement::Process))
        .start()
        .await?;
    while !told().contains("+slow1") {
        tokio::task::yield_now().await;
    }
    arbiter().stop_actor(monitor.proxy()).await?;
    await_told("+first1 +slow1 -first").await;
    arbiter().kill_actor(&gate).await?;
    assert_eq!(names(), [""; 0]);
    Ok(())
}

async fn deaf(cx: Context, _: ()) -> Result<()> {
    crate::ledger::begin(cx.clone(), ()).await?;
    cx.spawn(std::future::pending::<()>());
    Ok(())
}

#[pulsar::test]
async fn fault_05_a_child_that_does_not_stop_is_killed_and_the_rest_stop_in_order() -> Result<()> {
    let grace = Duration::from_millis(300);
    let monitor = Monitor::new("tree")
        .child(child("first", Placement::Process))
        .child(spawn().name("deaf").exit_timeout(grace).start(deaf, ()))
        .child(child("last", Placement::Process))
        .start()
        .await?;
    assert!(monitor.all_ready().await);
    arbiter().stop_actor(monitor.proxy()).await?;
    await_told("+first1 +deaf1 +last1 -last -first").await;
    Ok(())
}

#[pulsar::test]
async fn an_operators_stop_of_a_child_stays_and_concerns_nobody_else() -> Result<()> {
    for strategy in [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ] {
        let monitor = Monitor::new("tree")
            .strategy(strategy)
            .limits(quick())
            .child(child("a", Placement::Process))
            .child(child("b", Placement::Process))
            .child(child("c", Placement::Process))
            .start()
            .await?;
        assert!(monitor.all_ready().await);
        let before = [running("a", 1).await.pid, running("c", 1).await.pid];
        arbiter().stop_actor("b").await?;
        await_told("+a1 +b1 +c1 -b").await;
        let status = monitor.status();
        assert_eq!((status.wanted, status.size), (2, 3), "{strategy:?}");
        assert!(matches!(
            send("b", ping, ()).await,
            Err(CallError::Send(SendError::UnknownActor { .. }))
        ));
        assert_eq!(
            [running("a", 1).await.pid, running("c", 1).await.pid],
            before
        );
        // The strategy leaves it where it is, too.
        arbiter().kill_actor("a").await?;
        let again = match strategy {
            Strategy::OneForOne => "+a2",
            Strategy::OneForAll | Strategy::RestForOne => "-c +a2 +c2",
        };
        await_told(again).await;
        assert!(monitor.all_ready().await);
        arbiter().stop_actor(monitor.proxy()).await?;
        await_told("-c -a").await;
    }
    Ok(())
}

#[pulsar::test]
async fn what_is_wrong_with_a_description_is_told_before_anybody_starts() -> Result<()> {
    let refused = Monitor::new("tree")
        .child(child("a", Placement::Task))
        .child(Child::from(
            Monitor::new("inner").child(spawn().thread_workers(0)),
        ))
        .start()
        .await;
    assert!(
        matches!(refused, Err(SpawnError::Limit { .. })),
        "{refused:?}"
    );
    let tasks = Monitor::new("tree").child(Pool::new("pool", 1, spawn().task()));
    let refused = tasks.start().await;
    assert!(
        matches!(refused, Err(SpawnError::Unsupported { .. })),
        "{refused:?}"
    );
    let refused = Pool::new("pool", 100_000, spawn()).start().await;
    assert!(
        matches!(refused, Err(SpawnError::Limit { .. })),
        "{refused:?}"
    );
    let twice = Monitor::new("tree")
        .child(spawn().name("a"))
        .child(spawn().name("a"));
    let refused = twice.start().await;
    assert!(
        matches!(refused, Err(SpawnError::NameTaken { .. })),
        "{refused:?}"
    );
    let long = "p".repeat(62);
    let refused = Monitor::new("tree")
        .child(Pool::new(long, 1, spawn()))
        .start()
        .await;
    assert!(
        matches!(refused, Err(SpawnError::BadName { .. })),
        "{refused:?}"
    );
    let too_little = Monitor::new("tree")
        .child(spawn().memory_max(1))
        .start()
        .await;
    assert!(
        matches!(too_little, Err(SpawnError::Limit { .. })),
        "{too_little:?}"
    );
    let refused = Monitor::new("not a name").start().await;
    assert!(
        matches!(refused, Err(SpawnError::BadName { .. })),
        "{refused:?}"
    );
    assert_eq!(told(), "");
    assert_eq!(names(), [""; 0]);
    Ok(())
}

/// Tries to start a monitor here.
#[command]
async fn start_monitor(_cx: Context) -> String {
    let started = Monitor::new("elsewhere").start().await;
    started.map_or_else(|error| error.to_string(), |_| "started".to_owned())
}

#[pulsar::test]
async fn a_monitor_starts_on_the_arbiters_loop_only() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread] {
        let actor = spawn().placement(placement).await?;
        let said = send(&actor, start_monitor, ()).await?;
        assert!(said.contains("on the arbiter's loop"), "{said}");
    }
    let task = spawn().task().await?;
    assert_eq!(send(&task, start_monitor, ()).await?, "started");
    Ok(())
}
