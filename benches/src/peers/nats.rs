//! NATS between two processes: requests with an inbox; publications.

use std::process::Command;
use std::time::Instant;

use pulsar_bench_raw::fork;

use super::program::{Lines, Server, connect, find, free_port};
use crate::asking::one_by_one;
use crate::message::{Encoded, Ledger, check};
use crate::order::{Order, Reading, Work, reading};
use crate::samples::per_second;

const BATCH: u64 = 256;
/// A broker cuts off a subscriber that falls far behind, so the sender asks for the total each so many messages.
const UNCOUNTED: u64 = 65_536;

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    let nats = find("nats-server")?;
    let port = free_port()?;
    let mut command = Command::new(nats);
    let _server = Server::start(command.args(["-a", "127.0.0.1", "-p", &port.to_string()]))?;
    let mut broker = login(port)?;
    subscribe(&mut broker, "SUB back 1\r\n")?;
    let _callee = fork(|| i32::from(count(port).is_err()))?;
    // The other side says its total once it has subscribed.
    check(answer(&mut broker)?, 0, 0)?;
    match order.work {
        Work::Ask => ask(order, &mut broker),
        Work::Tell => tell(order, &mut broker),
        work => anyhow::bail!("it is not made for {work:?}"),
    }
}

fn login(port: u16) -> anyhow::Result<Lines> {
    let mut broker = Lines::new(connect(port)?);
    broker.send(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"no_responders\":true,\"headers\":true}\r\n")?;
    Ok(broker)
}

/// Subscribes, and waits until the broker has taken note of it.
fn subscribe(broker: &mut Lines, subscriptions: &str) -> anyhow::Result<()> {
    broker.send(subscriptions.as_bytes())?;
    broker.send(b"PING\r\n")?;
    while broker.line()? != "PONG" {}
    Ok(())
}

fn publication(subject: &str, message: &[u8]) -> Vec<u8> {
    let mut bytes = format!("PUB {subject} {}\r\n", message.len()).into_bytes();
    bytes.extend_from_slice(message);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// The next message: its subject, and what it says.
fn next(broker: &mut Lines) -> anyhow::Result<(String, Vec<u8>)> {
    loop {
        let line = broker.line()?;
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["MSG", subject, .., length] => {
                return Ok(((*subject).to_owned(), broker.bytes(length.parse()?)?));
            }
            ["PING"] => broker.send(b"PONG\r\n")?,
            ["INFO" | "PONG" | "+OK", ..] => {}
            _ => anyhow::bail!("nats says {line:?}"),
        }
    }
}

/// The other side: `ask` and `tell` are counted, `ask` and `total` answered.
fn count(port: u16) -> anyhow::Result<()> {
    let mut broker = login(port)?;
    subscribe(&mut broker, "SUB ask 1\r\nSUB tell 2\r\nSUB total 3\r\n")?;
    let mut ledger = Ledger::default();
    broker.send(&publication("back", &ledger.total().to_le_bytes()))?;
    loop {
        let (subject, message) = next(&mut broker)?;
        if subject != "total" {
            ledger.enter_bytes(&message);
        }
        if subject != "tell" {
            broker.send(&publication("back", &ledger.total().to_le_bytes()))?;
        }
    }
}

fn answer(broker: &mut Lines) -> anyhow::Result<u64> {
    let (_, bytes) = next(broker)?;
    Ok(u64::from_le_bytes(bytes.as_slice().try_into()?))
}

fn total(broker: &mut Lines) -> anyhow::Result<u64> {
    broker.send(&publication("total", b""))?;
    answer(broker)
}

fn ask(order: &Order, broker: &mut Lines) -> anyhow::Result<Reading> {
    let mut message = Encoded::new(order.payload);
    one_by_one(order, None, |number| {
        broker.send(&publication("ask", message.numbered(number)))?;
        answer(broker)
    })
}

fn tell(order: &Order, broker: &mut Lines) -> anyhow::Result<Reading> {
    let mut message = Encoded::new(order.payload);
    let (mut number, mut rate) = (0, 0.0);
    for span in [order.warm_up(), order.effort] {
        let (first, begun) = (number, Instant::now());
        while begun.elapsed() < span {
            let mut batch = Vec::new();
            for _ in 0..BATCH {
                batch.extend(publication("tell", message.numbered(number)));
                number += 1;
            }
            broker.send(&batch)?;
            if number.is_multiple_of(UNCOUNTED) {
                total(broker)?;
            }
        }
        check(total(broker)?, number, order.payload)?;
        rate = per_second(number - first, begun.elapsed());
    }
    Ok(reading("per_s", rate))
}
