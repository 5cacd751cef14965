//! Actors within one loop: the same work for those of every contender that has some.

use std::process::id;
use std::time::Instant;

use crate::message::{Message, check};
use crate::order::{Order, Reading, Work, reading};
use crate::process::private_bytes;
use crate::samples::{Course, per_second};

/// So many are alive before they are ended: that does not count.
const ALIVE: usize = 256;
/// Messages between two looks at the clock.
const BATCH: u64 = 256;
/// Messages that a mailbox holds, where it is bounded.
pub(crate) const CAPACITY: usize = 1024;
/// Where a mailbox is not bounded, the sender looks so often that all is counted, so that no queue grows for ever.
const UNCOUNTED: u64 = 65_536;

/// An actor, or what takes its part, that counts messages in a ledger of its own.
pub(crate) trait Local: Sized + Send + Sync + 'static {
    /// Whether a sender waits where its mailbox is full.
    const IS_BOUNDED: bool;

    /// Makes one; done when it is ready for messages.
    fn spawn() -> impl Future<Output = anyhow::Result<Self>> + Send;
    /// Asks it to count a message; the sum so far.
    fn ask(&self, message: Message) -> impl Future<Output = anyhow::Result<u64>> + Send;
    /// Has it count a message.
    fn tell(&self, message: Message) -> impl Future<Output = anyhow::Result<()>> + Send;
    /// The sum so far.
    fn total(&self) -> impl Future<Output = anyhow::Result<u64>> + Send;
    /// Ends it.
    fn end(self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Does the work within the loop that this runs on.
pub(crate) async fn work<A: Local>(order: Order) -> anyhow::Result<Reading> {
    match order.work {
        Work::LoopAsk => ask::<A>(&order).await,
        Work::LoopTell => tell::<A>(&order).await,
        Work::SpawnTask => spawn::<A>(&order).await,
        Work::TaskMemory(actors) => memory::<A>(actors).await,
        work => anyhow::bail!("{work:?} is not within one loop"),
    }
}

/// The same on a loop of tokio's, as a task of it.
pub(crate) fn on_tokio<A: Local>(order: &Order) -> anyhow::Result<Reading> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let order = order.clone();
    runtime.block_on(async { tokio::spawn(work::<A>(order)).await? })
}

async fn ask<A: Local>(order: &Order) -> anyhow::Result<Reading> {
    let actor = A::spawn().await?;
    let mut course = Course::begin(order);
    let mut number = 0;
    while course.goes_on() {
        actor.ask(Message::new(number, order.payload)).await?;
        number += 1;
        course.lap();
    }
    check(actor.total().await?, number, order.payload)?;
    Ok(course.end().reading(""))
}

/// Until the last message has been counted.
async fn tell<A: Local>(order: &Order) -> anyhow::Result<Reading> {
    let actor = A::spawn().await?;
    let (mut number, mut rate) = (0, 0.0);
    for span in [order.warm_up(), order.effort] {
        let (first, begun) = (number, Instant::now());
        while begun.elapsed() < span {
            for _ in 0..BATCH {
                actor.tell(Message::new(number, order.payload)).await?;
                number += 1;
            }
            if !A::IS_BOUNDED && number.is_multiple_of(UNCOUNTED) {
                actor.total().await?;
            }
        }
        check(actor.total().await?, number, order.payload)?;
        rate = per_second(number - first, begun.elapsed());
    }
    Ok(reading("per_s", rate))
}

async fn spawn<A: Local>(order: &Order) -> anyhow::Result<Reading> {
    let mut course = Course::begin(order);
    let mut alive = Vec::with_capacity(ALIVE);
    while course.goes_on() {
        course.skip();
        alive.push(A::spawn().await?);
        course.lap();
        if alive.len() == ALIVE {
            for actor in alive.drain(..) {
                actor.end().await?;
            }
        }
    }
    Ok(course.end().reading(""))
}

/// By what this process grows.
async fn memory<A: Local>(count: usize) -> anyhow::Result<Reading> {
    let first = A::spawn().await?;
    first.ask(Message::new(0, 64)).await?;
    let before = private_bytes(id())?;
    let mut alive = Vec::with_capacity(count);
    for _ in 0..count {
        alive.push(A::spawn().await?);
    }
    let grown = private_bytes(id())? - before;
    check(first.total().await?, 1, 64)?;
    Ok(reading("bytes", grown / alive.len() as f64))
}
