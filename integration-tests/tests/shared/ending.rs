//! Shared bytes outlive those who made them.

use pulsar::prelude::*;
use rustix::process::{Signal, getpid, kill_process};
use tokio::task::yield_now;

use crate::{Keeper, mapped};

/// Has another keep bytes of its making.
#[command]
async fn leave(_cx: Context, text: String, with: Proxy<Keeper>) -> Result<usize, Error> {
    let bytes = SharedBytes::copy_from(text.as_bytes())?;
    Ok(with.keep(bytes).await?)
}

#[command]
async fn die(_cx: Context) -> Result<(), Error> {
    kill_process(getpid(), Signal::KILL)?;
    std::future::pending().await
}

#[command]
async fn how_many_mapped(_cx: Context) -> Result<usize, Error> {
    mapped()
}

#[pulsar::test]
async fn a_receiver_reads_on_when_the_sender_has_died() -> Result<()> {
    let (sender, keeper) = (spawn().await?, Keeper::spawn().process().await?);
    let here = Keeper::spawn().thread().await?;
    for to in [&keeper, &here] {
        assert_eq!(
            send(&sender, leave, ("a legacy".to_owned(), to.clone())).await?,
            1
        );
    }
    send(&sender, die, ()).await.unwrap_err();
    while arbiter().find(&(&sender).into()).is_ok() {
        yield_now().await;
    }
    assert_eq!(keeper.last_as_text().await?, "a legacy");
    assert_eq!(here.last_as_text().await?, "a legacy");
    Ok(())
}

#[pulsar::test]
async fn what_the_last_holder_lets_go_is_mapped_no_more() -> Result<()> {
    let keeper = Keeper::spawn().process().await?;
    for _ in 0..10 {
        keeper.keep(SharedBytes::copy_from(b"x")?).await?;
    }
    assert_eq!(mapped()?, 0);
    assert_eq!(send(&keeper, how_many_mapped, ()).await?, 10);
    assert_eq!(keeper.forget().await?, 10);
    assert_eq!(send(&keeper, how_many_mapped, ()).await?, 0);
    Ok(())
}
