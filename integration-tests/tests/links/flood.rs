//! A sender that is faster than its reader, which does not read at all.

use pulsar::prelude::*;
use rustix::process::Signal;
use tokio::task::yield_now;

use crate::{pid, signal};

/// Bytes of each message.
const MESSAGE_BYTES: usize = 1024;
/// Messages that are to be sent: 64 MiB in all.
const MESSAGES: u32 = 65_536;
/// What a sender may have come to need while its reader stood still: a window of credit, the
/// outbox, and what the allocator keeps. Far less than the messages.
const ROOM_BYTES: u64 = 16 << 20;

#[command(no_ack)]
async fn swallow(cx: Context, message: Vec<u8>) {
    let swallowed = cx
        .info()
        .extra
        .0
        .get("bytes")
        .and_then(serde_json::Value::as_u64);
    cx.set_extra("bytes", swallowed.unwrap_or(0) + message.len() as u64);
}

/// Floods `to`, which has been stopped, and says by how much this process has grown meanwhile.
#[command]
async fn flood(cx: Context, to: Proxy, messages: u32) -> Result<(), Error> {
    for number in 0..messages {
        send(&to, swallow, vec![1; MESSAGE_BYTES]).await?;
        cx.set_extra("sent", number + 1);
    }
    Ok(())
}

fn rss(about: &Info) -> u64 {
    about.system.map_or(0, |system| system.rss_bytes)
}

async fn sent(actor: &Proxy) -> Result<u64> {
    let about = send(actor, info, ()).await?;
    Ok(about
        .extra
        .0
        .get("sent")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or(0))
}

#[pulsar::test]
async fn a_sender_waits_for_a_stopped_reader_and_its_memory_stays_flat() -> Result<()> {
    let (sender, reader) = (spawn().await?, spawn().mailbox_capacity(16).await?);
    let its_pid = send(&reader, pid, ()).await?;
    signal(its_pid, Signal::STOP)?;
    let before = rss(&send(&sender, info, ()).await?);
    let flooding = send(&sender, flood, (reader.clone(), 2_000_u32));
    let flooding = tokio::spawn(flooding.into_future());
    // It stands still when the same count is seen again and again: by then it waits.
    let (mut last, mut seen) = (0, 0);
    while seen < 100 {
        let now = sent(&sender).await?;
        seen = if now == last && now > 0 { seen + 1 } else { 0 };
        last = now;
        yield_now().await;
    }
    // A window of credit, and not one message more.
    assert_eq!(last, 256);
    let after = rss(&send(&sender, info, ()).await?);
    assert!(after < before + ROOM_BYTES, "{before} bytes became {after}");
    signal(its_pid, Signal::CONT)?;
    flooding.await??;
    // Behind all of them.
    loop {
        let about = send(&reader, info, ()).await?;
        if about
            .extra
            .0
            .get("bytes")
            .and_then(serde_json::Value::as_u64)
            == Some(2_000 * MESSAGE_BYTES as u64)
        {
            break;
        }
    }
    Ok(())
}

#[pulsar::test]
async fn memory_stays_flat_on_both_sides_while_a_reader_is_slower() -> Result<()> {
    let (sender, reader) = (spawn().await?, spawn().mailbox_capacity(16).await?);
    let before = (
        rss(&send(&sender, info, ()).await?),
        rss(&send(&reader, info, ()).await?),
    );
    send(&sender, flood, (reader.clone(), MESSAGES))
        .timeout(std::time::Duration::from_secs(120))
        .await?;
    let after = (
        rss(&send(&sender, info, ()).await?),
        rss(&send(&reader, info, ()).await?),
    );
    assert!(
        after.0 < before.0 + ROOM_BYTES,
        "sender: {before:?} {after:?}"
    );
    assert!(
        after.1 < before.1 + ROOM_BYTES,
        "reader: {before:?} {after:?}"
    );
    Ok(())
}

/// Sends without waiting until it is refused; how many went, and why no more.
#[command]
async fn push(_cx: Context, to: Proxy) -> Result<(u32, SendError), Error> {
    // The first one has the way made.
    send(&to, ping, ()).await?;
    let mut sent = 0;
    loop {
        match send(&to, swallow, vec![1; MESSAGE_BYTES]).try_send() {
            Ok(_) => sent += 1,
            Err(unsent) => return Ok((sent, unsent.error)),
        }
    }
}

#[pulsar::test]
async fn a_sender_that_does_not_wait_is_refused_at_the_end_of_its_credit() -> Result<()> {
    let (sender, reader) = (spawn().await?, spawn().await?);
    // One loop turns for both at once: nothing is taken in between two of these sends.
    let (sent, error) = send(&sender, push, reader).await?;
    assert_eq!(
        (sent, error),
        (256, SendError::MailboxFull { capacity: 256 })
    );
    Ok(())
}
