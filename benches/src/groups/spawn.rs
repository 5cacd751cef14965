//! How soon an actor is there.

use crate::goal::Rule::{AtLeast, AtMostOfFloor, AtMostOfPeer};
use crate::measure::Measure;
use crate::order::Work;

const AT_ONCE: usize = 8;

pub(super) fn measures(_smoke: bool) -> Vec<Measure> {
    let process = Measure::new("process_p50_us", Work::SpawnProcess, "p50_us");
    let thread = Measure::new("thread_p50_us", Work::SpawnThread, "p50_us");
    let task = Measure::new("task_p50_us", Work::SpawnTask, "p50_us");
    let at_once = Measure::new(
        format!("process_{AT_ONCE}_in_flight_per_s"),
        Work::SpawnProcesses(AT_ONCE),
        "per_s",
    );
    vec![
        process.peers(&["fork_bare", "reexec", "python"]).goal(
            "≤ 1.3 of a fork in a template with a runtime",
            AtMostOfFloor(1.3),
        ),
        at_once.goal("≥ 4,000 a second", AtLeast(4_000.0)),
        thread,
        task.peers(&["ractor", "kameo", "actix", "erlang"])
            .goal("≤ ractor's", AtMostOfPeer("ractor", 1.0)),
    ]
}
