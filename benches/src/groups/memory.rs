//! What an idle actor takes.

use crate::goal::Rule::{AtMost, AtMostOfPeer};
use crate::measure::Measure;
use crate::order::Work;

const PROCESSES: usize = 300;
const TASKS: usize = 100_000;

pub(super) fn measures(smoke: bool) -> Vec<Measure> {
    let (processes, tasks) = match smoke {
        true => (4, 1_000),
        false => (PROCESSES, TASKS),
    };
    let process = Measure::new("process_pss_kb", Work::ProcessMemory(processes), "pss_kb");
    let task = Measure::new("task_bytes", Work::TaskMemory(tasks), "bytes");
    vec![
        process
            .peers(&["reexec", "python"])
            .goal("≤ 150 kB", AtMost(150.0)),
        task.peers(&["ractor", "kameo", "actix", "erlang"])
            .goal("≤ ractor's", AtMostOfPeer("ractor", 1.0)),
    ]
}
