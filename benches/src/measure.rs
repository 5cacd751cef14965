//! One thing that is measured.

use serde::Serialize;

use crate::goal::{Goal, Rule};
use crate::order::{Cores, Work};

/// The name of Pulsar among the contenders.
pub(crate) const OURS: &str = "pulsar";
/// The name of raw code among the contenders.
pub(crate) const FLOOR: &str = "floor";

/// Which values are the better ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Lower,
    Higher,
}

/// One value of a contender's reading.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) contender: &'static str,
    pub(crate) field: &'static str,
}

/// One thing that is measured: where its values come from, and what it is to reach.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) work: Work,
    pub(crate) payload: usize,
    pub(crate) cores: Cores,
    pub(crate) ours: Source,
    pub(crate) floor: Option<Source>,
    pub(crate) peers: Vec<&'static str>,
    pub(crate) goal: Option<Goal>,
}

impl Measure {
    /// A measure of 64 bytes, unpinned, with a floor, without peers and without a goal.
    pub(crate) fn new(name: impl Into<String>, work: Work, field: &'static str) -> Self {
        let (unit, better) = unit(field);
        let source = |contender| Source { contender, field };
        Self {
            name: name.into(),
            unit,
            better,
            work,
            payload: 64,
            cores: Cores::Free,
            ours: source(OURS),
            floor: Some(source(FLOOR)),
            peers: Vec::new(),
            goal: None,
        }
    }

    pub(crate) fn payload(self, payload: usize) -> Self {
        Self { payload, ..self }
    }

    pub(crate) fn cores(self, cores: Cores) -> Self {
        Self { cores, ..self }
    }

    pub(crate) fn peers(self, peers: &[&'static str]) -> Self {
        let peers = peers.to_vec();
        Self { peers, ..self }
    }

    pub(crate) fn floor(self, floor: Option<Source>) -> Self {
        Self { floor, ..self }
    }

    pub(crate) fn goal(self, text: &'static str, rule: Rule) -> Self {
        let goal = Some(Goal { text, rule });
        Self { goal, ..self }
    }

    /// Where all of its values come from.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Source> {
        let field = self.ours.field;
        let peers = self
            .peers
            .iter()
            .map(move |contender| Source { contender, field });
        [self.ours.clone()]
            .into_iter()
            .chain(self.floor.clone())
            .chain(peers)
    }
}

/// The unit of a field, which ends in it, and which values are better.
fn unit(field: &str) -> (&'static str, Better) {
    const UNITS: &[(&str, &str, Better)] = &[
        ("per_s", "1/s", Better::Higher),
        ("_us", "µs", Better::Lower),
        ("_ms", "ms", Better::Lower),
        ("_s", "s", Better::Lower),
        ("_kb", "kB", Better::Lower),
        ("bytes", "B", Better::Lower),
    ];
    let of = UNITS.iter().find(|(end, ..)| field.ends_with(end));
    of.map_or(("", Better::Lower), |(_, unit, better)| (unit, *better))
}
