//! What a monitor keeps alive, as it is described, and where.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pulsar_actor::runtime::{LONGEST, OnceHook};
use pulsar_policy::{GroupStatus, RestartLimits, Strategy, Supervision};
use tokio::sync::watch;

use crate::child::{Child, Kind, worker_rules};
use crate::keeper::Keeper;
use pulsar_core::runtime::{MonitorOrder, Nursery, Raised};
use pulsar_core::{Aid, Context, Incarnation, Placement, RestartPolicy, Spawn, SpawnError};

/// A monitor to be: its children, and where they live. A clone is the same group, with the same places.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) members: Members,
    pub(crate) limits: RestartLimits,
    /// Whether the monitor above begins it anew.
    pub(crate) restart: RestartPolicy,
    /// They outlast the monitor's own restarts.
    pub(crate) places: Arc<Mutex<Vec<Place>>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Members {
    Ordered {
        children: Vec<Child>,
        strategy: Strategy,
    },
    Pool {
        worker: Box<Spawn>,
        workers: usize,
    },
}

/// The place of one child, and its next life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) aid: Option<Aid>,
    pub(crate) next: Incarnation,
}

impl Place {
    const NEW: Self = Self {
        aid: None,
        next: Incarnation::FIRST,
    };
}

/// How a child is spawned.
pub(crate) enum Member<'a> {
    Actor(&'a Spawn),
    Group(&'a Group),
}

impl Group {
    pub(crate) fn new(name: String, members: Members) -> Self {
        Self {
            name,
            members,
            limits: RestartLimits::default(),
            restart: RestartPolicy::Permanent,
            places: Arc::default(),
        }
    }

    /// The policy for it, as it is at the start of a life.
    pub(crate) fn supervision(&self, nursery: &Nursery) -> Supervision {
        match &self.members {
            Members::Ordered { children, strategy } => {
                let rules = children.iter().map(|child| child.rules(nursery)).collect();
                Supervision::ordered(rules, *strategy, self.limits)
            }
            Members::Pool { worker, workers } => {
                Supervision::pool(worker_rules(worker, nursery), *workers, self.limits)
            }
        }
    }

    pub(crate) fn is_pool(&self) -> bool {
        matches!(self.members, Members::Pool { .. })
    }

    /// The first lives to begin, child by child.
    pub(crate) fn next_lives(&self) -> Vec<Incarnation> {
        self.places.lock().iter().map(|place| place.next).collect()
    }

    pub(crate) fn member(&self, child: usize) -> Option<Member<'_>> {
        match &self.members {
            Members::Pool { worker, .. } => Some(Member::Actor(worker)),
            Members::Ordered { children, .. } => children.get(child).map(|child| match &child.0 {
                Kind::Actor(actor) => Member::Actor(actor),
                Kind::Group(group) => Member::Group(group),
            }),
        }
    }

    /// The place of a child, which is made if it has none, for this life.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Limit`].
    pub(crate) fn settle(
        &self,
        child: usize,
        life: Incarnation,
        nursery: &Nursery,
    ) -> Result<Aid, SpawnError> {
        let placement = match self.member(child) {
            Some(Member::Actor(actor)) => actor.spec().placement,
            // A monitor has a place of its own, though it is a task of the arbiter's loop.
            Some(Member::Group(_)) | None => Placement::Process,
        };
        let mut places = self.places.lock();
        if places.len() <= child {
            places.resize(child + 1, Place::NEW);
        }
        let place = &mut places[child];
        let aid = match place.aid {
            Some(aid) => aid,
            None => nursery.new_place(placement)?,
        };
        *place = Place {
            aid: Some(aid),
            next: life.next(),
        };
        Ok(aid)
    }

    pub(crate) fn place_of(&self, child: usize) -> Option<Aid> {
        self.places.lock().get(child).and_then(|place| place.aid)
    }

    pub(crate) fn child_at(&self, aid: Aid) -> Option<usize> {
        let places = self.places.lock();
        places.iter().position(|place| place.aid == Some(aid))
    }

    /// All places of its children.
    pub(crate) fn aids(&self) -> Vec<Aid> {
        self.places
            .lock()
            .iter()
            .filter_map(|place| place.aid)
            .collect()
    }

    /// Gives up the place of a child, with all below it.
    pub(crate) fn leave(&self, child: usize, nursery: &Nursery) {
        if let Some(Member::Group(below)) = self.member(child) {
            below.leave_all(nursery);
        }
        let place = self
            .places
            .lock()
            .get_mut(child)
            .map(|place| std::mem::replace(place, Place::NEW));
        if let Some(aid) = place.and_then(|place| place.aid) {
            nursery.forget(aid);
        }
    }

    /// Gives up all places.
    pub(crate) fn leave_all(&self, nursery: &Nursery) {
        let children = self.places.lock().len();
        (0..children).for_each(|child| self.leave(child, nursery));
    }

    /// Lets go of the descriptors that new workers would get. Among them are listeners: what the workers
    /// take no more shall be refused.
    pub(crate) fn drop_descriptors(&mut self) {
        match &mut self.members {
            Members::Pool { worker, .. } => worker.drop_descriptors(),
            Members::Ordered { children, .. } => {
                for child in children {
                    match &mut child.0 {
                        Kind::Actor(actor) => actor.drop_descriptors(),
                        Kind::Group(group) => group.drop_descriptors(),
                    }
                }
            }
        }
    }

    /// How long its monitor may take to stop: all children at once in a pool, else one after the other;
    /// and some more, since its own end comes after theirs.
    pub(crate) fn exit_timeout(&self, nursery: &Nursery) -> Duration {
        let within = match &self.members {
            Members::Pool { worker, .. } => worker_rules(worker, nursery).stop_within,
            Members::Ordered { children, .. } => {
                let each = children
                    .iter()
                    .map(|child| child.rules(nursery).stop_within);
                each.fold(Duration::ZERO, Duration::saturating_add)
            }
        };
        let longest = LONGEST.mul_f64(0.5);
        within.min(longest).mul_f64(1.5) + Duration::from_secs(3)
    }

    /// Begins a life of its monitor, which tells how the group does by `status`.
    ///
    /// # Errors
    ///
    /// As [`Nursery::raise_monitor`].
    pub(crate) fn raise(
        &self,
        aid: Aid,
        incarnation: Incarnation,
        above: Option<&Context>,
        nursery: &Nursery,
        status: watch::Sender<GroupStatus>,
    ) -> Result<Raised, SpawnError> {
        let (group, keeps_places) = (self.clone(), above.is_some());
        let start: OnceHook = Box::new(move |cx: Context| {
            cx.spawn(Keeper::new(cx.clone(), group, status, keeps_places).run());
            Box::pin(async { Ok(()) })
        });
        let generation = match &self.members {
            Members::Pool { worker, .. } => worker.spec().generation,
            Members::Ordered { .. } => 1,
        };
        nursery.raise_monitor(MonitorOrder {
            aid,
            incarnation,
            name: &self.name,
            generation,
            exit_timeout: self.exit_timeout(nursery),
            above,
            start,
        })
    }
}
