//! Memory that is handed over and not copied.

use crate::goal::Rule::AtMost;
use crate::measure::Measure;
use crate::order::Work;

pub(super) fn measures(smoke: bool) -> Vec<Measure> {
    let bytes = match smoke {
        true => 1 << 20,
        false => 1 << 30,
    };
    let gib = Measure::new("gib_p50_us", Work::Share(bytes), "p50_us");
    vec![gib.peers(&["ipc_channel"]).goal("≤ 150 µs", AtMost(150.0))]
}
