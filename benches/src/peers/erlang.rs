//! Erlang: `gen_server` in one node, and between two.

use std::process::Command;

use super::program::{find, measured};
use crate::order::{Order, Reading, Work};

const MODULE: &str = include_str!("../../programs/measure.erl");

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    let (erl, erlc) = (find("erl")?, find("erlc")?);
    let work = match order.work {
        Work::Ask => "ask",
        Work::Tell => "tell",
        Work::LoopAsk => "loop_ask",
        Work::LoopTell => "loop_tell",
        Work::SpawnTask => "spawn",
        Work::TaskMemory(_) => "memory",
        work => anyhow::bail!("it is not made for {work:?}"),
    };
    let folder = std::env::temp_dir();
    if !folder.join("measure.beam").exists() {
        std::fs::write(folder.join("measure.erl"), MODULE)?;
        let compiled = Command::new(erlc)
            .arg("measure.erl")
            .current_dir(&folder)
            .status()?;
        anyhow::ensure!(compiled.success(), "erlc: {compiled}");
    }
    let number = match order.work {
        Work::TaskMemory(actors) => actors.to_string(),
        _ => order.effort.as_millis().to_string(),
    };
    let mut command = Command::new(erl);
    if matches!(order.work, Work::Ask | Work::Tell) {
        let name = format!("bench{}@localhost", std::process::id());
        command.args(["-sname", &name, "-setcookie", "bench"]);
    }
    let payload = order.payload.to_string();
    let command = command
        .env("ERL_FLAGS", "+P 1000000")
        .current_dir(&folder)
        .args([
            "-noinput", "-run", "measure", "main", work, &number, &payload,
        ]);
    measured(command)
}
