//! Processes that can open nothing more.

use std::fs::File;
use std::sync::{Mutex, PoisonError};

use pulsar::prelude::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{Keeper, make, not_answered, sum};

static FILES: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// Descriptors that a process may have here: more than it has, and soon used up.
const LIMIT: u64 = 256;

#[command]
async fn use_up_descriptors(_cx: Context) -> Result<usize, Error> {
    use_up()
}

fn use_up() -> Result<usize> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(LIMIT);
    setrlimit(Resource::Nofile, Rlimit { current, maximum })?;
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    Ok(files.len())
}

#[command]
async fn close_them(_cx: Context) {
    close_all();
}

fn close_all() {
    FILES.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// Asks for shared bytes when it can open nothing more, and again when it can. What each came to.
#[command]
async fn ask_without_room(_cx: Context, to: Proxy) -> Result<(Option<SendError>, usize), Error> {
    send(&to, ping, ()).await?;
    use_up()?;
    let refused = send(&to, make, "made").await;
    close_all();
    let refused = match refused {
        Err(CallError::Send(error)) => Some(error),
        Ok(_) | Err(CallError::Command(_)) => None,
    };
    Ok((refused, send(&to, make, "made").await?.len()))
}

fn is_told(error: &SendError) -> bool {
    matches!(error, SendError::Refused { reason } if reason.contains("open files"))
}

#[pulsar::test]
async fn a_receiver_without_free_descriptors_refuses_and_lives_on() -> Result<()> {
    let keeper = Keeper::spawn().process().await?;
    let bytes = SharedBytes::copy_from(b"too many")?;
    assert!(send(&keeper, use_up_descriptors, ()).await? > 0);
    let asked = send(&keeper, sum, bytes.clone())
        .await
        .map_err(not_answered);
    let error = asked.unwrap_err();
    assert!(is_told(&error), "{error}");
    // Behind that, on the same link.
    let before = send(&keeper, info, ()).await?.mailbox;
    keeper.take(bytes.clone()).await?;
    keeper.take(SharedBytes::default()).await?;
    assert_eq!(keeper.last_as_text().await?, "");
    let after = send(&keeper, info, ()).await?.mailbox;
    assert_eq!(after.dead_letters, before.dead_letters + 1);
    send(&keeper, close_them, ()).await?;
    assert_eq!(keeper.keep(bytes).await?, 2);
    assert_eq!(keeper.last_as_text().await?, "too many");
    Ok(())
}

#[pulsar::test]
async fn an_asker_without_free_descriptors_is_told_so_and_can_ask_again() -> Result<()> {
    let (asker, process) = (spawn().await?, spawn().await?);
    for to in [process, spawn().thread().await?] {
        let (refused, made) = send(&asker, ask_without_room, to).await?;
        assert!(refused.as_ref().is_some_and(is_told), "{refused:?}");
        assert_eq!(made, 4);
    }
    Ok(())
}
