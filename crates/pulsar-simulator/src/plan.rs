//! What chance has in store for a run: its groups, and each life as it begins.

use std::time::Duration;

use pulsar_model::{Ending, Placement, RestartPolicy};
use pulsar_policy::{ChildRules, RestartLimits, Strategy, Supervision};
use tokio::time::Instant;

use crate::chance::Chance;

/// The most children of a group.
pub(crate) const MOST_CHILDREN: usize = 6;

/// A group, as its user describes it.
#[derive(Clone, Debug)]
pub(crate) struct GroupPlan {
    pub(crate) shape: Shape,
    pub(crate) limits: RestartLimits,
    /// Of a pool, the children at its start: all alike.
    pub(crate) children: Vec<ChildPlan>,
    /// What a child of a pool is, also of one without any.
    pub(crate) like: ChildPlan,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    Pool,
    Ordered(Strategy),
}

#[derive(Clone, Debug)]
pub(crate) struct ChildPlan {
    pub(crate) rules: ChildRules,
    pub(crate) timing: Timing,
    /// The child is a group.
    pub(crate) group: Option<Box<GroupPlan>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) placement: Placement,
    pub(crate) boot_timeout: Duration,
    pub(crate) silence: Duration,
    /// It is looked at so often, and asked to notify unless it sleeps; none where it notifies by itself.
    pub(crate) look_every: Option<Duration>,
    pub(crate) grace: Duration,
}

/// Of the time for which a process may be silent: how often it notifies, or is looked at.
pub(crate) const PERIOD: f64 = 0.3;

impl GroupPlan {
    pub(crate) fn draw(chance: &mut Chance, may_nest: bool) -> Self {
        let shape = match chance.below(6) {
            0 | 1 => Shape::Pool,
            2 => Shape::Ordered(Strategy::OneForOne),
            3 => Shape::Ordered(Strategy::OneForAll),
            _ => Shape::Ordered(Strategy::RestForOne),
        };
        let like = ChildPlan::draw(chance, false);
        let children = 1 + chance.below(MOST_CHILDREN);
        let children = (0..children).map(|_| match shape {
            Shape::Pool => like.clone(),
            Shape::Ordered(_) => ChildPlan::draw(chance, may_nest),
        });
        Self {
            shape,
            children: children.collect(),
            limits: draw_limits(chance),
            like,
        }
    }

    pub(crate) fn child(&self, index: usize) -> &ChildPlan {
        self.children.get(index).unwrap_or(&self.like)
    }

    pub(crate) fn supervision(&self) -> Supervision {
        match self.shape {
            Shape::Pool => {
                Supervision::pool(self.like.rules.clone(), self.children.len(), self.limits)
            }
            Shape::Ordered(strategy) => {
                let children = self.children.iter().map(|child| child.rules.clone());
                Supervision::ordered(children.collect(), strategy, self.limits)
            }
        }
    }
}

fn draw_limits(chance: &mut Chance) -> RestartLimits {
    RestartLimits {
        healthy_after: chance.ms(500, 8000),
        first_delay: chance.ms(0, 500),
        max_delay: chance.ms(500, 5000),
        jitter: chance.pick(&[0.0, 0.2, 0.5, 1.0]),
        intensity: chance.pick(&[None, None, Some(1), Some(3), Some(6), Some(20)]),
        period: Duration::from_secs(chance.pick(&[1, 2, 5, 60])),
        max_failed_boots: chance.pick(&[0, 1, 2, 3, 3, 3, 5, 5, 5]),
    }
}

impl ChildPlan {
    fn draw(chance: &mut Chance, may_nest: bool) -> Self {
        let grace = chance.ms(200, 8000);
        let nested = may_nest && chance.permille(150);
        let placement = chance.pick(&[
            Placement::Process,
            Placement::Process,
            Placement::Process,
            Placement::Thread,
            Placement::Task,
        ]);
        let silence = chance.ms(1000, 20_000);
        let is_looked_at = placement == Placement::Process && chance.permille(750);
        Self {
            rules: ChildRules {
                restart: chance.pick(&[
                    RestartPolicy::Permanent,
                    RestartPolicy::Permanent,
                    RestartPolicy::Permanent,
                    RestartPolicy::Transient,
                    RestartPolicy::Temporary,
                ]),
                final_after: chance.pick(&[
                    Vec::new(),
                    vec![Ending::Code(3)],
                    vec![Ending::Panic, Ending::Signal(11)],
                ]),
                stop_within: chance.pick(&[grace / 2, grace, grace + Duration::from_secs(3)]),
            },
            timing: Timing {
                placement,
                boot_timeout: chance.ms(500, 5000),
                silence,
                look_every: is_looked_at.then(|| silence.mul_f64(PERIOD)),
                grace,
            },
            group: nested.then(|| Box::new(GroupPlan::draw(chance, false))),
        }
    }
}

/// How a life will go: what it does unless somebody stops it first.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct LifePlan {
    pub(crate) boot: Boot,
    /// After it was ready for so long.
    pub(crate) fate: Option<(Duration, Fate)>,
    pub(crate) on_stop: OnStop,
    /// A descendant holds its link when it has died.
    pub(crate) link_held: bool,
    /// The kernel needs long to end it.
    pub(crate) unkillable: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Boot {
    /// It says hello, then, after so long each, that it is ready.
    Fine(Duration, Duration),
    /// It does so too late.
    Late(Duration),
    /// It never says a word.
    Hangs,
    /// It dies before its hello.
    DiesBooting(Duration, Death),
    /// It dies after its hello.
    DiesStarting(Duration, Death),
}

/// What happens to a life that is ready.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Fate {
    Dies(Death),
    /// It loops: ABRT ends it.
    Loops,
    /// It stands still: only KILL ends it.
    StandsStill,
    /// Its next sign of life comes so long after it was called silent.
    Stalls(Duration),
    /// It says its last word and does not exit.
    SaysOnly(Death),
    /// It closes its link and does not exit.
    ClosesOnly,
    /// It writes garbage on its link.
    Garbles,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Death {
    Normal,
    Stopped,
    Code(i32),
    Signal(i32),
    Panic,
    /// Somebody else collects its exit.
    Untold,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum OnStop {
    Dies(Duration, Death),
    /// It takes TERM for what it does already, says its last word, and does not exit.
    SaysOnly(Duration),
    WaitsForTerm,
    WaitsForKill,
}

impl LifePlan {
    /// A life without a fault.
    pub(crate) fn calm(chance: &mut Chance) -> Self {
        Self {
            boot: Boot::Fine(chance.ms(1, 100), chance.ms(1, 300)),
            fate: None,
            on_stop: OnStop::Dies(chance.ms(0, 90), Death::Stopped),
            link_held: false,
            unkillable: false,
        }
    }

    /// A life in which each thing goes wrong in about `faults` of a thousand cases.
    pub(crate) fn draw(chance: &mut Chance, faults: usize) -> Self {
        let mut plan = Self::calm(chance);
        if chance.permille(faults) {
            plan.boot = draw_boot(chance);
        }
        if chance.permille(faults * 2) {
            let after = chance.pick(&[100, 2_000, 10_000, 60_000]);
            plan.fate = Some((chance.ms(0, after), draw_fate(chance)));
        }
        if chance.permille(faults) {
            let longest = chance.pick(&[1500, 9000]);
            plan.on_stop = match chance.below(6) {
                0 => OnStop::WaitsForTerm,
                1 => OnStop::WaitsForKill,
                2 | 3 => OnStop::SaysOnly(chance.ms(0, longest)),
                _ => OnStop::Dies(chance.ms(0, longest), Death::draw(chance)),
            };
        }
        plan.link_held = chance.permille(faults / 4);
        plan.unkillable = chance.permille(faults / 8);
        plan
    }
}

fn draw_boot(chance: &mut Chance) -> Boot {
    match chance.below(5) {
        0 => Boot::Late(chance.ms(400, 8000)),
        1 => Boot::Hangs,
        2 => Boot::DiesBooting(chance.ms(0, 800), Death::draw(chance)),
        _ => Boot::DiesStarting(chance.ms(0, 800), Death::draw(chance)),
    }
}

fn draw_fate(chance: &mut Chance) -> Fate {
    match chance.below(18) {
        0 | 7 => Fate::Loops,
        1 => Fate::StandsStill,
        2 => Fate::SaysOnly(Death::draw(chance)),
        3 => Fate::ClosesOnly,
        4 => Fate::Garbles,
        5 | 6 => Fate::Stalls(chance.ms(0, 500)),
        _ => Fate::Dies(Death::draw(chance)),
    }
}

impl Death {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        chance.pick(&[
            Self::Normal,
            Self::Stopped,
            Self::Code(0),
            Self::Code(1),
            Self::Code(3),
            Self::Untold,
            Self::Signal(11),
            Self::Signal(9),
            Self::Panic,
        ])
    }
}

/// A time of the run, as the policies see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// The machine's clock is read here only, for a beginning to count from.
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn instant(self, at: Duration) -> Instant {
        self.0 + at
    }

    pub(crate) fn offset(self, at: Instant) -> Duration {
        at.duration_since(self.0)
    }
}
