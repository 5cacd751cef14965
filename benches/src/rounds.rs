//! The interleaving: in each round each contender does each piece of work once, so that what changes about the machine
//! meanwhile befalls all of them alike.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::contender;
use crate::finding::{Finding, Values};
use crate::groups::Group;
use crate::measure::{FLOOR, Measure, OURS, Source};
use crate::order::{Absent, Order, Reading};

/// How a run is done.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) effort: Duration,
    /// Whether it is only to be seen that everything works: Pulsar and the floors, as little as can be.
    pub(crate) smoke: bool,
}

/// One run: the plan, and who turned out to be absent.
pub(crate) struct Run {
    plan: Plan,
    scratch: Scratch,
    /// What cannot be done here, for all of the run.
    absent: BTreeSet<Order>,
    /// Who cannot, and why: said once.
    reasons: BTreeSet<(String, String)>,
    failures: usize,
}

impl Run {
    pub(crate) fn new(plan: Plan) -> anyhow::Result<Self> {
        Ok(Self {
            plan,
            scratch: Scratch::new()?,
            absent: BTreeSet::new(),
            reasons: BTreeSet::new(),
            failures: 0,
        })
    }

    /// Readings that were to be had and were not.
    pub(crate) fn failures(&self) -> usize {
        self.failures
    }

    /// Measures a group.
    pub(crate) fn group(&mut self, group: &Group) -> Vec<Finding> {
        let measures = (group.measures)(self.plan.smoke);
        let rounds = match self.plan.smoke {
            true => 1,
            false => self.plan.rounds.max(group.fewest_rounds),
        };
        let orders = self.orders(&measures);
        let mut readings: Vec<BTreeMap<Order, Reading>> = Vec::new();
        for round in 0..rounds {
            eprintln!("{}: round {} of {rounds}", group.name, round + 1);
            readings.push(self.round(round, &orders));
        }
        let finding = |measure: &Measure| {
            let values = self.values(measure, &readings);
            let mut finding = Finding::of(group.name, measure, &values);
            if self.plan.smoke {
                finding.holds = None;
            }
            finding
        };
        measures.iter().map(finding).collect()
    }

    /// All that is to be done in a round, each thing once, those that compete side by side.
    fn orders(&self, measures: &[Measure]) -> Vec<Order> {
        let mut seen = BTreeSet::new();
        let all = measures
            .iter()
            .flat_map(|measure| measure.sources().map(|source| self.order(measure, &source)));
        all.filter(|order| !self.plan.smoke || [OURS, FLOOR].contains(&order.contender.as_str()))
            .filter(|order| seen.insert(order.clone()))
            .collect()
    }

    fn order(&self, measure: &Measure, source: &Source) -> Order {
        Order {
            contender: source.contender.to_owned(),
            work: measure.work,
            payload: measure.payload,
            cores: measure.cores,
            effort: self.plan.effort,
        }
    }

    fn round(&mut self, round: usize, orders: &[Order]) -> BTreeMap<Order, Reading> {
        let mut readings = BTreeMap::new();
        // Every second round the other way round: nobody is always the one after a certain other.
        let mut sequence: Vec<&Order> = orders.iter().collect();
        if round % 2 == 1 {
            sequence.reverse();
        }
        for order in sequence {
            if self.absent.contains(order) {
                continue;
            }
            match contender::read(order, &self.scratch.0) {
                Ok(reading) => {
                    readings.insert(order.clone(), reading);
                }
                Err(error) => self.without(order, error),
            }
        }
        readings
    }

    fn without(&mut self, order: &Order, error: anyhow::Error) {
        let Order {
            contender, work, ..
        } = order;
        match error.downcast_ref::<Absent>() {
            Some(Absent(why)) => {
                self.absent.insert(order.clone());
                if self.reasons.insert((contender.clone(), why.clone())) {
                    eprintln!("skipped: {contender}: {why}");
                }
            }
            None => {
                eprintln!(
                    "failed: {contender}, {work:?}, {} bytes: {error:#}",
                    order.payload
                );
                self.failures += 1;
            }
        }
    }

    fn values(&self, measure: &Measure, readings: &[BTreeMap<Order, Reading>]) -> Values {
        let of = |source: &Source| -> Vec<Option<f64>> {
            let order = self.order(measure, source);
            let values = readings.iter().map(|round| {
                let value = round.get(&order)?.get(source.field).copied();
                value.filter(|value| value.is_finite())
            });
            values.collect()
        };
        let peer = |contender: &&'static str| {
            let field = measure.ours.field;
            (*contender, of(&Source { contender, field }))
        };
        Values {
            better: measure.better,
            ours: of(&measure.ours),
            floor: measure.floor.as_ref().map_or_else(Vec::new, of),
            peers: measure.peers.iter().map(peer).collect(),
        }
    }
}

/// A folder for the files of this run; gone after it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("pulsar-bench-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of it is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
