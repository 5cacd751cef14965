//! Actors that overstep their processor time, and those that are nice.

use std::time::Duration;

use pulsar::prelude::*;

use crate::{death, end_by};

#[pulsar::test]
async fn an_actor_over_its_processor_time_dies_alone_and_it_is_told() -> Result<()> {
    // Rounded up to a second.
    let limited = spawn().cpu_time_max(Duration::from_millis(1)).await?;
    let bystander = spawn().await?;
    let spinning = tokio::spawn(send(&limited, end_by, "loop").into_future());
    assert_eq!(send(&bystander, ping, ()).await?, "pong");
    let cause = death(spinning.await?);
    assert!(
        matches!(cause, Cause::Signal { signal: 24, .. }),
        "{cause:?}"
    );
    let told = "was killed by signal 24 (SIGXCPU): over its processor time";
    assert!(cause.to_string().starts_with(told), "{cause}");
    assert_eq!(send(&bystander, ping, ()).await?, "pong");
    Ok(())
}

#[command]
fn niceness(_cx: Context) -> Result<i32> {
    Ok(rustix::process::getpriority_process(None)?)
}

#[pulsar::test]
async fn an_actor_is_as_nice_as_said() -> Result<()> {
    let own = rustix::process::getpriority_process(None)?;
    let nice = (own + 7).min(19);
    let limited = spawn().nice(nice).await?;
    assert_eq!(send(&limited, niceness, ()).await?, nice);
    let free = spawn().await?;
    assert_eq!(send(&free, niceness, ()).await?, own);
    Ok(())
}
