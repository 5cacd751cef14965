//! Raw code: what the machine and tokio give, with nothing around it.

mod http;
mod in_loop;
mod life;
mod memfd;
mod ring;
mod woken;

pub(crate) use life::{Kind, live_on_a_loop, memory, spawn_one_by_one};

use crate::local;
use crate::order::{Cores, Order, Reading, Work};

/// Does a piece of work; what was measured.
pub(crate) fn read(order: &Order) -> anyhow::Result<Reading> {
    match (order.work, order.cores) {
        // Two that poll on one core would wait for the scheduler.
        (Work::Ask, Cores::Same) => woken::ask(order),
        (Work::Ask, _) => ring::ask(order),
        (Work::ColdAsk, _) => woken::cold_ask(order),
        (Work::AsksInFlight(_), _) => ring::round_trips(order),
        (Work::Tell, _) => ring::tell(order),
        (Work::LoopAsk | Work::LoopTell | Work::SpawnTask | Work::TaskMemory(_), _) => {
            local::on_tokio::<in_loop::Counter>(order)
        }
        (Work::SpawnProcess, _) => spawn_one_by_one(order, Kind::Runtime),
        (Work::SpawnProcesses(at_once), _) => life::spawn_at_once(order, at_once),
        (Work::SpawnThread, _) => life::spawn_threads(order),
        (Work::ProcessMemory(processes), _) => memory(processes, Kind::Runtime),
        (Work::Death, _) => life::deaths(order),
        (Work::Share(bytes), _) => memfd::share(order, bytes),
        (Work::Http | Work::HttpService, _) => http::read(order),
        (work, _) => anyhow::bail!("there is no floor of {work:?}"),
    }
}
