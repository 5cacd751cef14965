//! One-way messages.

use std::net::TcpStream;
use std::time::Instant;

use pulsar::prelude::*;
use tokio::sync::oneshot;

use super::ask::counter;
use super::counter::Counter;
use crate::client::echoes;
use crate::message::{Message, check};
use crate::order::{Order, Reading, reading};
use crate::samples::per_second;

/// Messages between two looks at the clock.
const BATCH: u64 = 256;

pub(super) async fn across(order: &Order) -> anyhow::Result<Reading> {
    tell(&counter(order).await?, order).await
}

pub(super) async fn within_a_loop(order: &Order) -> anyhow::Result<Reading> {
    let counter = Counter::spawn(None).task().await?;
    tell(&counter, order).await
}

/// Until the last message has been counted.
async fn tell(counter: &Proxy<Counter>, order: &Order) -> anyhow::Result<Reading> {
    let (mut number, mut rate) = (0, 0.0);
    for span in [order.warm_up(), order.effort] {
        let (first, begun) = (number, Instant::now());
        while begun.elapsed() < span {
            for _ in 0..BATCH {
                counter.note(Message::new(number, order.payload)).await?;
                number += 1;
            }
        }
        check(counter.total().await?, number, order.payload)?;
        rate = per_second(number - first, begun.elapsed());
    }
    Ok(reading("per_s", rate))
}

/// An echo on the actor's loop, asked by a thread: first alone, then while messages flood the actor.
pub(super) async fn beside_an_echo(order: &Order) -> anyhow::Result<Reading> {
    let counter = counter(order).await?;
    let address = ("127.0.0.1", counter.serve_echo().await?);
    let quiet = client(TcpStream::connect(address)?, order).await??;
    let mut flooded = client(TcpStream::connect(address)?, order);
    let mut number = 0;
    let flooded = loop {
        for _ in 0..BATCH {
            counter.note(Message::new(number, order.payload)).await?;
            number += 1;
        }
        if let Ok(samples) = flooded.try_recv() {
            break samples?;
        }
    };
    check(counter.total().await?, number, order.payload)?;
    let mut both = quiet.reading("quiet_");
    both.extend(flooded.reading("flood_"));
    Ok(both)
}

fn client(
    stream: TcpStream,
    order: &Order,
) -> oneshot::Receiver<anyhow::Result<crate::samples::Samples>> {
    let (sender, receiver) = oneshot::channel();
    let order = order.clone();
    std::thread::spawn(move || {
        // If nobody waits any longer, the work has failed elsewhere.
        let _ = sender.send(echoes(stream, &order));
    });
    receiver
}
