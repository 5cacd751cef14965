//! iceoryx2, which always polls: request and response for asks, publish and subscribe for one-way messages:
//! <https://crates.io/crates/iceoryx2>.

use std::collections::VecDeque;
use std::hint::spin_loop;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use ::iceoryx2::pending_response::PendingResponse;
use ::iceoryx2::port::client::Client;
use ::iceoryx2::prelude::*;
use ::iceoryx2::service::port_factory::{publish_subscribe, request_response};
use anyhow::Context;
use pulsar_bench_raw::{Child, fork};

use crate::asking::one_by_one;
use crate::cores;
use crate::message::{Encoded, Ledger, check};
use crate::order::{Order, Reading, Work, reading};
use crate::samples::per_second;

type Asks = request_response::PortFactory<ipc::Service, [u8], (), u64, ()>;
type Notes = publish_subscribe::PortFactory<ipc::Service, [u8], ()>;
type Pending = PendingResponse<ipc::Service, [u8], (), u64, ()>;

/// Messages that wait for the subscriber.
const BUFFER: usize = 1024;
/// Requests in flight that a service has room for.
const MOST_ACTIVE: usize = 64;
/// A message with this number asks for the total.
const LAST: u64 = u64::MAX;

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    match order.work {
        Work::Ask => ask(order),
        Work::AsksInFlight(asks) => in_flight(order, asks),
        Work::Tell => tell(order),
        work => anyhow::bail!("it is not made for {work:?}"),
    }
}

/// A service of this reading's own; both sides open it.
fn name(reader: u32) -> anyhow::Result<ServiceName> {
    Ok(format!("pulsar-bench/{reader}").as_str().try_into()?)
}

fn node() -> anyhow::Result<Node<ipc::Service>> {
    // What it says about its files is of no interest here.
    set_log_level(LogLevel::Error);
    Ok(NodeBuilder::new().create::<ipc::Service>()?)
}

/// Forks the other side, which says a word when it is there.
fn other_side(
    order: &Order,
    work: impl FnOnce(&mut UnixStream) -> anyhow::Result<()>,
) -> anyhow::Result<(Child, UnixStream)> {
    let places = order.cores.places()?;
    let (mut ours, mut theirs) = UnixStream::pair()?;
    let callee = fork(|| {
        let done = cores::keep(places.callee).and_then(|()| work(&mut theirs));
        i32::from(done.is_err())
    })?;
    drop(theirs);
    ours.read_exact(&mut [0])
        .context("the other side has failed")?;
    cores::keep(places.caller)?;
    Ok((callee, ours))
}

fn asks(node: &Node<ipc::Service>, reader: u32) -> anyhow::Result<Asks> {
    let service = node
        .service_builder(&name(reader)?)
        .request_response::<[u8], u64>()
        .max_active_requests_per_client(MOST_ACTIVE);
    Ok(service.open_or_create()?)
}

fn answer_asks(reader: u32, ready: &mut UnixStream, length: usize) -> anyhow::Result<()> {
    let node = node()?;
    let server = asks(&node, reader)?.server_builder().create()?;
    ready.write_all(&[1])?;
    let mut ledger = Ledger::default();
    loop {
        let Some(request) = server.receive()? else {
            spin_loop();
            continue;
        };
        anyhow::ensure!(request.payload().len() == length, "another length");
        request.send_copy(ledger.enter_bytes(request.payload()))?;
    }
}

struct Caller {
    client: Client<ipc::Service, [u8], (), u64, ()>,
    message: Encoded,
    number: u64,
}

impl Caller {
    fn send(&mut self) -> anyhow::Result<Pending> {
        let bytes = self.message.numbered(self.number);
        self.number += 1;
        let request = self.client.loan_slice_uninit(bytes.len())?;
        Ok(request.write_from_slice(bytes).send()?)
    }
}

fn answer(pending: &Pending) -> anyhow::Result<u64> {
    loop {
        if let Some(response) = pending.receive()? {
            return Ok(*response);
        }
        spin_loop();
    }
}

fn caller(order: &Order) -> anyhow::Result<(Caller, Child, Node<ipc::Service>)> {
    let reader = std::process::id();
    let message = Encoded::new(order.payload);
    let length = size_of::<u64>() + order.payload;
    let (callee, _) = other_side(order, |ready| answer_asks(reader, ready, length))?;
    let node = node()?;
    let service = asks(&node, reader)?;
    let client = service
        .client_builder()
        .initial_max_slice_len(length)
        .create()?;
    let caller = Caller {
        client,
        message,
        number: 0,
    };
    Ok((caller, callee, node))
}

fn ask(order: &Order) -> anyhow::Result<Reading> {
    let (mut caller, _callee, _node) = caller(order)?;
    // The caller counts for itself, from zero too.
    one_by_one(order, None, |_| answer(&caller.send()?))
}

fn in_flight(order: &Order, asks: usize) -> anyhow::Result<Reading> {
    let (mut caller, _callee, _node) = caller(order)?;
    let mut flying: VecDeque<Pending> = VecDeque::new();
    let (mut total, mut rate) = (0, 0.0);
    for span in [order.warm_up(), order.effort] {
        let (first, begun) = (caller.number, Instant::now());
        loop {
            let is_over = begun.elapsed() >= span;
            if !is_over && flying.len() < asks {
                flying.push_back(caller.send()?);
            } else if let Some(oldest) = flying.pop_front() {
                total = answer(&oldest)?;
            } else {
                break;
            }
        }
        rate = per_second(caller.number - first, begun.elapsed());
    }
    check(total, caller.number, order.payload)?;
    Ok(reading("per_s", rate))
}

fn notes(node: &Node<ipc::Service>, reader: u32) -> anyhow::Result<Notes> {
    let service = node
        .service_builder(&name(reader)?)
        .publish_subscribe::<[u8]>()
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(BUFFER);
    Ok(service.open_or_create()?)
}

fn count_notes(reader: u32, ready: &mut UnixStream) -> anyhow::Result<()> {
    let node = node()?;
    let subscriber = notes(&node, reader)?
        .subscriber_builder()
        .buffer_size(BUFFER)
        .create()?;
    ready.write_all(&[1])?;
    let mut ledger = Ledger::default();
    loop {
        let Some(note) = subscriber.receive()? else {
            spin_loop();
            continue;
        };
        match note.payload().starts_with(&LAST.to_le_bytes()) {
            true => ready.write_all(&ledger.total().to_le_bytes())?,
            false => drop(ledger.enter_bytes(note.payload())),
        }
    }
}

fn tell(order: &Order) -> anyhow::Result<Reading> {
    let reader = std::process::id();
    let (_callee, mut totals) = other_side(order, |ready| count_notes(reader, ready))?;
    let node = node()?;
    let mut message = Encoded::new(order.payload);
    let publisher = notes(&node, reader)?
        .publisher_builder()
        .initial_max_slice_len(size_of::<u64>() + order.payload)
        .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
        .create()?;
    let mut publish = |number| {
        let bytes = message.numbered(number);
        let sample = publisher.loan_slice_uninit(bytes.len())?;
        sample.write_from_slice(bytes).send()?;
        anyhow::Ok(())
    };
    // A publisher that nobody has connected to yet drops what its buffer has no room for: the first is waited for.
    publish(LAST)?;
    let mut total = [0; size_of::<u64>()];
    totals.read_exact(&mut total)?;
    let (mut number, mut rate) = (0, 0.0);
    for span in [order.warm_up(), order.effort] {
        let (first, begun) = (number, Instant::now());
        while begun.elapsed() < span {
            for _ in 0..64 {
                publish(number)?;
                number += 1;
            }
        }
        publish(LAST)?;
        totals.read_exact(&mut total)?;
        check(u64::from_le_bytes(total), number, order.payload)?;
        rate = per_second(number - first, begun.elapsed());
    }
    Ok(reading("per_s", rate))
}
