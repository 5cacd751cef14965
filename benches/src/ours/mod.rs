//! Pulsar, by its public API.

mod application;
mod ask;
mod counter;
mod death;
mod http;
mod memory;
mod scale;
mod share;
mod spawn;
mod tell;

use std::sync::mpsc;

use anyhow::Context;
use pulsar::{LogConfig, arbiter};

pub(crate) use application::{Application, serve};

use crate::order::{Order, Reading, Work};

/// Does a piece of work; what was measured.
pub(crate) fn read(order: &Order) -> anyhow::Result<Reading> {
    match order.work {
        Work::Http | Work::HttpService => http::read(order),
        Work::Scale(actors) => scale::read(order, actors),
        _ => in_arbiter(order.clone()),
    }
}

/// Runs an arbiter on this thread, the work as a task of its loop, and no longer than that.
fn in_arbiter(order: Order) -> anyhow::Result<Reading> {
    let (sender, receiver) = mpsc::sync_channel(1);
    arbiter().log(LogConfig {
        filter: "warn".to_owned(),
    });
    arbiter().at_start(move |cx| async move {
        let done = tokio::spawn(work(order)).await;
        // It has room for the one answer.
        let _ = sender.send(done.unwrap_or_else(|panic| Err(panic.into())));
        cx.stop();
    })?;
    let _ended = arbiter().start()?;
    receiver.try_recv().context("the work was not done")?
}

async fn work(order: Order) -> anyhow::Result<Reading> {
    match order.work {
        Work::Ask => ask::across(&order).await,
        Work::ColdAsk => ask::cold(&order).await,
        Work::AsksInFlight(asks) => ask::in_flight(&order, asks).await,
        Work::AskBetweenChildren => ask::between_children(&order).await,
        Work::LoopAsk => ask::within_a_loop(&order).await,
        Work::Idle => ask::idle(&order).await,
        Work::Echo => tell::beside_an_echo(&order).await,
        Work::Tell => tell::across(&order).await,
        Work::LoopTell => tell::within_a_loop(&order).await,
        Work::SpawnProcess => spawn::process(&order).await,
        Work::SpawnProcesses(at_once) => spawn::processes(&order, at_once).await,
        Work::SpawnThread => spawn::thread(&order).await,
        Work::SpawnTask => spawn::task(&order).await,
        Work::ProcessMemory(actors) => memory::processes(actors).await,
        Work::TaskMemory(actors) => memory::tasks(actors).await,
        Work::Death => death::read(&order).await,
        Work::Share(bytes) => share::read(&order, bytes).await,
        Work::Scale(_) | Work::Http | Work::HttpService => {
            anyhow::bail!("it is done in a process of its own")
        }
    }
}
