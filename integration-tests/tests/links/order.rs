//! The order of one actor's messages to another, while the way is made and while credit is short.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pulsar::Never;
use pulsar::prelude::*;
use tokio::task::yield_now;

use crate::{count, double};

/// Pairs of actors that make the way to each other.
const PAIRS: usize = 10;

/// Sends while the way is sought, and again without waiting as soon as that is possible; whether
/// each came in its turn.
#[command]
async fn send_then_try(_cx: Context, to: Proxy) -> Result<(bool, bool), Error> {
    let first = tokio::spawn(send(&to, count, 0).into_future());
    // It is polled, and seeks.
    yield_now().await;
    let second = loop {
        match send(&to, count, 1).try_send() {
            Ok(sent) => break sent,
            Err(_) => yield_now().await,
        }
    };
    let second = second.await?;
    Ok((first.await??, second))
}

#[pulsar::test]
async fn a_try_send_does_not_overtake_a_send_that_waits_for_the_way() -> Result<()> {
    for _ in 0..PAIRS {
        let (one, other) = (spawn().await?, spawn().await?);
        let in_order = send(&one, send_then_try, other).await?;
        assert_eq!(in_order, (true, true));
    }
    Ok(())
}

/// The same with sends that wait: the second begins when the way has just been made.
#[command]
async fn send_twice(cx: Context, to: Proxy) -> Result<(bool, bool), Error> {
    let first = tokio::spawn(send(&to, count, 0).into_future());
    while cx.info().links.open < 2 {
        yield_now().await;
    }
    let second = send(&to, count, 1).await?;
    Ok((first.await??, second))
}

#[pulsar::test]
async fn a_send_does_not_overtake_a_send_that_waits_for_the_way() -> Result<()> {
    for _ in 0..PAIRS {
        let (one, other) = (spawn().await?, spawn().await?);
        let in_order = send(&one, send_twice, other).await?;
        assert_eq!(in_order, (true, true));
    }
    Ok(())
}

/// What [`number`] has taken in.
#[derive(Default)]
struct Taken {
    last: Option<u32>,
    count: u32,
    overtaken: u32,
}

static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);

#[command(no_ack)]
async fn number(_cx: Context, number: u32) {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = taken.get_or_insert_default();
    taken.overtaken += u32::from(taken.last > Some(number));
    taken.last = Some(number);
    taken.count += 1;
}

/// How many numbers have come, and how many of them too late.
#[command]
async fn numbers(_cx: Context) -> (u32, u32) {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = taken.get_or_insert_default();
    (taken.count, taken.overtaken)
}

/// Tasks that send at once.
const SENDERS: u32 = 4;
/// Numbers that each of them sends: many windows of credit.
const NUMBERS: u32 = 2_500;

/// Numbers its messages when they are first polled, which is the order in which they are sent.
#[command]
async fn send_numbers(_cx: Context, to: Proxy) -> Result<(u32, u32), Error> {
    // The way is there: what the tasks then wait for is credit.
    send(&to, double, 1).await?;
    let next = Arc::new(AtomicU32::new(0));
    let sending: Vec<_> = (0..SENDERS)
        .map(|_| tokio::spawn(send_some(to.clone(), Arc::clone(&next))))
        .collect();
    for sender in sending {
        sender.await??;
    }
    // Behind them all.
    Ok(send(&to, numbers, ()).await?)
}

async fn send_some(to: Proxy, next: Arc<AtomicU32>) -> Result<(), CallError<Never>> {
    for _ in 0..NUMBERS {
        send(&to, number, next.fetch_add(1, Ordering::Relaxed)).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn sends_of_one_actor_keep_their_order_while_they_wait_for_credit() -> Result<()> {
    let (sender, target) = (spawn().await?, spawn().mailbox_capacity(16).await?);
    let came = send(&sender, send_numbers, target).await?;
    assert_eq!(came, (SENDERS * NUMBERS, 0));
    Ok(())
}
