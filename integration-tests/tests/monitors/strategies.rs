//! Who begins anew with a child that does, and who does not.

use pulsar::prelude::*;
use pulsar::{Escalation, RestartLimits};

use crate::ledger::{await_told, child, names, quick, running};

/// Kills `victim` among three, and expects this.
async fn killed(
    strategy: Strategy,
    placement: Placement,
    victim: &str,
    expected: &str,
) -> Result<()> {
    let monitor = Monitor::new("tree")
        .strategy(strategy)
        .limits(quick())
        .child(child("a", placement))
        .child(child("b", placement))
        .child(child("c", placement))
        .start()
        .await?;
    assert!(monitor.all_ready().await);
    await_told("+a1 +b1 +c1").await;
    let place = running(victim, 1).await.aid;
    arbiter().kill_actor(victim).await?;
    let again = running(victim, 2).await;
    assert_eq!((again.aid, again.restarts), (place, 1));
    let last = again.last_exit.map(|exit| exit.cause);
    // The same in each placement: a transient one would be restarted too.
    assert!(
        matches!(last, Some(Cause::Signal { signal: 9, .. })),
        "{last:?}"
    );
    await_told(expected).await;
    assert!(monitor.all_ready().await);
    arbiter().stop_actor(monitor.proxy()).await?;
    await_told("-c -b -a").await;
    Ok(())
}

#[pulsar::test]
async fn one_for_one_restarts_the_one_that_ended() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread, Placement::Task] {
        killed(Strategy::OneForOne, placement, "b", "+b2").await?;
    }
    Ok(())
}

#[pulsar::test]
async fn one_for_all_stops_the_others_in_reverse_and_starts_all_in_order() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread, Placement::Task] {
        killed(Strategy::OneForAll, placement, "b", "-c -a +a2 +b2 +c2").await?;
    }
    Ok(())
}

#[pulsar::test]
async fn rest_for_one_restarts_those_after_it_too() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread, Placement::Task] {
        killed(Strategy::RestForOne, placement, "b", "-c +b2 +c2").await?;
    }
    Ok(())
}

#[pulsar::test]
async fn permanent_transient_and_temporary_children_end_for_good_or_not() -> Result<()> {
    let of = |name| child(name, Placement::Process);
    let monitor = Monitor::new("tree")
        .limits(quick())
        .child(of("permanent"))
        .child(of("transient").transient())
        .child(of("temporary").temporary())
        .start()
        .await?;
    assert!(monitor.all_ready().await);
    await_told("+permanent1 +transient1 +temporary1").await;
    // Ended in order, by themselves.
    send("transient", stop, ()).await?;
    await_told("-transient").await;
    send("permanent", stop, ()).await?;
    running("permanent", 2).await;
    await_told("-permanent +permanent2").await;
    while names().contains(&"transient".to_owned()) {
        tokio::task::yield_now().await;
    }
    // And not in order.
    arbiter().kill_actor("temporary").await?;
    arbiter().kill_actor("permanent").await?;
    running("permanent", 3).await;
    await_told("+permanent3").await;
    assert_eq!(names(), ["tree", "permanent"]);
    arbiter().stop_actor(monitor.proxy()).await?;
    await_told("-permanent").await;

    for placement in [Placement::Process, Placement::Thread, Placement::Task] {
        let monitor = Monitor::new("tree")
            .limits(quick())
            .child(child("transient", placement).transient())
            .start()
            .await?;
        assert!(monitor.all_ready().await);
        arbiter().kill_actor("transient").await?;
        running("transient", 2).await;
        arbiter().stop_actor(monitor.proxy()).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn fault_10_a_monitor_gives_up_at_its_intensity_and_stops_the_rest() -> Result<()> {
    let limits = RestartLimits {
        intensity: Some(3),
        ..quick()
    };
    let monitor = Monitor::new("tree")
        .limits(limits)
        .escalation(Escalation::Tell)
        .child(child("steady", Placement::Process))
        .child(child("crashing", Placement::Process))
        .start()
        .await?;
    for life in 1..=4 {
        running("crashing", life).await;
        arbiter().kill_actor("crashing").await?;
    }
    let reason = monitor.gave_up().await;
    assert_eq!(reason.as_deref(), Some("over 3 restarts in 60s"));
    let ended = arbiter().ended(monitor.proxy()).await;
    let failed = Cause::Failed("over 3 restarts in 60s".to_owned());
    // Known or, when it is gone already, not.
    assert!(
        matches!(&ended, Ok(cause) if *cause == failed) || ended.is_err(),
        "{ended:?}"
    );
    await_told("+steady1 +crashing1 +crashing2 +crashing3 +crashing4 -steady").await;
    while !names().is_empty() {
        tokio::task::yield_now().await;
    }
    Ok(())
}
