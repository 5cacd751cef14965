//! Asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pulsar::prelude::*;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::counter::Counter;
use crate::asking::SILENCE;
use crate::cores;
use crate::message::{Message, check};
use crate::order::{Order, Reading, reading};
use crate::process::context_switches;
use crate::samples::{Course, per_second};

/// How long a process must not be woken, and how long it has before that to come to rest.
const LONG_SILENCE: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_millis(200);
/// The shortest effort with which the whole silence is waited for. Below it is a smoke run.
const WHOLE_EFFORT: Duration = Duration::from_millis(50);

/// A counter in a process, with both sides where the order says.
pub(super) async fn counter(order: &Order) -> anyhow::Result<Proxy<Counter>> {
    let places = order.cores.places()?;
    cores::keep(places.caller)?;
    Ok(Counter::spawn(places.callee).process().await?)
}

pub(super) async fn across(order: &Order) -> anyhow::Result<Reading> {
    ask_on(&counter(order).await?, order).await
}

pub(super) async fn within_a_loop(order: &Order) -> anyhow::Result<Reading> {
    let counter = Counter::spawn(None).task().await?;
    ask_on(&counter, order).await
}

/// Asks one after the other, from whichever actor this runs on.
pub(super) async fn ask_on(counter: &Proxy<Counter>, order: &Order) -> anyhow::Result<Reading> {
    ask_after(counter, order, None).await
}

pub(super) async fn cold(order: &Order) -> anyhow::Result<Reading> {
    ask_after(&counter(order).await?, order, Some(SILENCE)).await
}

async fn ask_after(
    counter: &Proxy<Counter>,
    order: &Order,
    silence: Option<Duration>,
) -> anyhow::Result<Reading> {
    let mut course = Course::begin(order);
    let mut number = 0;
    while course.goes_on() {
        if let Some(silence) = silence {
            sleep(silence).await;
            course.skip();
        }
        counter.count(Message::new(number, order.payload)).await?;
        number += 1;
        course.lap();
    }
    check(counter.total().await?, number, order.payload)?;
    Ok(course.end().reading(""))
}

/// So many tasks, each of which asks again and again.
pub(super) async fn in_flight(order: &Order, asks: usize) -> anyhow::Result<Reading> {
    let counter = counter(order).await?;
    let next = Arc::new(AtomicU64::new(0));
    let mut rate = 0.0;
    for span in [order.warm_up(), order.effort] {
        let (first, begun) = (next.load(Ordering::Relaxed), Instant::now());
        let mut tasks = JoinSet::new();
        for _ in 0..asks {
            let (counter, next, payload) = (counter.clone(), next.clone(), order.payload);
            tasks.spawn(async move {
                while begun.elapsed() < span {
                    // All run on one thread, and none awaits between its number and its ask: they leave in order.
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    counter.count(Message::new(number, payload)).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        rate = per_second(next.load(Ordering::Relaxed) - first, begun.elapsed());
    }
    check(
        counter.total().await?,
        next.load(Ordering::Relaxed),
        order.payload,
    )?;
    Ok(reading("per_s", rate))
}

pub(super) async fn between_children(order: &Order) -> anyhow::Result<Reading> {
    let one = Counter::spawn(None).process().await?;
    let other = Counter::spawn(None).process().await?;
    Ok(one.ask_other(other, order.clone()).await?)
}

/// The context switches of an actor's process that was hot and is left alone, whatever wakes it.
pub(super) async fn idle(order: &Order) -> anyhow::Result<Reading> {
    let counter = counter(order).await?;
    ask_on(&counter, order).await?;
    let pid = send(&counter, info, ()).await?.actor.pid;
    sleep(REST).await;
    let before = context_switches(pid)?;
    sleep(match order.effort {
        smoke if smoke < WHOLE_EFFORT => REST,
        _ => LONG_SILENCE,
    })
    .await;
    Ok(reading("switches", context_switches(pid)? - before))
}
