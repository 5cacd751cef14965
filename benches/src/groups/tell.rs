//! One-way messages, counted in the handler.

use crate::goal::Rule::{All, AtLeast, AtLeastOfFloor, BeatsPeersBut};
use crate::measure::Measure;
use crate::order::{Cores, Work};

const ACROSS: &[&str] = &[
    "iceoryx2",
    "ipc_channel",
    "tokio_socket",
    "redis",
    "nats",
    "erlang",
];
/// Those that are built in: the large payloads say little of the others.
const BUILT_IN: &[&str] = &["iceoryx2", "ipc_channel", "tokio_socket"];

pub(super) fn measures(_smoke: bool) -> Vec<Measure> {
    let across = |name: &str| Measure::new(name, Work::Tell, "per_s");
    let within = |name: &str| Measure::new(name, Work::LoopTell, "per_s");
    vec![
        across("process_per_s").peers(ACROSS).goal(
            "≥ 10 M/s, and above every peer but tokio_socket",
            All(vec![AtLeast(10e6), BeatsPeersBut(&["tokio_socket"])]),
        ),
        across("process_per_s_pinned")
            .cores(Cores::Apart)
            .peers(BUILT_IN),
        across("process_per_s_0b").payload(0).peers(BUILT_IN),
        across("process_per_s_4096b").payload(4096).peers(BUILT_IN),
        across("process_per_s_65536b")
            .payload(65_536)
            .peers(BUILT_IN),
        within("loop_per_s")
            .peers(&["ractor", "kameo", "actix", "erlang"])
            .goal("≥ 0.9 of tokio's mpsc", AtLeastOfFloor(0.9)),
    ]
}
