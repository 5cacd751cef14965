//! What the rounds of a measure come to.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::measure::{Better, Measure};
use crate::stats::{median, median_interval, quotients, spread};

/// The values of a measure, one for each round; none where a contender is absent or has failed.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    pub(crate) better: Better,
    pub(crate) ours: Vec<Option<f64>>,
    pub(crate) floor: Vec<Option<f64>>,
    pub(crate) peers: Vec<(&'static str, Vec<Option<f64>>)>,
}

impl Values {
    pub(crate) fn ours(&self) -> Option<f64> {
        middle(&self.ours)
    }

    pub(crate) fn to_floor(&self) -> Option<f64> {
        median(&quotients(&self.ours, &self.floor))
    }

    pub(crate) fn to_peer(&self, name: &str) -> Option<f64> {
        let (_, peer) = self.peers.iter().find(|(peer, _)| *peer == name)?;
        median(&quotients(&self.ours, peer))
    }

    /// The best peer that is there.
    fn best_peer(&self) -> Option<&'static str> {
        let there = self.peers.iter();
        let there = there.filter_map(|(name, values)| Some((*name, middle(values)?)));
        let best = |one: &(_, f64), other: &(_, f64)| match self.better {
            Better::Lower => one.1.total_cmp(&other.1),
            Better::Higher => other.1.total_cmp(&one.1),
        };
        there.min_by(best).map(|(name, _)| name)
    }

    pub(crate) fn beats_peers_but(&self, exempt: &[&str]) -> Option<bool> {
        let others = self.peers.iter().filter(|(name, _)| !exempt.contains(name));
        let ratios: Vec<f64> = others.filter_map(|(name, _)| self.to_peer(name)).collect();
        let is_better = |ratio: &f64| match self.better {
            Better::Lower => *ratio < 1.0,
            Better::Higher => *ratio > 1.0,
        };
        (!ratios.is_empty()).then(|| ratios.iter().all(is_better))
    }
}

fn middle(values: &[Option<f64>]) -> Option<f64> {
    let there: Vec<f64> = values.iter().copied().flatten().collect();
    median(&there)
}

/// What is reported of a measure. Values are medians of the rounds; a ratio is the median of the rounds' quotients,
/// ours by the other's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) group: &'static str,
    pub(crate) measure: String,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) ours: Option<f64>,
    pub(crate) floor: Option<f64>,
    pub(crate) peers: BTreeMap<&'static str, Option<f64>>,
    pub(crate) ratio_to_floor: Option<f64>,
    pub(crate) ratio_to_best_peer: Option<f64>,
    /// The distance between our extremes, in units of our median.
    pub(crate) spread: Option<f64>,
    pub(crate) goal: Option<&'static str>,
    pub(crate) holds: Option<bool>,
    pub(crate) best_peer: Option<&'static str>,
    pub(crate) rounds: usize,
    /// In which the true median of the ratio to the floor lies, with a confidence of 95 %. Of six rounds or more.
    pub(crate) ratio_to_floor_interval: Option<[f64; 2]>,
}

impl Finding {
    pub(crate) fn of(group: &'static str, measure: &Measure, values: &Values) -> Self {
        let best_peer = values.best_peer();
        let there: Vec<f64> = values.ours.iter().copied().flatten().collect();
        let peers = values.peers.iter();
        let verdict = measure.goal.as_ref().map(|goal| match values.ours() {
            // It failed: it has not reached anything.
            None => Some(false),
            Some(_) => goal.rule.holds(values),
        });
        Self {
            group,
            measure: measure.name.clone(),
            unit: measure.unit,
            better: measure.better,
            ours: values.ours(),
            floor: middle(&values.floor),
            peers: peers
                .map(|(name, values)| (*name, middle(values)))
                .collect(),
            ratio_to_floor: values.to_floor(),
            ratio_to_best_peer: best_peer.and_then(|name| values.to_peer(name)),
            spread: spread(&there),
            goal: measure.goal.as_ref().map(|goal| goal.text),
            holds: verdict.flatten(),
            best_peer,
            rounds: values.ours.len(),
            ratio_to_floor_interval: median_interval(&quotients(&values.ours, &values.floor)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(better: Better) -> Values {
        Values {
            better,
            ours: vec![Some(1.0), Some(2.0), Some(4.0)],
            floor: vec![Some(1.0), Some(1.0), Some(4.0)],
            peers: vec![
                ("slow", vec![Some(10.0); 3]),
                ("fast", vec![Some(3.0); 3]),
                ("absent", vec![None; 3]),
            ],
        }
    }

    #[test]
    fn ratios_are_medians_of_the_rounds_quotients() {
        let values = values(Better::Lower);
        assert_eq!(values.ours(), Some(2.0));
        assert_eq!(values.to_floor(), Some(1.0));
        assert_eq!(values.to_peer("slow"), Some(0.2));
        assert_eq!(values.to_peer("absent"), None);
    }

    #[test]
    fn the_best_peer_is_the_best_by_the_measures_direction() {
        assert_eq!(values(Better::Lower).best_peer(), Some("fast"));
        assert_eq!(values(Better::Higher).best_peer(), Some("slow"));
    }

    #[test]
    fn whom_we_beat_is_judged_without_the_exempt() {
        assert_eq!(values(Better::Lower).beats_peers_but(&[]), Some(true));
        assert_eq!(values(Better::Higher).beats_peers_but(&[]), Some(false));
        let exempt = ["slow", "fast"];
        assert_eq!(values(Better::Higher).beats_peers_but(&exempt), None);
    }
}
