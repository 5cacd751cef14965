//! Monitors inside monitors.

use pulsar::prelude::*;
use pulsar::{RestartLimits, Role};

use crate::ledger::{await_told, child, names, quick, running};

/// A monitor that gives up at its second restart.
fn touchy(name: &str) -> Monitor {
    Monitor::new(name).limits(RestartLimits {
        intensity: Some(1),
        ..quick()
    })
}

#[pulsar::test]
async fn a_tree_starts_in_order_and_stops_in_reverse_through_all_levels() -> Result<()> {
    let of = |name| child(name, Placement::Process);
    let inner = Monitor::new("inner").child(of("b")).child(of("c"));
    let innermost = Monitor::new("outer-2").child(Monitor::new("deep").child(of("d")));
    let monitor = Monitor::new("tree")
        .child(of("a"))
        .child(inner)
        .child(Pool::new("pool", 2, spawn()))
        .child(innermost)
        .child(of("e"))
        .start()
        .await?;
    assert!(monitor.all_ready().await);
    let actors = arbiter().actors();
    let row = |name: &str| actors.iter().find(|actor| actor.name == name).cloned();
    let inner = row("inner").expect("it is there");
    assert_eq!(
        (inner.role, inner.monitor.as_deref()),
        (Role::Monitor, Some("tree"))
    );
    assert_eq!(
        row("d").and_then(|row| row.monitor).as_deref(),
        Some("deep")
    );
    assert_eq!(
        row("pool-2").and_then(|row| row.monitor).as_deref(),
        Some("pool")
    );
    arbiter().stop_actor("tree").await?;
    await_told("+a1 +b1 +c1 +d1 +e1 -e -d -c -b -a").await;
    assert_eq!(names(), [""; 0]);
    Ok(())
}

#[pulsar::test]
async fn a_monitor_that_gives_up_is_restarted_by_the_one_above_in_its_places() -> Result<()> {
    let monitor = Monitor::new("tree")
        .strategy(Strategy::RestForOne)
        .limits(quick())
        .child(child("before", Placement::Process))
        .child(
            touchy("inner")
                .child(child("b", Placement::Process))
                .child(child("c", Placement::Process)),
        )
        .child(child("after", Placement::Process))
        .start()
        .await?;
    assert!(monitor.all_ready().await);
    await_told("+before1 +b1 +c1 +after1").await;
    let places = [
        running("inner", 1).await.aid,
        running("b", 1).await.aid,
        running("c", 1).await.aid,
    ];
    arbiter().kill_actor("c").await?;
    running("c", 2).await;
    await_told("+c2").await;
    // Once more is too often: it stops what is left and ends, and the monitor above restarts it.
    arbiter().kill_actor("c").await?;
    let inner = running("inner", 2).await;
    let exit = inner.last_exit.expect("it had a life before");
    assert_eq!(
        exit.cause,
        Cause::Failed("over 1 restarts in 60s".to_owned())
    );
    let again = [
        inner.aid,
        running("b", 2).await.aid,
        running("c", 3).await.aid,
    ];
    assert_eq!(again, places, "proxies go on meaning them");
    await_told("-b -after +b2 +c3 +after2").await;
    assert!(monitor.all_ready().await);
    arbiter().stop_actor("tree").await?;
    await_told("-after -c -b -before").await;
    Ok(())
}

#[pulsar::test]
async fn a_killed_inner_monitor_takes_its_children_along_and_begins_anew() -> Result<()> {
    let monitor = Monitor::new("tree")
        .limits(quick())
        .child(child("a", Placement::Process))
        .child(
            Monitor::new("inner")
                .limits(quick())
                .child(child("b", Placement::Process)),
        )
        .start()
        .await?;
    assert!(monitor.all_ready().await);
    let before = running("b", 1).await.pid;
    arbiter().kill_actor("inner").await?;
    running("inner", 2).await;
    assert!(monitor.all_ready().await);
    let actors = arbiter().actors();
    let b = actors
        .iter()
        .find(|actor| actor.name == "b")
        .expect("it is there again");
    assert!(b.pid.is_some() && b.pid != before);
    arbiter().kill_actor("tree").await?;
    assert_eq!(names(), [""; 0]);
    Ok(())
}

#[pulsar::test]
async fn an_operators_stop_of_an_inner_monitor_stays() -> Result<()> {
    let monitor = Monitor::new("tree")
        .limits(quick())
        .child(child("a", Placement::Process))
        .child(Monitor::new("inner").child(child("b", Placement::Process)))
        .child(child("c", Placement::Process))
        .start()
        .await?;
    assert!(monitor.all_ready().await);
    arbiter().stop_actor("inner").await?;
    await_told("+a1 +b1 +c1 -b").await;
    assert_eq!(names(), ["tree", "a", "c"]);
    assert_eq!(monitor.status().wanted, 2);
    Ok(())
}

#[pulsar::test]
async fn giving_up_climbs_through_the_levels() -> Result<()> {
    let inner = touchy("inner").child(child("x", Placement::Process));
    let middle = touchy("middle").child(inner);
    let top = touchy("top")
        .escalation(pulsar::Escalation::Tell)
        .child(child("a", Placement::Process))
        .child(middle)
        .start()
        .await?;
    assert!(top.all_ready().await);
    // Each level bears one restart: 2 × 2 × 2 deaths.
    for life in 1..=8 {
        running("x", life).await;
        arbiter().kill_actor("x").await?;
    }
    assert_eq!(
        top.gave_up().await.as_deref(),
        Some("over 1 restarts in 60s")
    );
    while !names().is_empty() {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[pulsar::test]
async fn what_operators_have_set_outlives_a_restart_of_the_monitor() -> Result<()> {
    let pool = Pool::new("pool", 1, spawn()).limits(quick());
    let inner = Monitor::new("inner")
        .limits(quick())
        .child(child("b", Placement::Process))
        .child(child("c", Placement::Process));
    let tree = Monitor::new("tree")
        .limits(quick())
        .child(pool)
        .child(inner);
    let tree = tree.start().await?;
    assert!(tree.all_ready().await);
    arbiter().scale("pool", 3).await?;
    arbiter().stop_actor("b").await?;
    for monitor in ["pool", "inner"] {
        arbiter().kill_actor(monitor).await?;
        running(monitor, 2).await;
    }
    assert!(tree.all_ready().await);
    let mut left = names();
    left.sort();
    assert_eq!(
        left,
        ["c", "inner", "pool", "pool-1", "pool-2", "pool-3", "tree"]
    );
    // And a smaller size leaves no place behind.
    arbiter().scale("pool", 1).await?;
    arbiter().kill_actor("pool").await?;
    running("pool", 3).await;
    assert!(tree.all_ready().await);
    left = names();
    left.sort();
    assert_eq!(left, ["c", "inner", "pool", "pool-1", "tree"]);
    Ok(())
}

#[pulsar::test]
async fn a_child_is_stopped_also_while_its_monitor_waits_to_begin_anew() -> Result<()> {
    let slow = RestartLimits {
        first_delay: std::time::Duration::from_secs(1),
        jitter: 0.0,
        ..RestartLimits::default()
    };
    let inner = touchy("inner")
        .child(child("b", Placement::Process))
        .child(child("c", Placement::Process));
    let tree = Monitor::new("tree")
        .limits(slow)
        .child(inner)
        .start()
        .await?;
    assert!(tree.all_ready().await);
    for life in 1..=2 {
        running("c", life).await;
        arbiter().kill_actor("c").await?;
    }
    // It gives up, and begins anew in a second.
    while tree.status().living > 0 {
        tokio::task::yield_now().await;
    }
    arbiter().stop_actor("b").await?;
    running("inner", 2).await;
    assert!(tree.all_ready().await);
    let mut left = names();
    left.sort();
    assert_eq!(left, ["c", "inner", "tree"]);
    Ok(())
}

#[pulsar::test]
async fn a_top_monitor_that_is_killed_leaves_no_name_behind() -> Result<()> {
    for _ in 0..2 {
        let pool = Pool::new(
            "pool",
            20,
            spawn().exit_timeout(std::time::Duration::from_secs(5)),
        );
        let pool = pool.start().await?;
        assert!(pool.all_ready().await);
        arbiter().kill_actor("pool").await?;
        while !names().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}
