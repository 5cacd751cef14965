//! ipc-channel: <https://crates.io/crates/ipc-channel>.

use std::time::{Duration, Instant};

use ipc_channel::ipc::{self, IpcReceiver, IpcSender, IpcSharedMemory};
use pulsar_bench_raw::{Child, fork};

use crate::asking::{SILENCE, one_by_one};
use crate::cores;
use crate::message::{Ledger, Message, check};
use crate::order::{Order, Reading, Work, reading};
use crate::samples::{Samples, per_second};

/// A message with this number asks for the total.
const LAST: u64 = u64::MAX;

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    match order.work {
        Work::Ask => ask(order, None),
        Work::ColdAsk => ask(order, Some(SILENCE)),
        Work::Tell => tell(order),
        Work::Share(bytes) => share(order, bytes),
        work => anyhow::bail!("it is not made for {work:?}"),
    }
}

struct Pair {
    there: IpcSender<Message>,
    back: IpcReceiver<u64>,
    _callee: Child,
}

/// `answers`: whether each message is answered, or the last one only.
fn start(order: &Order, answers: bool) -> anyhow::Result<Pair> {
    let places = order.cores.places()?;
    let (there, arriving) = ipc::channel()?;
    let (answering, back) = ipc::channel()?;
    let callee = fork(|| {
        let counted =
            cores::keep(places.callee).and_then(|()| count(&arriving, &answering, answers));
        i32::from(counted.is_err())
    })?;
    cores::keep(places.caller)?;
    Ok(Pair {
        there,
        back,
        _callee: callee,
    })
}

fn count(
    arriving: &IpcReceiver<Message>,
    answering: &IpcSender<u64>,
    answers: bool,
) -> anyhow::Result<()> {
    let mut ledger = Ledger::default();
    loop {
        let message = arriving.recv()?;
        let is_last = message.number == LAST;
        if !is_last {
            ledger.enter(&message);
        }
        if answers || is_last {
            answering.send(ledger.total())?;
        }
    }
}

fn ask(order: &Order, silence: Option<Duration>) -> anyhow::Result<Reading> {
    let pair = start(order, true)?;
    one_by_one(order, silence, |number| {
        pair.there.send(Message::new(number, order.payload))?;
        Ok(pair.back.recv()?)
    })
}

fn tell(order: &Order) -> anyhow::Result<Reading> {
    let pair = start(order, false)?;
    let (mut number, mut rate) = (0, 0.0);
    for span in [order.warm_up(), order.effort] {
        let (first, begun) = (number, Instant::now());
        while begun.elapsed() < span {
            for _ in 0..64 {
                pair.there.send(Message::new(number, order.payload))?;
                number += 1;
            }
        }
        pair.there.send(Message::new(LAST, 0))?;
        check(pair.back.recv()?, number, order.payload)?;
        rate = per_second(number - first, begun.elapsed());
    }
    Ok(reading("per_s", rate))
}

fn share(order: &Order, bytes: usize) -> anyhow::Result<Reading> {
    let (there, arriving) = ipc::channel::<IpcSharedMemory>()?;
    let (answering, back) = ipc::channel::<u64>()?;
    let _callee = fork(|| {
        while let Ok(memory) = arriving.recv() {
            let ends = [memory.first(), memory.last()];
            let sum = ends.into_iter().flatten().copied().map(u64::from).sum();
            if answering.send(sum).is_err() {
                break;
            }
        }
        1
    })?;
    let memory = IpcSharedMemory::from_byte(1, bytes);
    let samples = Samples::of(order, || {
        there.send(memory.clone())?;
        let sum = back.recv()?;
        anyhow::ensure!(sum == 2, "the ends add up to {sum}");
        Ok(())
    })?;
    Ok(samples.reading(""))
}
