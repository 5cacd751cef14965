//! Processes that can open nothing more.

use integration_tests::{give_descriptors_back, use_up_descriptors};
use pulsar::prelude::*;

use crate::{Keeper, make, not_answered, sum};

#[command]
async fn use_up(_cx: Context) -> Result<usize, Error> {
    Ok(use_up_descriptors()?)
}

#[command]
async fn close_them(_cx: Context) {
    give_descriptors_back();
}

/// Asks for shared bytes when it can open nothing more, and again when it can. What each came to.
#[command]
async fn ask_without_room(_cx: Context, to: Proxy) -> Result<(Option<SendError>, usize), Error> {
    send(&to, ping, ()).await?;
    use_up_descriptors()?;
    let refused = send(&to, make, "made").await;
    give_descriptors_back();
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
    assert!(send(&keeper, use_up, ()).await? > 0);
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
