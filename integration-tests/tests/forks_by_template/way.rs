//! Which way a process is made.

use pulsar::prelude::*;
use pulsar::{Pool, Role};

use crate::{layout, layout_here, template};

#[pulsar::test]
async fn a_process_actor_is_a_fork() -> Result<()> {
    let actor = spawn().await?;
    assert_eq!(send(&actor, layout, ()).await?, layout_here());
    Ok(())
}

#[pulsar::test]
async fn an_actor_that_is_to_be_made_by_exec_is_no_fork() -> Result<()> {
    let (one, other) = (spawn().exec().await?, spawn().exec().await?);
    let (one, other) = (
        send(&one, layout, ()).await?,
        send(&other, layout, ()).await?,
    );
    // By chance two layouts are the same, once in millions of times.
    assert!(one != layout_here() && other != layout_here() && one != other);
    let pool = Pool::new("pool", 1, spawn().name("worker").exec())
        .start()
        .await?;
    assert!(pool.all_ready().await);
    let worker = arbiter()
        .actors()
        .into_iter()
        .find(|actor| actor.role == Role::Worker);
    let worker = worker.ok_or_else(|| Error::msg("no worker"))?.aid;
    assert_ne!(send(worker, layout, ()).await?, layout_here());
    Ok(())
}

#[pulsar::test]
async fn the_template_is_no_actor() -> Result<()> {
    let template = template().ok_or_else(|| Error::msg("no template"))?;
    let actor = spawn().await?;
    let pids: Vec<_> = arbiter()
        .actors()
        .iter()
        .filter_map(|actor| actor.pid)
        .collect();
    assert_eq!(pids.len(), 2);
    assert!(!pids.contains(&template.as_raw().unsigned_abs()));
    arbiter().stop_actor(&actor).await?;
    Ok(())
}
