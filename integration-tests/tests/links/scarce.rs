//! Processes that can open nothing more.

use integration_tests::{give_descriptors_back, use_up_descriptors};
use pulsar::prelude::*;

use crate::{double, not_answered};

#[command]
async fn use_up(_cx: Context) -> Result<usize, Error> {
    Ok(use_up_descriptors()?)
}

#[command]
async fn close_them(_cx: Context) {
    give_descriptors_back();
}

#[command]
async fn ask_double(_cx: Context, to: Proxy) -> Result<u32, SendError> {
    send(&to, double, 21).await.map_err(not_answered)
}

#[pulsar::test]
async fn an_actor_without_free_descriptors_survives_being_sought() -> Result<()> {
    let (asker, target) = (spawn().await?, spawn().await?);
    assert!(send(&target, use_up, ()).await? > 0);
    let asked = send(&asker, ask_double, target.clone()).await;
    // It has been passed a link by then, which it could not take.
    let Err(CallError::Command(error)) = asked else {
        return Err(Error::msg(format!("{asked:?}")));
    };
    assert_ne!(error.kind(), "Timeout");
    // Behind that, on the same link.
    assert_eq!(send(&target, double, 1).await?, 2);
    send(&target, close_them, ()).await?;
    assert_eq!(send(&asker, ask_double, target).await?, 42);
    Ok(())
}

#[pulsar::test]
async fn an_actor_without_free_descriptors_is_told_so_when_it_seeks() -> Result<()> {
    let (asker, target) = (spawn().await?, spawn().await?);
    assert!(send(&asker, use_up, ()).await? > 0);
    let asked = send(&asker, ask_double, target.clone()).await;
    let Err(CallError::Command(SendError::Refused { reason })) = asked else {
        return Err(Error::msg(format!("{asked:?}")));
    };
    assert!(reason.contains("too many open files"), "{reason}");
    send(&asker, close_them, ()).await?;
    assert_eq!(send(&asker, ask_double, target).await?, 42);
    Ok(())
}
