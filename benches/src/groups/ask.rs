//! Asks: a message to another, and its answer.

use crate::goal::Rule::{All, Any, AtLeast, AtMost, AtMostOfFloor, AtMostOfPeer};
use crate::measure::{Measure, OURS, Source};
use crate::order::{Cores, Work};

const ACROSS: &[&str] = &[
    "iceoryx2",
    "ipc_channel",
    "tokio_socket",
    "redis",
    "nats",
    "erlang",
];
const IN_FLIGHT: usize = 64;

pub(super) fn measures(_smoke: bool) -> Vec<Measure> {
    let mut measures = hot();
    measures.extend(other_payloads());
    measures.extend(sleeping());
    measures.push(in_flight());
    measures.extend(within_a_loop());
    measures.extend(beside());
    measures
}

fn hot() -> Vec<Measure> {
    let p50 = Measure::new("process_hot_p50_us", Work::Ask, "p50_us");
    let p99 = Measure::new("process_hot_p99_us", Work::Ask, "p99_us");
    let pinned = Measure::new("process_hot_p50_us_pinned", Work::Ask, "p50_us");
    let between = Measure::new(
        "process_to_process_p50_us",
        Work::AskBetweenChildren,
        "p50_us",
    );
    vec![
        p50.peers(ACROSS).goal(
            "≤ 0.9 µs, or ≤ 5 × the bare ring; below iceoryx2; ≤ 1/50 of tokio_socket",
            All(vec![
                Any(vec![AtMost(0.9), AtMostOfFloor(5.0)]),
                AtMostOfPeer("iceoryx2", 1.0),
                AtMostOfPeer("tokio_socket", 1.0 / 50.0),
            ]),
        ),
        p99.peers(ACROSS),
        pinned
            .cores(Cores::Apart)
            .peers(&["iceoryx2", "ipc_channel", "tokio_socket"]),
        between.floor(None),
    ]
}

fn other_payloads() -> impl Iterator<Item = Measure> {
    [0, 4096, 65_536].into_iter().map(|payload| {
        Measure::new(
            format!("process_hot_p50_us_{payload}b"),
            Work::Ask,
            "p50_us",
        )
        .payload(payload)
        .peers(&["iceoryx2", "ipc_channel", "tokio_socket"])
    })
}

fn sleeping() -> Vec<Measure> {
    let peers = &["ipc_channel", "tokio_socket"];
    let cold = Measure::new("process_cold_p50_us", Work::ColdAsk, "p50_us");
    let one_core = Measure::new("process_one_core_p50_us", Work::Ask, "p50_us");
    let idle = Measure::new("process_idle_switches_10s", Work::Idle, "switches");
    vec![
        cold.cores(Cores::Apart)
            .peers(peers)
            .goal("≤ 1.1 of tokio_socket", AtMostOfPeer("tokio_socket", 1.1)),
        one_core
            .cores(Cores::Same)
            .peers(peers)
            .goal("≤ 0.6 of tokio_socket", AtMostOfPeer("tokio_socket", 0.6)),
        idle.floor(None).goal("0 context switches", AtMost(0.0)),
    ]
}

fn in_flight() -> Measure {
    // In units of the bare ring's round trip, for a machine in its slow state: at 0.15 µs, 3 M/s is one each 2.2 of them.
    Measure::new(
        format!("process_{IN_FLIGHT}_in_flight_per_s"),
        Work::AsksInFlight(IN_FLIGHT),
        "per_s",
    )
    .peers(&["iceoryx2", "tokio_socket"])
    .goal(
        "≥ 3 M/s, or one in ≤ 2.2 round trips of the bare ring",
        Any(vec![
            AtLeast(3e6),
            crate::goal::Rule::AtLeastOfFloor(1.0 / 2.2),
        ]),
    )
}

fn within_a_loop() -> Vec<Measure> {
    let peers = &["ractor", "kameo", "actix", "erlang"];
    let p50 = Measure::new("loop_p50_us", Work::LoopAsk, "p50_us");
    let p99 = Measure::new("loop_p99_us", Work::LoopAsk, "p99_us");
    vec![
        p50.peers(peers).goal(
            "≤ 1.3 of tokio's mpsc + oneshot, and < 0.8 of ractor",
            All(vec![AtMostOfFloor(1.3), AtMostOfPeer("ractor", 0.8)]),
        ),
        p99.peers(peers),
    ]
}

/// An echo beside a flood of messages. What it is held against is the same echo without.
fn beside() -> Vec<Measure> {
    let quiet = |field| {
        Some(Source {
            contender: OURS,
            field,
        })
    };
    let p99 = Measure::new("echo_under_flood_p99_us", Work::Echo, "flood_p99_us");
    let p50 = Measure::new("echo_under_flood_p50_us", Work::Echo, "flood_p50_us");
    vec![
        p99.floor(quiet("quiet_p99_us"))
            .goal("≤ 3 × without the flood", AtMostOfFloor(3.0)),
        p50.floor(quiet("quiet_p50_us")),
    ]
}
