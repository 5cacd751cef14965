//! Ends that are final, by their cause.

use pulsar::prelude::*;
use pulsar::{Ending, Escalation};
use pulsar_testkit::Fault;

use crate::ledger::{names, quick, running};

/// Fails as it is told.
#[command(no_ack)]
fn fail(_cx: Context, how: String) {
    match how.parse::<Fault>() {
        Ok(fault) => fault.commit(),
        Err(error) => panic!("{error}"),
    }
}

/// Has the actor of this name fail, and waits until it has gone.
async fn fails(name: &str, how: &str) -> Result<Cause> {
    let arbiter = arbiter();
    let (ended, sent) = tokio::join!(arbiter.ended(name), send(name, fail, how.to_owned()));
    sent?;
    Ok(ended?)
}

#[pulsar::test]
async fn a_worker_that_ends_so_is_not_restarted_and_a_pool_without_any_gives_up() -> Result<()> {
    let pool = Pool::new("pool", 2, spawn().final_after([Ending::Code(3)]))
        .limits(quick())
        .escalation(Escalation::Tell)
        .start()
        .await?;
    assert!(pool.all_ready().await);
    assert_eq!(fails("pool-1", "exit").await?, Cause::Code(3));
    while names().contains(&"pool-1".to_owned()) {
        tokio::task::yield_now().await;
    }
    assert_eq!(pool.status().wanted, 1);
    // Of other ends it is restarted.
    assert!(matches!(
        fails("pool-2", "abort").await?,
        Cause::Signal { signal: 6, .. }
    ));
    running("pool-2", 2).await;
    // Somebody wants both again.
    assert_eq!(pool.scale(2).await?, 2);
    running("pool-1", 1).await;
    fails("pool-1", "exit").await?;
    fails("pool-2", "exit").await?;
    let reason = pool.gave_up().await;
    assert_eq!(reason.as_deref(), Some("every worker has ended for good"));
    Ok(())
}

#[pulsar::test]
async fn a_permanent_actor_that_ends_so_is_not_restarted() -> Result<()> {
    let actor = spawn().name("actor").permanent();
    let _ = actor
        .final_after([Ending::Code(3), Ending::AnySignal])
        .await?;
    assert_eq!(fails("actor", "exit").await?, Cause::Code(3));
    while !names().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(
        send("actor", ping, ()).await,
        Err(CallError::Send(SendError::UnknownActor { .. }))
    ));
    Ok(())
}
