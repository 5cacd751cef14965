//! The names of actors that begin anew, once they do not any more.

use std::path::PathBuf;

use pulsar::prelude::*;
use rustix::process::Signal;
use tokio::task::yield_now;

use crate::{pid, signal};

#[pulsar::test]
async fn the_name_of_a_kept_actor_is_free_once_it_was_stopped() -> Result<()> {
    for _ in 0..5 {
        let kept = spawn().name("kept").permanent().await?;
        arbiter().stop_actor(&kept).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn the_name_of_a_kept_actor_is_free_once_it_was_stopped_in_back_off() -> Result<()> {
    let kept = spawn().name("kept").permanent().await?;
    signal(send(&kept, pid, ()).await?, Signal::KILL)?;
    while arbiter()
        .actors()
        .iter()
        .all(|status| status.restarting.is_none())
    {
        yield_now().await;
    }
    arbiter().stop_actor(&kept).await?;
    spawn().name("kept").await?;
    Ok(())
}

/// Has a kept task in this thread that does not end by itself.
#[command]
async fn host_slow(_cx: Context, name: String) -> Result<(), Error> {
    async fn slowly(_cx: Context) -> Result<()> {
        std::future::pending().await
    }
    let task = spawn().name(name).task().permanent();
    task.stopping(slowly).await?;
    Ok(())
}

#[pulsar::test]
async fn the_name_of_a_kept_task_is_free_once_its_thread_has_ended() -> Result<()> {
    let thread = spawn().thread().await?;
    send(&thread, host_slow, "inside").await?;
    arbiter().stop_actor(&thread).await?;
    // Its place is given up where the thread's loop ends, a moment after the actor.
    loop {
        match spawn().name("inside").await {
            Ok(_) => return Ok(()),
            Err(SpawnError::NameTaken { .. }) => yield_now().await,
            Err(error) => return Err(error.into()),
        }
    }
}

#[pulsar::test]
async fn the_name_of_a_kept_actor_is_free_once_its_first_life_has_failed() -> Result<()> {
    async fn fail(_cx: Context, _: ()) -> Result<()> {
        Err(Error::msg("no"))
    }
    for _ in 0..5 {
        let spawned = spawn().name("failing").permanent().start(fail, ()).await;
        let Err(SpawnError::Died { .. }) = spawned else {
            return Err(Error::msg(format!("{spawned:?}")));
        };
    }
    Ok(())
}

#[pulsar::test]
async fn a_kept_actor_can_be_stopped_while_it_boots_again() -> Result<()> {
    /// The first life is ready at once; the others never are, and leave a mark.
    async fn boot(cx: Context, mark: PathBuf) -> Result<()> {
        if cx.incarnation().0 == 1 {
            return Ok(());
        }
        std::fs::write(mark, "")?;
        std::future::pending().await
    }
    let folder = tempfile::tempdir()?;
    let mark = folder.path().join("booting");
    let kept = spawn().name("kept").permanent();
    let kept = kept.start(boot, mark.clone()).await?;
    signal(send(&kept, pid, ()).await?, Signal::KILL)?;
    while !mark.exists() {
        yield_now().await;
    }
    arbiter().stop_actor(&kept).await?;
    spawn().name("kept").await?;
    Ok(())
}
