//! Ten thousand process actors.

use crate::goal::Rule::AtMost;
use crate::measure::Measure;
use crate::order::Work;

const ACTORS: usize = 10_000;

pub(super) fn measures(smoke: bool) -> Vec<Measure> {
    let actors = match smoke {
        true => 20,
        false => ACTORS,
    };
    let measure = |field| {
        Measure::new(
            format!("actors_{ACTORS}_{field}"),
            Work::Scale(actors),
            field,
        )
        .floor(None)
    };
    vec![
        measure("spawn_s").goal("≤ 5 s", AtMost(5.0)),
        measure("ping_s").goal("≤ 1 s", AtMost(1.0)),
        measure("ps_ms").goal("≤ 200 ms", AtMost(200.0)),
        measure("stop_s").goal("≤ 2 s", AtMost(2.0)),
    ]
}
