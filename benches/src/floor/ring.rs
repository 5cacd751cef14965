//! Two processes with a bare ring each way, both polling.

use pulsar_bench_raw::{Child, Consumer, Producer, Ring, fork};

use crate::asking::one_by_one;
use crate::cores;
use crate::message::{Encoded, Ledger, check};
use crate::order::{Order, Reading, reading};
use crate::samples::per_second;

/// Bytes of a ring at most; a large message has fewer slots.
const RING: usize = 1 << 20;
const MOST_SLOTS: usize = 1024;
/// A message with this number asks for the total.
const LAST: u64 = u64::MAX;

/// The caller's ends, and the process at the others. It counts messages until it is killed.
struct Pair {
    there: Producer,
    back: Consumer,
    _callee: Child,
}

impl Pair {
    /// `answers`: whether each message is answered, or the last one only.
    fn start(order: &Order, answers: bool) -> anyhow::Result<Self> {
        let places = order.cores.places()?;
        let length = size_of::<u64>() + order.payload;
        let slots = (RING / length).clamp(2, MOST_SLOTS);
        let slots = 1 << slots.ilog2();
        let (there, back) = (
            Ring::new(length, slots)?,
            Ring::new(size_of::<u64>(), slots)?,
        );
        let callee = fork(|| {
            let done = cores::keep(places.callee);
            if done.is_ok() {
                count(there.consumer(), back.producer(), length, answers);
            }
            1
        })?;
        cores::keep(places.caller)?;
        Ok(Self {
            there: there.producer(),
            back: back.consumer(),
            _callee: callee,
        })
    }

    fn answer(&mut self) -> u64 {
        let mut total = [0; size_of::<u64>()];
        self.back.pop(&mut total);
        u64::from_le_bytes(total)
    }
}

fn count(mut there: Consumer, mut back: Producer, length: usize, answers: bool) {
    let mut ledger = Ledger::default();
    let mut message = vec![0; length];
    loop {
        there.pop(&mut message);
        let is_last = message[..size_of::<u64>()] == LAST.to_le_bytes();
        if !is_last {
            ledger.enter_bytes(&message);
        }
        if answers || is_last {
            back.push(&ledger.total().to_le_bytes());
        }
    }
}

pub(super) fn ask(order: &Order) -> anyhow::Result<Reading> {
    let mut pair = Pair::start(order, true)?;
    let mut message = Encoded::new(order.payload);
    one_by_one(order, None, |number| {
        pair.there.push(message.numbered(number));
        Ok(pair.answer())
    })
}

/// As many a second as there would be one after the other: the machine's unit for asks.
pub(super) fn round_trips(order: &Order) -> anyhow::Result<Reading> {
    let reading = ask(order)?;
    let p50_us = reading.get("p50_us").copied().unwrap_or(f64::NAN);
    Ok(crate::order::reading("per_s", 1e6 / p50_us))
}

pub(super) fn tell(order: &Order) -> anyhow::Result<Reading> {
    let mut pair = Pair::start(order, false)?;
    let mut message = Encoded::new(order.payload);
    let (mut number, mut rate) = (0, 0.0);
    for span in [order.warm_up(), order.effort] {
        let (first, begun) = (number, std::time::Instant::now());
        while begun.elapsed() < span {
            for _ in 0..256 {
                pair.there.push(message.numbered(number));
                number += 1;
            }
        }
        pair.there.push(message.numbered(LAST));
        check(pair.answer(), number, order.payload)?;
        rate = per_second(number - first, begun.elapsed());
    }
    Ok(reading("per_s", rate))
}
