//! Redis between two processes: a list for each way.

use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use pulsar_bench_raw::fork;

use super::program::{Lines, Server, connect, find, free_port};
use crate::asking::one_by_one;
use crate::message::{Encoded, Ledger, check};
use crate::order::{Order, Reading, Work, reading};
use crate::samples::per_second;

/// Messages that are sent, and taken, at once where nobody waits for an answer to each.
const BATCH: u64 = 256;
/// A message with this number asks for the total.
const LAST: u64 = u64::MAX;

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    let redis = find("redis-server")?;
    let port = free_port()?;
    let mut command = Command::new(redis);
    let command = command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    let _server = Server::start(command.args(["--save", "", "--appendonly", "no"]))?;
    let is_tell = order.work == Work::Tell;
    let _callee = fork(|| i32::from(count(port, is_tell).is_err()))?;
    let mut broker = Lines::new(connect(port)?);
    match order.work {
        Work::Ask => ask(order, &mut broker),
        Work::Tell => tell(order, &mut broker),
        work => anyhow::bail!("it is not made for {work:?}"),
    }
}

fn command(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn number(line: &str, kind: char) -> anyhow::Result<i64> {
    let rest = line.strip_prefix(kind);
    Ok(rest
        .with_context(|| format!("redis says {line:?}"))?
        .parse()?)
}

/// The strings of an array; none of none.
fn strings(broker: &mut Lines) -> anyhow::Result<Vec<Vec<u8>>> {
    let count = number(&broker.line()?, '*')?.max(0);
    let string = |_| {
        let length = number(&broker.line()?, '$')?;
        broker.bytes(usize::try_from(length)?)
    };
    (0..count).map(string).collect()
}

fn push(broker: &mut Lines, list: &str, message: &[u8]) -> anyhow::Result<()> {
    broker.send(&command(&[b"RPUSH", list.as_bytes(), message]))?;
    number(&broker.line()?, ':').map(drop)
}

/// Waits for a message of the list.
fn pop(broker: &mut Lines, list: &str) -> anyhow::Result<Vec<u8>> {
    broker.send(&command(&[b"BLPOP", list.as_bytes(), b"0"]))?;
    strings(broker)?.pop().context("no message")
}

/// The other side. It takes one at a time, or as many as there are.
fn count(port: u16, is_tell: bool) -> anyhow::Result<()> {
    let mut broker = Lines::new(connect(port)?);
    let mut ledger = Ledger::default();
    loop {
        let mut messages = vec![pop(&mut broker, "there")?];
        if is_tell {
            let most = BATCH.to_string();
            broker.send(&command(&[b"LPOP", b"there", most.as_bytes()]))?;
            messages.extend(strings(&mut broker)?);
        }
        for message in messages {
            let is_last = message.starts_with(&LAST.to_le_bytes());
            if !is_last {
                ledger.enter_bytes(&message);
            }
            if !is_tell || is_last {
                push(&mut broker, "back", &ledger.total().to_le_bytes())?;
            }
        }
    }
}

fn total(broker: &mut Lines) -> anyhow::Result<u64> {
    let bytes = pop(broker, "back")?;
    Ok(u64::from_le_bytes(bytes.as_slice().try_into()?))
}

fn ask(order: &Order, broker: &mut Lines) -> anyhow::Result<Reading> {
    let mut message = Encoded::new(order.payload);
    one_by_one(order, None, |number| {
        push(broker, "there", message.numbered(number))?;
        total(broker)
    })
}

fn tell(order: &Order, broker: &mut Lines) -> anyhow::Result<Reading> {
    let mut message = Encoded::new(order.payload);
    let (mut sent, mut rate) = (0, 0.0);
    for span in [order.warm_up(), order.effort] {
        let (first, begun) = (sent, Instant::now());
        while begun.elapsed() < span {
            let mut batch = Vec::new();
            for _ in 0..BATCH {
                batch.extend(command(&[b"RPUSH", b"there", message.numbered(sent)]));
                sent += 1;
            }
            broker.send(&batch)?;
            for _ in 0..BATCH {
                number(&broker.line()?, ':')?;
            }
        }
        push(broker, "there", message.numbered(LAST))?;
        check(total(broker)?, sent, order.payload)?;
        rate = per_second(sent - first, begun.elapsed());
    }
    Ok(reading("per_s", rate))
}
