//! Python's `multiprocessing`, by `fork`: from the spawn to the first word over a pipe.

use std::process::Command;

use super::program::{find, measured};
use crate::order::{Order, Reading, Work};

const PROGRAM: &str = include_str!("../../programs/spawn.py");

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    let python = find("python3")?;
    let (work, count) = match order.work {
        Work::SpawnProcess => ("spawn", order.effort.as_millis().to_string()),
        Work::ProcessMemory(processes) => ("memory", processes.to_string()),
        work => anyhow::bail!("it is not made for {work:?}"),
    };
    measured(Command::new(python).args(["-c", PROGRAM, work, &count]))
}
