//! Direct links between process actors, with real processes.
#![forbid(unsafe_code)]

mod ending;
mod flood;
mod hostile;
mod kept;
mod many;
mod names;
mod order;
mod scarce;
mod sockets;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pulsar::Never;
use pulsar::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
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

/// Asks for ever, and tells how each of the asks ended.
#[command]
async fn outlive(cx: Context, to: Proxy, asks: u32) -> Result<Vec<SendError>, Error> {
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
    Ok(ends)
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

#[pulsar::test]
async fn all_asks_in_flight_to_a_killed_process_learn_the_signal_also_over_a_direct_link()
-> Result<()> {
    let asker = spawn().await?;
    let target = spawn().mailbox_capacity(IN_FLIGHT as usize).await?;
    let asking = send(&asker, outlive, (target.clone(), IN_FLIGHT));
    let asking = tokio::spawn(asking.into_future());
    ready(&asker).await?;
    signal(send(&target, info, ()).await?.actor.pid, Signal::KILL)?;
    assert_eq!(asking.await??, vec![killed(); IN_FLIGHT as usize]);
    Ok(())
}

#[pulsar::test]
async fn all_asks_in_flight_from_the_arbiters_process_learn_it_too() -> Result<()> {
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
            let strays = me.info().links.stray_replies;
            (ends, strays)
        })
    };
    while send(&target, info, ()).await?.mailbox.depth + 1 < u64::from(IN_FLIGHT) {
        yield_now().await;
    }
    signal(send(&target, info, ()).await?.actor.pid, Signal::KILL)?;
    let (ends, strays) = ends.await?;
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
    assert_eq!(asking.await??, vec![killed(); 10]);
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
