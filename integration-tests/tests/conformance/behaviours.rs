//! What an actor may rely on when it sends to another, wherever either of them runs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pulsar::prelude::*;
use pulsar::send_json;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::yield_now;

/// What the target's commands fail with.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[error("{0} is odd")]
pub(crate) struct Odd(u32);

#[command]
async fn half(_cx: Context, number: u32) -> Result<u32, Odd> {
    match number % 2 {
        0 => Ok(number / 2),
        _ => Err(Odd(number)),
    }
}

#[command]
async fn explode(_cx: Context) {
    panic!("as asked");
}

/// Keeps what it is given, in the order in which it came.
#[command]
async fn keep(cx: Context, number: u32) -> u32 {
    let mut kept = kept(&cx);
    kept.push(number);
    cx.set_extra("kept", kept);
    number
}

#[command]
async fn all_kept(cx: Context) -> Vec<u32> {
    kept(&cx)
}

fn kept(cx: &Context) -> Vec<u32> {
    let kept = cx.info().extra.0.get("kept").cloned().unwrap_or_default();
    serde_json::from_value(kept).unwrap_or_default()
}

/// Lets `hold` go, in the target's process.
static LET_GO: Notify = Notify::const_new();

/// Runs until the arbiter lets it go.
#[command]
async fn hold(_cx: Context) -> String {
    LET_GO.notified().await;
    "held".to_owned()
}

/// The arbiter's part: see `hold`.
pub(crate) async fn let_go(_cx: Context, _: ()) {
    LET_GO.notify_one();
}

/// Checks one behaviour of `target`, from inside the actor that runs this.
#[command]
pub(crate) async fn conform(cx: Context, behaviour: String, target: Proxy) -> Result<(), Error> {
    match behaviour.as_str() {
        "reply" => reply(&target).await,
        "error" => error(&target).await,
        "panic" => panic(&target).await,
        "order" => order(&target).await,
        "release" => back_pressure(&cx, &target).await,
        "flood" => flood(&target).await,
        "once" => once(&cx, &target).await,
        "dead letters" => dead_letters(&cx, &target).await,
        "restart" => restart(&cx, &target).await,
        "spawn" => {
            let placement = send(&target, info, ()).await?.actor.placement;
            spawns(&cx, placement).await
        }
        "timeout" => timeout(&cx, &target).await,
        "drain" => drain(&cx, &target).await,
        "kill" => death(&cx, &target).await,
        "unknown" => unknown(&target).await,
        other => Err(Error::msg(format!("no behaviour is called {other}"))),
    }
}

/// Like `assert!`, as an error: a panic would end the asker and hide what was wrong.
fn expect(holds: bool, what: impl std::fmt::Debug) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(Error::msg(format!("unexpected: {what:?}"))),
    }
}

async fn reply(target: &Proxy) -> Result<()> {
    for target in [target.aid().to_string(), "target".to_owned()] {
        let answer = send(target, half, 84_u32).await?;
        expect(answer == 42, answer)?;
    }
    let long = "x".repeat(100_000);
    expect(
        send(target, echo, long.clone()).await? == long,
        "a long echo",
    )
}

async fn error(target: &Proxy) -> Result<()> {
    let answer = send(target, half, 3_u32).await;
    let odd = matches!(&answer, Err(CallError::Command(Odd(3))));
    expect(odd, answer)
}

async fn panic(target: &Proxy) -> Result<()> {
    let answer = send(target, explode, ()).await;
    let told = matches!(&answer,
        Err(CallError::Send(SendError::Panicked { message })) if message == "as asked");
    expect(told, answer)?;
    // Its end follows, and then it is unknown.
    loop {
        match send(target, ping, ()).await {
            Ok(_) => {}
            Err(CallError::Send(SendError::ActorDied {
                cause: Cause::Panic(_),
            })) => {}
            Err(CallError::Send(SendError::UnknownActor { .. })) => return Ok(()),
            other => return expect(false, other),
        }
    }
}

async fn order(target: &Proxy) -> Result<()> {
    // As many at once as the mailbox takes for sure, again and again.
    for round in 0..50 {
        let first = round * 4;
        let mut asks = Vec::new();
        for number in first..first + 4 {
            asks.push(tokio::spawn(send(target, keep, number).into_future()));
        }
        for ask in asks {
            ask.await??;
        }
    }
    let kept = send(target, all_kept, ()).await?;
    expect(kept == (0..200).collect::<Vec<_>>(), kept)
}

/// The target holds its turn and its mailbox is full.
async fn fill(target: &Proxy) -> Result<(Held, Vec<Kept>)> {
    let held = tokio::spawn(send(target, hold, ()).into_future());
    // `hold` has its turn once it has been taken in and nothing waits.
    loop {
        let mailbox = send(target, info, ()).await?.mailbox;
        if mailbox.depth == 0 && mailbox.received - mailbox.replied == 2 {
            break;
        }
    }
    let mut waiting = Vec::new();
    for number in 0..4 {
        waiting.push(tokio::spawn(send(target, keep, number).into_future()));
    }
    while send(target, info, ()).await?.mailbox.depth < 4 {}
    Ok((held, waiting))
}

type Held = tokio::task::JoinHandle<Result<String, CallError<pulsar::Never>>>;
type Kept = tokio::task::JoinHandle<Result<u32, CallError<pulsar::Never>>>;

async fn back_pressure(cx: &Context, target: &Proxy) -> Result<()> {
    let (held, waiting) = fill(target).await?;
    let one_more = tokio::spawn(send(target, keep, 4_u32).into_future());
    // It is sent now, and a ping behind it: by the answer it has been refused, or waits for room.
    yield_now().await;
    send(target, ping, ()).await?;
    let depth = send(target, info, ()).await?.mailbox.depth;
    expect(depth == 4, depth)?;
    cx.set_extra("ready", true);
    expect(held.await?? == "held", "hold")?;
    for ask in waiting {
        ask.await??;
    }
    let kept = one_more.await??;
    expect(kept == 4, kept)
}

/// How many `tally`s have come to this process, and whether each came in its turn.
static TALLY: Mutex<(u32, bool)> = Mutex::new((0, true));

#[command(no_ack)]
async fn tally(_cx: Context, number: u32) {
    {
        let mut tally = TALLY.lock().unwrap_or_else(PoisonError::into_inner);
        *tally = (tally.0 + 1, tally.1 && tally.0 == number);
    }
    // Others on the loop get their turn: the sender is to be faster.
    yield_now().await;
}

#[command]
async fn tallied(_cx: Context) -> (u32, bool) {
    *TALLY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Far more than mailbox, link and credit hold: each has to be given back in time.
const FLOOD: u32 = 10_000;

async fn flood(target: &Proxy) -> Result<()> {
    for number in 0..FLOOD {
        send(target, tally, number).await?;
    }
    let tallied = send(target, tallied, ()).await?;
    expect(tallied == (FLOOD, true), tallied)
}

/// Each reply has been for somebody who waited for it: none came twice, here or there.
async fn once(cx: &Context, target: &Proxy) -> Result<()> {
    let asks: Vec<_> = (0..200_u32)
        .map(|number| tokio::spawn(send(target, half, 2 * number).into_future()))
        .collect();
    for (number, ask) in (0..).zip(asks) {
        let answer = ask.await??;
        expect(answer == number, answer)?;
    }
    // Behind the replies on the same link.
    send(target, ping, ()).await?;
    let strays = cx.info().links.stray_replies;
    expect(strays == 0, strays)
}

async fn dead_letters(cx: &Context, target: &Proxy) -> Result<()> {
    let (held, waiting) = fill(target).await?;
    // The target drops the oldest for each of these.
    let newer: Vec<_> = (4..6_u32)
        .map(|number| tokio::spawn(send(target, keep, number).into_future()))
        .collect();
    let mut waiting = waiting.into_iter();
    for dropped in waiting.by_ref().take(2) {
        let answer = dropped.await?;
        let told = matches!(
            answer,
            Err(CallError::Send(SendError::MailboxFull { capacity: 4 }))
        );
        expect(told, answer)?;
    }
    cx.set_extra("ready", true);
    expect(held.await?? == "held", "hold")?;
    for (number, ask) in (2..).zip(waiting.chain(newer)) {
        let kept = ask.await??;
        expect(kept == number, kept)?;
    }
    let info = send(target, info, ()).await?;
    expect(info.mailbox.dead_letters == 2, info.mailbox)?;
    let letters = info.extra.0.get("letters").cloned();
    expect(
        letters == Some(serde_json::json!(["keep", "keep"])),
        letters,
    )
}

/// The target's hook for dead letters.
pub(crate) fn note_letter(cx: Context, letter: DeadLetter) {
    let letters = cx.info().extra.0.get("letters").cloned();
    let mut letters: Vec<String> =
        serde_json::from_value(letters.unwrap_or_default()).unwrap_or_default();
    letters.push(letter.command.to_owned());
    cx.set_extra("letters", letters);
}

async fn restart(cx: &Context, target: &Proxy) -> Result<()> {
    send(target, keep, 7_u32).await?;
    let (held, waiting) = fill(target).await?;
    cx.set_extra("ready", true);
    expect_died(held.await?)?;
    for ask in waiting {
        expect_died(ask.await?)?;
    }
    // Its next life, in the same place: the same reference, and a state of its own.
    let about = loop {
        match send(target, info, ()).await {
            Ok(about) => break about,
            Err(CallError::Send(SendError::Restarting { .. } | SendError::ActorDied { .. })) => {
                yield_now().await;
            }
            Err(other) => return expect(false, other),
        }
    };
    expect(about.actor.incarnation == 2, about.actor)?;
    let kept = send("target", all_kept, ()).await?;
    expect(kept.is_empty(), kept)
}

/// The asker spawns an actor itself.
async fn spawns(cx: &Context, placement: Placement) -> Result<()> {
    let spawning = spawn().placement(placement).begin()?;
    let aid = spawning.aid();
    let spawned = spawning.await?;
    expect(spawned.aid() == aid, &spawned)?;
    let answer = send(aid, half, 84_u32).await?;
    expect(answer == 42, answer)?;
    let adder = Adder::spawn(40).placement(placement).await?;
    let sum = adder.add(2).await?;
    expect(sum == 42, sum)?;
    let hooked = spawn().start(hook, 1_u32).placement(placement).await;
    if cx.placement() == Placement::Process && placement == Placement::Thread {
        // Its function would run in the arbiter's process, and nobody there knows it.
        let told = matches!(hooked, Err(SpawnError::Unsupported { .. }));
        return expect(told, hooked);
    }
    let extra = send(&hooked?, info, ()).await?.extra;
    expect(extra.0.get("hooked") == Some(&1.into()), extra)
}

async fn hook(cx: Context, number: u32) {
    cx.set_extra("hooked", number);
}

/// An actor type, as any placement spawns it in any other.
struct Adder {
    total: u32,
}

#[pulsar::actor]
impl Adder {
    fn start(_cx: Context, total: u32) -> Self {
        Self { total }
    }

    #[command]
    fn add(&mut self, by: u32) -> u32 {
        self.total += by;
        self.total
    }
}

async fn timeout(cx: &Context, target: &Proxy) -> Result<()> {
    let after = Duration::from_millis(20);
    let answer = send(target, hold, ()).timeout(after).await;
    let told = matches!(&answer, Err(CallError::Send(SendError::Timeout { after: told })) if *told == after);
    expect(told, answer)?;
    cx.set_extra("ready", true);
    // The late reply has been sent once all but this very ask is answered; or, where the machine is so slow, the ask came
    // too late to be run.
    loop {
        let mailbox = send(target, info, ()).await?.mailbox;
        if mailbox.received - mailbox.replied - mailbox.dead_letters == 1 {
            break;
        }
    }
    let answer = send(target, half, 84_u32).await?;
    expect(answer == 42, answer)
}

async fn drain(cx: &Context, target: &Proxy) -> Result<()> {
    let (held, waiting) = fill(target).await?;
    send(target, stop, ()).await?;
    cx.set_extra("ready", true);
    expect(held.await?? == "held", "hold")?;
    for (number, ask) in (0..).zip(waiting) {
        let kept = ask.await??;
        expect(kept == number, kept)?;
    }
    Ok(())
}

async fn death(cx: &Context, target: &Proxy) -> Result<()> {
    let (held, waiting) = fill(target).await?;
    cx.set_extra("ready", true);
    expect_died(held.await?)?;
    for ask in waiting {
        expect_died(ask.await?)?;
    }
    Ok(())
}

/// KILL, for a process; a thread or a task is ended by its own loop.
fn expect_died<T: std::fmt::Debug>(answer: Result<T, CallError<pulsar::Never>>) -> Result<()> {
    let died = matches!(
        &answer,
        Err(CallError::Send(SendError::ActorDied {
            cause: Cause::Signal { signal: 9, .. } | Cause::Stopped
        }))
    );
    expect(died, answer)
}

async fn unknown(target: &Proxy) -> Result<()> {
    let nobody = send("nobody", ping, ()).await;
    let told = matches!(&nobody, Err(CallError::Send(SendError::UnknownActor { target })) if target == "nobody");
    expect(told, nobody)?;
    let nothing = send_json(target, "hlaf", vec![]).await;
    let told = matches!(&nothing,
        Err(CallError::Send(SendError::UnknownCommand { nearest, .. })) if nearest[0] == "half");
    expect(told, nothing)
}
