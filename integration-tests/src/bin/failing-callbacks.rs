//! A program whose actors' callbacks fail, in each placement: the periodic task by an error and then by
//! a panic, the dead letter hook by a panic, the stopping hook as the argument says.
#![forbid(unsafe_code)]

use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{LogConfig, MailboxInfo};

#[pulsar::main]
async fn main() -> Result<()> {
    let filter = "error".to_owned();
    arbiter().log(LogConfig { filter });
    let panics = std::env::args().any(|word| word == "panic");
    for placement in [Placement::Process, Placement::Thread, Placement::Task] {
        let actor = spawn()
            .placement(placement)
            .on_stop(OnStop::Refuse)
            .periodic_task(tick)
            .every(Duration::from_millis(2))
            .on_dead_letter(fail_to_note);
        let actor = match panics {
            true => actor.stopping(panic_at_end),
            false => actor.stopping(fail_at_end),
        };
        let actor = actor.await?;
        let answer = live_and_end(&actor).await?;
        println!("{placement} {answer}");
    }
    Ok(())
}

/// Waits until it has outlived its periodic tasks, leaves it a dead letter, and stops it; how it ended,
/// and what the sender of the letter was told.
async fn live_and_end(actor: &Proxy) -> Result<String> {
    while send(actor, ticks, ()).await? < 3 {}
    let holding = tokio::spawn(send(actor, hold, ()).into_future());
    while mailbox_of(actor).await?.1 != Some(true) {}
    let waiting = tokio::spawn(send(actor, ticks, ()).into_future());
    while mailbox_of(actor).await?.0.depth == 0 {}
    let arbiter = arbiter();
    let (cause, stopped) = tokio::join!(arbiter.ended(actor), send(actor, stop, ()).into_future());
    stopped?;
    holding.await??;
    let told = match waiting.await? {
        Err(error) => error.to_string(),
        Ok(ticks) => format!("{ticks} ticks"),
    };
    Ok(format!("{}; {told}", cause?))
}

async fn mailbox_of(actor: &Proxy) -> Result<(MailboxInfo, Option<bool>)> {
    let info = send(actor, info, ()).await?;
    let is_held = info.extra.0.get("held").map(|held| *held == true);
    Ok((info.mailbox, is_held))
}

#[command]
fn ticks(cx: Context) -> u64 {
    ticks_of(&cx)
}

/// The turn is held until the actor is asked to stop.
#[command]
async fn hold(cx: Context) {
    cx.set_extra("held", true);
    cx.stop_asked().await;
}

fn ticks_of(cx: &Context) -> u64 {
    let extra = cx.info().extra.0;
    let ticks = extra.get("ticks").and_then(serde_json::Value::as_u64);
    ticks.unwrap_or_default()
}

async fn tick(cx: Context) -> Result<()> {
    let before = ticks_of(&cx);
    cx.set_extra("ticks", before + 1);
    match before {
        0 => Err(Error::msg("the first tick")),
        1 => panic!("the second tick"),
        _ => Ok(()),
    }
}

fn fail_to_note(_cx: Context, letter: DeadLetter) {
    panic!("cannot note {}", letter.command);
}

async fn fail_at_end(_cx: Context) -> Result<()> {
    Err(Error::msg("at the end"))
}

async fn panic_at_end(_cx: Context) {
    panic!("at the end");
}
