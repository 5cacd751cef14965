//! A sender that is faster than its reader, which may not read at all.

use std::fs::read_to_string;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pulsar::prelude::*;
use rustix::process::Signal;
use tokio::runtime::Handle;
use tokio::task::yield_now;

use crate::{double, pid, signal};

/// Messages that may be on their way to one actor.
const WINDOW: u64 = 256;

/// Bytes that have been swallowed in this process.
static SWALLOWED: AtomicU64 = AtomicU64::new(0);

#[command(no_ack)]
async fn swallow(_cx: Context, message: String) {
    // Its reader is slower than its sender.
    for _ in 0..10 {
        yield_now().await;
    }
    SWALLOWED.fetch_add(message.len() as u64, Ordering::Relaxed);
}

#[command]
async fn swallowed(_cx: Context) -> u64 {
    SWALLOWED.load(Ordering::Relaxed)
}

/// Floods `to` with so many messages, and says how far it is; in the end, how many bytes arrived.
#[command]
async fn flood(cx: Context, to: Proxy, messages: u32, bytes: usize) -> Result<u64, Error> {
    for number in 0..messages {
        send(&to, swallow, "x".repeat(bytes)).await?;
        cx.set_extra("sent", number + 1);
    }
    // Behind all of them.
    Ok(send(&to, swallowed, ()).await?)
}

async fn sent(actor: &Proxy) -> Result<u64> {
    let about = send(actor, info, ()).await?;
    let sent = about.extra.0.get("sent");
    Ok(sent.and_then(serde_json::Value::as_u64).unwrap_or(0))
}

#[pulsar::test]
async fn fault_28_a_sender_waits_for_a_stopped_reader_at_the_end_of_its_credit() -> Result<()> {
    let (sender, reader) = (spawn().await?, spawn().mailbox_capacity(16).await?);
    let its_pid = send(&reader, pid, ()).await?;
    signal(its_pid, Signal::STOP)?;
    let flooding = send(&sender, flood, (reader.clone(), 2_000_u32, 1024_usize));
    let flooding = tokio::spawn(flooding.into_future());
    while sent(&sender).await? < WINDOW {}
    // Each of these asks is a turn of the sender's loop, in which it would send more if it could.
    for _ in 0..100 {
        assert_eq!(sent(&sender).await?, WINDOW);
    }
    signal(its_pid, Signal::CONT)?;
    assert_eq!(flooding.await??, 2_000 * 1024);
    Ok(())
}

/// Messages that are to be sent to a slower reader: 64 MiB in all.
const MESSAGES: u32 = 8_192;
/// Bytes of each.
const MESSAGE_BYTES: usize = 8 << 10;
/// What either side may come to need meanwhile: a window of credit, buffers, and what the
/// allocator keeps. Far less than the messages.
const ROOM_BYTES: u64 = 24 << 20;

#[command]
async fn peak_bytes(_cx: Context) -> Result<u64, Error> {
    peak_of_this_process()
}

/// The most memory that this process has had.
pub(crate) fn peak_of_this_process() -> Result<u64> {
    status_bytes("VmHWM:")
}

/// What the system tells of this process's memory under this word.
pub(crate) fn status_bytes(word: &str) -> Result<u64> {
    let status = read_to_string("/proc/self/status")?;
    let told = status.lines().find_map(|line| line.strip_prefix(word));
    let kib = told.and_then(|told| told.trim().strip_suffix(" kB"));
    let kib = kib.ok_or_else(|| Error::msg("it is not told"))?;
    Ok(kib.parse::<u64>()? << 10)
}

#[pulsar::test]
async fn fault_26_memory_stays_flat_on_both_sides_while_a_reader_is_slower() -> Result<()> {
    let (sender, reader) = (spawn().await?, spawn().mailbox_capacity(16).await?);
    let mut before = Vec::new();
    for actor in [&sender, &reader] {
        before.push(send(actor, peak_bytes, ()).await?);
    }
    let swallowed = send(&sender, flood, (reader.clone(), MESSAGES, MESSAGE_BYTES))
        .timeout(Duration::from_secs(100))
        .await?;
    assert_eq!(swallowed, u64::from(MESSAGES) * MESSAGE_BYTES as u64);
    for (actor, before) in [&sender, &reader].into_iter().zip(before) {
        let after = send(actor, peak_bytes, ()).await?;
        assert!(after < before + ROOM_BYTES, "{before} bytes became {after}");
    }
    Ok(())
}

/// Asks that are measured beside a flood.
const ASKS: usize = 500;
/// What the slowest of a hundred asks may take beside a flood: a hundred times what it takes on an idle machine,
/// and still far from any wait for the flood's end.
const SLOWEST: Duration = Duration::from_millis(250);

/// Asks so often, one after the other; what the slowest of each hundred took, in microseconds.
#[command]
async fn measure(_cx: Context, to: Proxy, asks: usize) -> Result<u64, Error> {
    let mut took = Vec::new();
    for _ in 0..asks {
        let begun = Instant::now();
        send(&to, double, 21).await?;
        took.push(begun.elapsed());
    }
    took.sort();
    Ok(u64::try_from(took[asks * 99 / 100].as_micros())?)
}

#[pulsar::test]
async fn fault_26_a_flood_leaves_the_asks_of_others_quick() -> Result<()> {
    let (flooder, reader) = (spawn().await?, spawn().mailbox_capacity(16).await?);
    let (asker, asked) = (spawn().await?, spawn().await?);
    let alone = send(&asker, measure, (asked.clone(), ASKS)).await?;
    // More than can be sent while it is measured.
    let flooding = send(&flooder, flood, (reader.clone(), u32::MAX, 1024_usize));
    let flooding = tokio::spawn(flooding.into_future());
    while sent(&flooder).await? < 2 * WINDOW {}
    let before = sent(&flooder).await?;
    let beside = send(&asker, measure, (asked, ASKS)).await?;
    let from_here = {
        let begun = Instant::now();
        send(&asker, double, 21).await?;
        begun.elapsed()
    };
    let after = sent(&flooder).await?;
    println!("p99 alone {alone} us, beside a flood {beside} us; from the arbiter {from_here:?}");
    assert!(after > before + WINDOW, "the flood went on meanwhile");
    assert!(Duration::from_micros(beside) < SLOWEST, "{beside} us");
    assert!(from_here < SLOWEST, "{from_here:?}");
    arbiter().kill_actor(&flooder).await?;
    flooding.await?.unwrap_err();
    assert_eq!(send(&reader, double, 21).await?, 42);
    Ok(())
}

/// Sends without waiting until it is refused; how many went, and why no more.
#[command]
async fn push(_cx: Context, to: Proxy) -> Result<(u64, SendError), Error> {
    // The first one has the way made.
    send(&to, ping, ()).await?;
    let mut sent = 0;
    loop {
        match send(&to, swallow, "x".repeat(1024)).try_send() {
            Ok(_) => sent += 1,
            Err(unsent) => return Ok((sent, unsent.error)),
        }
    }
}

#[pulsar::test]
async fn fault_28_a_sender_that_does_not_wait_is_refused_at_the_end_of_its_credit() -> Result<()> {
    let (sender, reader) = (spawn().await?, spawn().await?);
    // It never awaits in between: whatever comes back is not taken in before it is refused.
    let (sent, error) = send(&sender, push, reader).await?;
    let capacity = WINDOW as usize;
    assert_eq!((sent, error), (WINDOW, SendError::MailboxFull { capacity }));
    Ok(())
}

/// Sends without waiting while nobody shows the way; how many tasks live then, and links.
#[command]
async fn try_often(cx: Context, to: Proxy, arbiter: u32) -> Result<(usize, u64), Error> {
    signal(arbiter, Signal::STOP)?;
    for number in 0..20_000 {
        drop(send(&to, double, number).try_send());
        if number % 100 == 0 {
            yield_now().await;
        }
    }
    let alive = Handle::current().metrics().num_alive_tasks();
    let links = cx.info().links.open;
    signal(arbiter, Signal::CONT)?;
    Ok((alive, links))
}

#[pulsar::test]
async fn try_send_leaves_nothing_behind_while_the_way_is_sought() -> Result<()> {
    let (one, other) = (spawn().await?, spawn().await?);
    let (alive, links) = send(&one, try_often, (other, std::process::id())).await?;
    // Only that to the arbiter: the way was sought all the time.
    assert_eq!(links, 1);
    assert!(alive < 100, "{alive} tasks");
    Ok(())
}

/// An actor that is slower than those who ask it.
struct Busy;

#[pulsar::actor]
impl Busy {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    async fn work(&mut self, number: u32) -> u32 {
        for _ in 0..10 {
            yield_now().await;
        }
        number
    }
}

/// Asks ten times at once, as tools do: by the command's name, in JSON. What comes, as text.
#[command]
async fn ask_as_a_tool(_cx: Context, to: Proxy) -> Result<Vec<String>, Error> {
    // The first one has the way made.
    send(&to, ping, ()).await?;
    let asks: Vec<_> = (0..10)
        .map(|number| {
            let to = to.clone();
            tokio::spawn(async move { pulsar::send_json(&to, "work", vec![number.into()]).await })
        })
        .collect();
    let mut answers = Vec::new();
    for ask in asks {
        let answer = ask.await?.map_err(Error::msg)?;
        answers.push(answer.to_string());
    }
    Ok(answers)
}

#[pulsar::test]
async fn tools_commands_wait_for_room_in_the_mailbox() -> Result<()> {
    let (asker, busy) = (spawn().await?, Busy::spawn().mailbox_capacity(1).await?);
    let answers = send(&asker, ask_as_a_tool, busy.untyped()).await?;
    let expected = (0..10).map(|number| number.to_string());
    assert_eq!(answers, expected.collect::<Vec<_>>());
    Ok(())
}
