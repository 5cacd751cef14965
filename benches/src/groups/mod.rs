//! What is measured, by group.

mod ask;
mod death;
mod http;
mod memory;
mod scale;
mod shared;
mod spawn;
mod tell;

use crate::measure::Measure;

/// Measures that belong together.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    /// Its measures; for a smoke run they are as small as they can be.
    pub(crate) measures: fn(smoke: bool) -> Vec<Measure>,
    /// It is measured in so many rounds at least.
    pub(crate) fewest_rounds: usize,
}

pub(crate) const GROUPS: &[Group] = &[
    group("ask", ask::measures),
    group("tell", tell::measures),
    group("spawn", spawn::measures),
    group("memory", memory::measures),
    group("death", death::measures),
    group("shared", shared::measures),
    group("scale", scale::measures),
    Group {
        name: "http",
        measures: http::measures,
        // Its goal lies within a few per cent: that needs pairs, and an interval.
        fewest_rounds: 20,
    },
];

const fn group(name: &'static str, measures: fn(bool) -> Vec<Measure>) -> Group {
    Group {
        name,
        measures,
        fewest_rounds: 1,
    }
}
