//! What a monitor keeps alive, as it is described, and where.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pulsar_actor::runtime::{LONGEST, OnceHook};
use pulsar_policy::{GroupStatus, RestartLimits, Strategy, Supervision};
use tokio::sync::watch;

use crate::child::{Kind, worker_rules};
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
    /// It outlasts the monitor's own restarts.
    pub(crate) kept: Arc<Mutex<Kept>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Members {
    Ordered {
        children: Vec<Kind>,
        strategy: Strategy,
    },
    Pool {
        worker: Box<Spawn>,
        workers: usize,
    },
}

/// What is kept from one life of the monitor to the next.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    places: Vec<Place>,
    /// The size of a pool, once an operator has said it.
    size: Option<usize>,
    /// Children that an operator has stopped.
    stopped: BTreeSet<usize>,
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
            kept: Arc::default(),
        }
    }

    /// The policy for it, as it is at the start of a life.
    pub(crate) fn supervision(&self, nursery: &Nursery) -> Supervision {
        let supervision = match &self.members {
            Members::Ordered { children, strategy } => {
                let rules = children.iter().map(|child| child.rules(nursery)).collect();
                Supervision::ordered(rules, *strategy, self.limits)
            }
            Members::Pool { worker, .. } => {
                Supervision::pool(worker_rules(worker, nursery), self.size(), self.limits)
            }
        };
        let stopped: Vec<usize> = self.kept.lock().stopped.iter().copied().collect();
        supervision.with_stopped(&stopped)
    }

    pub(crate) fn is_pool(&self) -> bool {
        matches!(self.members, Members::Pool { .. })
    }

    /// The first lives to begin, child by child.
    pub(crate) fn next_lives(&self) -> Vec<Incarnation> {
        self.kept
            .lock()
            .places
            .iter()
            .map(|place| place.next)
            .collect()
    }

    pub(crate) fn member(&self, child: usize) -> Option<Member<'_>> {
        match &self.members {
            Members::Pool { worker, .. } => Some(Member::Actor(worker)),
            Members::Ordered { children, .. } => children.get(child).map(|child| match child {
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
        let places = &mut self.kept.lock().places;
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
        let kept = self.kept.lock();
        kept.places.get(child).and_then(|place| place.aid)
    }

    pub(crate) fn child_at(&self, aid: Aid) -> Option<usize> {
        let kept = self.kept.lock();
        kept.places.iter().position(|place| place.aid == Some(aid))
    }

    /// How many places its children have had so far, those that are empty now among them.
    pub(crate) fn places(&self) -> usize {
        self.kept.lock().places.len()
    }

    /// How many children there are to be.
    fn size(&self) -> usize {
        match &self.members {
            Members::Ordered { children, .. } => children.len(),
            Members::Pool { workers, .. } => self.kept.lock().size.unwrap_or(*workers),
        }
    }

    /// An operator has said the size of the pool: also for the lives to come. All below it live again.
    pub(crate) fn is_scaled(&self, workers: usize) {
        let mut kept = self.kept.lock();
        kept.size = Some(workers);
        kept.stopped.clear();
    }

    /// An operator has stopped a child: also for the lives to come.
    pub(crate) fn is_stopped(&self, child: usize) {
        self.kept.lock().stopped.insert(child);
    }

    /// Gives up the places of those that an operator no longer wants, before a further life begins.
    pub(crate) fn leave_unwanted(&self, nursery: &Nursery) {
        let (size, stopped) = (self.size(), self.kept.lock().stopped.clone());
        let places = 0..self.places();
        places
            .filter(|child| *child >= size || stopped.contains(child))
            .for_each(|child| self.leave(child, nursery));
    }

    /// Gives up the place of a child, with all below it.
    pub(crate) fn leave(&self, child: usize, nursery: &Nursery) {
        if let Some(Member::Group(below)) = self.member(child) {
            below.leave_all(nursery);
        }
        let place = {
            let mut kept = self.kept.lock();
            let place = kept.places.get_mut(child);
            place.map(|place| std::mem::replace(place, Place::NEW))
        };
        if let Some(aid) = place.and_then(|place| place.aid) {
            nursery.forget(aid);
        }
    }

    /// Gives up all places.
    pub(crate) fn leave_all(&self, nursery: &Nursery) {
        (0..self.places()).for_each(|child| self.leave(child, nursery));
    }

    /// Lets go of the descriptors that new workers would get. Among them are listeners: what the workers
    /// take no more shall be refused.
    pub(crate) fn drop_descriptors(&mut self) {
        match &mut self.members {
            Members::Pool { worker, .. } => worker.drop_descriptors(),
            Members::Ordered { children, .. } => {
                for child in children {
                    match child {
                        Kind::Actor(actor) => actor.drop_descriptors(),
                        Kind::Group(group) => group.drop_descriptors(),
                    }
                }
            }
        }
    }

    /// The same for one child of an ordered group, which will not live again.
    pub(crate) fn drop_descriptors_of(&mut self, child: usize) {
        if let Members::Ordered { children, .. } = &mut self.members {
            match children.get_mut(child) {
                Some(Kind::Actor(actor)) => actor.drop_descriptors(),
                Some(Kind::Group(group)) => group.drop_descriptors(),
                None => {}
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
