//! How soon a death is learnt in another process, and how soon the dead are replaced.

use crate::goal::Rule::AtMost;
use crate::measure::Measure;
use crate::order::Work;

pub(super) fn measures(_smoke: bool) -> Vec<Measure> {
    let caller = Measure::new("caller_p50_us", Work::Death, "caller_p50_us");
    let replacement = Measure::new("replacement_p50_us", Work::Death, "replacement_p50_us");
    vec![
        caller.goal("≤ 300 µs", AtMost(300.0)),
        replacement.goal("≤ 1,500 µs", AtMost(1_500.0)),
    ]
}
