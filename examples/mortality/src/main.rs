//! Kills process actors, and tells how soon those who wait for them learn it, and how soon they are replaced.
//!
//! `cargo run --release -p mortality [ROUNDS]`, 200 rounds as it is. In each, a *witness* in one process asks a
//! *mortal* in another, over their direct link, for an answer that never comes. The arbiter's process notes the time
//! and kills the mortal by signal 9. Two spans are measured, both from just before that signal is sent:
//!
//! * to the witness's error, `ActorDied`, noted by the witness;
//! * to the first command that the replacement runs, noted by the replacement.
//!
//! All times are those of the machine's monotonic clock, which is the same in all processes.
//!
//! The mortal is the worker of a pool that restarts at once: with `healthy_after` zero each life that became ready
//! counts as a healthy one, whose replacement does not wait. The back-off is for crash loops.
#![forbid(unsafe_code)]

mod spans;

use std::time::Duration;

use pulsar::RestartLimits;
use pulsar::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use spans::Spans;

/// Rounds, where the command line does not say.
const ROUNDS: usize = 200;
/// The first ones, which are not counted: they fill caches and allocators.
const WARM_UP: usize = 3;

/// The time by the machine's monotonic clock.
fn machine_time() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

/// Never answers.
#[command]
async fn wait_for_death(_cx: Context) {
    std::future::pending::<()>().await;
}

/// Waits for a death, and tells when it learnt of it.
#[command]
async fn witness(_cx: Context, mortal: Aid) -> Result<Duration, Error> {
    match send(mortal, wait_for_death, ()).await {
        Err(CallError::Send(SendError::ActorDied { .. })) => Ok(machine_time()),
        other => Err(Error::msg(format!("no death but {other:?}"))),
    }
}

/// Tells when it is run.
#[command]
async fn now(_cx: Context) -> Duration {
    machine_time()
}

/// One death: how long until it was learnt, and until the replacement worked.
async fn round(watcher: &Proxy, mortal: Aid) -> Result<(Duration, Duration)> {
    let watching = tokio::spawn(send(watcher, witness, mortal).into_future());
    let pid = loop {
        let about = send(mortal, info, ()).await?;
        // Of two messages that were taken in and not answered, one is this `info`.
        if about.mailbox.received - about.mailbox.replied >= 2 {
            break about.actor.pid;
        }
    };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Error::msg("no pid"))?;
    let death = machine_time();
    kill_process(pid, Signal::KILL)?;
    let learnt = watching.await??;
    Ok((learnt - death, first_work(mortal).await? - death))
}

/// When the next life runs its first command.
async fn first_work(mortal: Aid) -> Result<Duration> {
    loop {
        match send(mortal, now, ()).await {
            Ok(at) => return Ok(at),
            // Between two lives, for an instant.
            Err(CallError::Send(SendError::Restarting { .. } | SendError::ActorDied { .. })) => {
                tokio::task::yield_now().await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A pool of one, which may die so often and is replaced at once each time.
async fn mortal_pool(deaths: usize) -> Result<Aid> {
    let limits = RestartLimits {
        healthy_after: Duration::ZERO,
        intensity: Some(deaths + 1),
        ..RestartLimits::default()
    };
    let pool = Pool::new("mortals", 1, spawn())
        .limits(limits)
        .start()
        .await?;
    pool.all_ready().await;
    Ok(arbiter().find(&"mortals-1".into())?)
}

#[pulsar::main]
async fn main() -> Result<()> {
    let rounds = match std::env::args().nth(1) {
        Some(rounds) => rounds.parse()?,
        None => ROUNDS,
    };
    let watcher = spawn().name("watcher").await?;
    let mortal = mortal_pool(WARM_UP + rounds).await?;
    let (mut learnt, mut replaced) = (Spans::default(), Spans::default());
    for number in 0..WARM_UP + rounds {
        let (until_learnt, until_replaced) = round(&watcher, mortal).await?;
        if number >= WARM_UP {
            learnt.add(until_learnt);
            replaced.add(until_replaced);
        }
    }
    println!("{rounds} deaths by signal 9");
    println!("death -> ActorDied at a caller in another process: {learnt}");
    println!("death -> the replacement runs its first command: {replaced}");
    Ok(())
}
