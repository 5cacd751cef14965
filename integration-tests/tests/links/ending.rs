//! What a stopping process still owes, and what is learnt when one is dead.

use std::process::{Command, Stdio};

use pulsar::prelude::*;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Signal;
use tokio::task::yield_now;

use crate::sockets::own_sockets;
use crate::{double, killed, never, not_answered, pid, ready, signal};

/// Far more than a socket takes at once.
const LARGE_BYTES: usize = 8 << 20;

/// Replies when its actor has been asked to stop, and not before.
#[command]
async fn owe(cx: Context, bytes: usize) -> String {
    cx.set_extra("ready", true);
    cx.stop_asked().await;
    "x".repeat(bytes)
}

#[command]
async fn ask_owing(_cx: Context, to: Proxy, bytes: usize) -> Result<usize, Error> {
    Ok(send(&to, owe, bytes).await?.len())
}

/// Stops an actor while it owes another a reply of so many bytes.
async fn owed(bytes: usize) -> Result<()> {
    let (asker, target) = (spawn().await?, spawn().await?);
    let asking = send(&asker, ask_owing, (target.clone(), bytes));
    let asking = tokio::spawn(asking.into_future());
    ready(&target).await?;
    arbiter().stop_actor(&target).await?;
    assert_eq!(asking.await??, bytes);
    Ok(())
}

#[pulsar::test]
async fn a_large_reply_that_a_stopping_actor_owes_over_a_direct_link_comes() -> Result<()> {
    owed(LARGE_BYTES).await
}

#[pulsar::test]
async fn a_small_reply_that_a_stopping_actor_owes_over_a_direct_link_comes() -> Result<()> {
    owed(8).await
}

#[pulsar::test]
async fn a_large_reply_that_a_stopping_actor_owes_the_arbiters_process_comes() -> Result<()> {
    let target = spawn().await?;
    let asking = tokio::spawn(send(&target, owe, LARGE_BYTES).into_future());
    ready(&target).await?;
    arbiter().stop_actor(&target).await?;
    assert_eq!(asking.await??.len(), LARGE_BYTES);
    Ok(())
}

/// Asks an actor that dies meanwhile, and then its next life; how the first ended, and what the
/// second says.
#[command]
async fn outlast(_cx: Context, to: Proxy) -> Result<(SendError, u32), Error> {
    let Err(end) = send(&to, never, ()).await else {
        return Err(Error::msg("answered"));
    };
    loop {
        match send(&to, double, 21).await.map_err(not_answered) {
            Ok(doubled) => return Ok((not_answered(end), doubled)),
            Err(SendError::Timeout { after }) => return Err(SendError::Timeout { after }.into()),
            // Its next life has not begun.
            Err(_) => yield_now().await,
        }
    }
}

/// Leaves all sockets of this process to a program that outlives it, as a `fork` would; the
/// program's pid.
async fn leave_sockets(_cx: Context, _: ()) -> Result<u32> {
    let sockets = own_sockets()?;
    for socket in &sockets {
        fcntl_setfd(socket, FdFlags::empty())?;
    }
    let heir = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(heir.id())
}

#[pulsar::test]
async fn a_death_is_learnt_although_a_descendant_of_the_dead_holds_its_sockets() -> Result<()> {
    let (asker, target) = (spawn().await?, spawn().permanent().await?);
    let its_pid = send(&target, pid, ()).await?;
    let asking = tokio::spawn(send(&asker, outlast, target.clone()).into_future());
    ready(&target).await?;
    let heir = run(&target, leave_sockets, ()).await??;
    signal(its_pid, Signal::KILL)?;
    let learnt = asking.await?;
    signal(heir, Signal::KILL)?;
    assert_eq!(learnt?, (killed(), 42));
    Ok(())
}
