//! What a monitor keeps alive.

use pulsar_actor::runtime::Roaming;
use pulsar_policy::ChildRules;

use crate::group::Group;
use crate::{Monitor, Pool};
use pulsar_core::runtime::Nursery;
use pulsar_core::{RestartPolicy, Spawn};

/// One child of a [`Monitor`]: an actor of any type and placement, a [`Pool`], or another monitor. It is
/// made of any of them by `into`, which [`Monitor::child`] does.
///
/// ```
/// # mod pulsar { pub use pulsar_core::*; pub use pulsar_monitor::*; }
/// use pulsar::{Child, Pool, spawn};
///
/// let children = [Child::from(spawn().name("store")), Child::from(Pool::new("crunchers", 4, spawn()))];
/// ```
#[derive(Debug)]
pub struct Child(pub(crate) Kind);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Actor(Box<Spawn>),
    Group(Box<Group>),
}

impl<A: Roaming> From<Spawn<A>> for Child {
    fn from(actor: Spawn<A>) -> Self {
        Self(Kind::Actor(Box::new(actor.untyped())))
    }
}

impl From<Pool> for Child {
    fn from(pool: Pool) -> Self {
        Self(Kind::Group(Box::new(pool.into_group())))
    }
}

impl From<Monitor> for Child {
    fn from(monitor: Monitor) -> Self {
        Self(Kind::Group(Box::new(monitor.into_group())))
    }
}

impl Kind {
    /// What its monitor's policy knows of it.
    pub(crate) fn rules(&self, nursery: &Nursery) -> ChildRules {
        match self {
            Self::Actor(actor) => worker_rules(actor, nursery),
            Self::Group(group) => ChildRules {
                restart: group.restart,
                final_after: Vec::new(),
                stop_within: nursery.stop_within(Some(group.exit_timeout(nursery))),
            },
        }
    }
}

/// Those of an actor. Monitors restart: one of which nothing is said is permanent.
pub(crate) fn worker_rules(actor: &Spawn, nursery: &Nursery) -> ChildRules {
    let spec = actor.spec();
    ChildRules {
        restart: actor.restart_said().unwrap_or(RestartPolicy::Permanent),
        final_after: spec.final_after.clone(),
        stop_within: nursery.stop_within(spec.exit_timeout),
    }
}
