//! Deaths: how soon another process learns of one, and how soon the dead are replaced.

use std::time::Duration;

use pulsar::RestartLimits;
use pulsar::prelude::*;
use rustix::process::{Pid, Signal, kill_process};

use super::counter::Failed;
use crate::order::{Order, Reading};
use crate::samples::{Course, Samples, machine_time};

/// More deaths than any effort has room for: then the pool gives up, and the reading fails.
const MOST_DEATHS: usize = 100_000;

/// Never answers.
#[command]
async fn wait_for_death(_cx: Context) {
    std::future::pending::<()>().await;
}

/// Waits for a death, and tells when it learnt of it.
#[command]
async fn witness(_cx: Context, mortal: Aid) -> Result<Duration, Failed> {
    match send(mortal, wait_for_death, ()).await {
        Err(CallError::Send(SendError::ActorDied { .. })) => Ok(machine_time()),
        other => Err(Failed(format!("no death but {other:?}"))),
    }
}

/// Tells when it is run.
#[command]
async fn time(_cx: Context) -> Duration {
    machine_time()
}

pub(super) async fn read(order: &Order) -> anyhow::Result<Reading> {
    let watcher = spawn().name("watcher").await?;
    let mortal = mortal().await?;
    let mut course = Course::begin(order);
    let mut replacements = Samples::default();
    while course.goes_on() {
        let (learnt, replaced) = death(&watcher, mortal).await?;
        course.lap_of(learnt);
        if course.elapsed() > order.warm_up() {
            replacements.add(replaced);
        }
    }
    let mut both = course.end().reading("caller_");
    both.extend(replacements.reading("replacement_"));
    Ok(both)
}

/// A pool of one, which is replaced at once each time: a life that became ready counts as a healthy one.
async fn mortal() -> anyhow::Result<Aid> {
    let limits = RestartLimits {
        healthy_after: Duration::ZERO,
        intensity: Some(MOST_DEATHS),
        ..RestartLimits::default()
    };
    let pool = Pool::new("mortals", 1, spawn())
        .limits(limits)
        .start()
        .await?;
    pool.all_ready().await;
    Ok(arbiter().find(&"mortals-1".into())?)
}

/// From just before the signal is sent: until the witness learnt of it, and until the next life ran a command.
async fn death(watcher: &Proxy, mortal: Aid) -> anyhow::Result<(Duration, Duration)> {
    let watching = tokio::spawn(send(watcher, witness, mortal).into_future());
    let pid = loop {
        let about = send(mortal, info, ()).await?;
        // Of two messages that were taken in and not answered, one is this `info`.
        if about.mailbox.received - about.mailbox.replied >= 2 {
            break about.actor.pid;
        }
    };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| anyhow::anyhow!("no pid"))?;
    let begun = machine_time();
    kill_process(pid, Signal::KILL)?;
    let learnt = watching.await??;
    Ok((learnt - begun, first_work(mortal).await? - begun))
}

async fn first_work(mortal: Aid) -> anyhow::Result<Duration> {
    loop {
        match send(mortal, time, ()).await {
            Ok(at) => return Ok(at),
            // Between two lives, for an instant.
            Err(CallError::Send(SendError::Restarting { .. } | SendError::ActorDied { .. })) => {
                tokio::task::yield_now().await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
