//! What has been passed is gone when it is dropped.

use pulsar::prelude::*;

use crate::sockets::open_files;
use crate::{make, mapped, status_kib, sum};

const MANY: usize = 10_000;
/// So much of each, that all of them would be noticed.
const BYTES: usize = 16 << 10;
/// What a process may need more than before, for whatever reason: a part of what all would need.
const SLACK_KIB: u64 = 16 << 10;

/// Descriptors, mappings, and memory in KiB.
type Held = (usize, usize, u64);

fn held() -> Result<Held> {
    let memory = status_kib("RssAnon")? + status_kib("RssShmem")?;
    Ok((open_files()?, mapped()?, memory))
}

#[command]
async fn what_it_holds(_cx: Context) -> Result<Held, Error> {
    held()
}

async fn pass_and_drop(actor: &Proxy, count: usize) -> Result<()> {
    let text = "x".repeat(BYTES);
    for number in 0..count {
        let bytes = SharedBytes::copy_from(text.as_bytes())?;
        assert_eq!(
            send(actor, sum, bytes).await?,
            u64::from(b'x') * BYTES as u64
        );
        if number % 10 == 0 {
            assert_eq!(send(actor, make, text.as_str()).await?.len(), BYTES);
        }
    }
    Ok(())
}

#[pulsar::test]
async fn what_was_passed_and_dropped_leaves_nothing_on_either_side() -> Result<()> {
    let actor = spawn().await?;
    pass_and_drop(&actor, 100).await?;
    let before = (held()?, send(&actor, what_it_holds, ()).await?);
    pass_and_drop(&actor, MANY).await?;
    let after = (held()?, send(&actor, what_it_holds, ()).await?);
    for (before, after) in [(before.0, after.0), (before.1, after.1)] {
        assert_eq!((before.0, before.1), (after.0, after.1));
        assert_eq!(after.1, 0);
        assert!(after.2 < before.2 + SLACK_KIB, "{before:?}, then {after:?}");
    }
    Ok(())
}

/// Far more than one target may have on its way, and than one link may let wait.
const AT_ONCE: usize = 3_000;

#[pulsar::test]
async fn who_sends_more_than_may_wait_waits_and_none_is_refused() -> Result<()> {
    let actor = spawn().await?;
    let before = open_files()?;
    let asks: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            let bytes = SharedBytes::copy_from(&number.to_le_bytes())?;
            let expected: u64 = number.to_le_bytes().into_iter().map(u64::from).sum();
            let asking = tokio::spawn(send(&actor, sum, bytes).into_future());
            Ok((expected, asking))
        })
        .collect::<Result<_>>()?;
    for (expected, asking) in asks {
        assert_eq!(asking.await??, expected);
    }
    assert_eq!(open_files()?, before);
    Ok(())
}
