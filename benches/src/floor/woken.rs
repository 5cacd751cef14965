//! Two processes with a bare ring each way, which sleep on an eventfd: what any wake-up costs.

use std::os::fd::OwnedFd;
use std::time::Duration;

use pulsar_bench_raw::{Child, Consumer, Producer, Ring, fork};
use rustix::event::{EventfdFlags, eventfd};

use crate::asking::{SILENCE, one_by_one};
use crate::cores;
use crate::message::{Encoded, Ledger};
use crate::order::{Order, Reading};

const SLOTS: usize = 4;

struct Pair {
    there: Producer,
    there_bell: OwnedFd,
    back: Consumer,
    back_bell: OwnedFd,
    _callee: Child,
}

impl Pair {
    fn start(order: &Order) -> anyhow::Result<Self> {
        let places = order.cores.places()?;
        let length = size_of::<u64>() + order.payload;
        let (there, back) = (
            Ring::new(length, SLOTS)?,
            Ring::new(size_of::<u64>(), SLOTS)?,
        );
        let bell = || eventfd(0, EventfdFlags::CLOEXEC);
        let (there_bell, back_bell) = (bell()?, bell()?);
        let callee = fork(|| {
            let (mut there, mut back) = (there.consumer(), back.producer());
            let mut ledger = Ledger::default();
            let mut message = vec![0; length];
            let mut done = cores::keep(places.callee);
            while done.is_ok() {
                done = wait(&there_bell).and_then(|()| {
                    there.pop(&mut message);
                    back.push(&ledger.enter_bytes(&message).to_le_bytes());
                    ring(&back_bell)
                });
            }
            1
        })?;
        cores::keep(places.caller)?;
        Ok(Self {
            there: there.producer(),
            there_bell,
            back: back.consumer(),
            back_bell,
            _callee: callee,
        })
    }

    fn ask(&mut self, message: &[u8]) -> anyhow::Result<u64> {
        self.there.push(message);
        ring(&self.there_bell)?;
        wait(&self.back_bell)?;
        let mut total = [0; size_of::<u64>()];
        self.back.pop(&mut total);
        Ok(u64::from_le_bytes(total))
    }
}

fn ring(bell: &OwnedFd) -> anyhow::Result<()> {
    rustix::io::write(bell, &1_u64.to_ne_bytes())?;
    Ok(())
}

fn wait(bell: &OwnedFd) -> anyhow::Result<()> {
    rustix::io::read(bell, &mut [0_u8; size_of::<u64>()])?;
    Ok(())
}

pub(super) fn ask(order: &Order) -> anyhow::Result<Reading> {
    ask_after(order, None)
}

pub(super) fn cold_ask(order: &Order) -> anyhow::Result<Reading> {
    ask_after(order, Some(SILENCE))
}

fn ask_after(order: &Order, silence: Option<Duration>) -> anyhow::Result<Reading> {
    let mut pair = Pair::start(order)?;
    let mut message = Encoded::new(order.payload);
    one_by_one(order, silence, |number| pair.ask(message.numbered(number)))
}
