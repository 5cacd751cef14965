//! Measures Pulsar beside its peers and beside raw code: interleaved, in one run, over several rounds.
//!
//! `cargo pulsar-bench [--json FILE] [--plot DIR] [GROUP…]`. How to read the figures is in `docs/performance.md`.
//!
//! # Layout
//!
//! * `cli`: what can be said on the command line.
//! * `groups`: what is measured, beside whom, and the goals: one file for each group. `measure`, `goal`: their nouns.
//! * `rounds`: the interleaving. It runs each *contender* as a process of its own, a fresh one for each `Reading`
//!   (`contender`), which does one piece of `Work` as its `Order` says (`order`).
//! * `ours`, `floor`, `peers`: the contenders. `message`: what all of them send. `local`: what those within one loop
//!   do. `samples`, `cores`, `process`, `client`: what they measure with.
//! * `finding`: what the rounds come to, by `stats`. `report`: as a table, as JSON, as plots.
#![forbid(unsafe_code)]

mod asking;
mod cli;
mod client;
mod contender;
mod cores;
mod finding;
mod floor;
mod goal;
mod groups;
mod local;
mod measure;
mod message;
mod order;
mod ours;
mod peers;
mod process;
mod report;
mod rounds;
mod samples;
mod stats;

use std::process::ExitCode;

use order::Order;

/// The program is three things: a child of Pulsar's, which `#[pulsar::main]` takes care of; a contender, if there is
/// an order for it; or the one who compares them.
#[pulsar::main]
fn main() -> ExitCode {
    let done = match Order::given() {
        Ok(Some(order)) => contender::fulfil(&order),
        Ok(None) => cli::run(),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pulsar-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
