//! What the arbiter does for the monitors on its loop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pulsar_actor::runtime::{DEFAULT_CAPACITY, Hooks, OnceHook};
use pulsar_child::RELAY;
use pulsar_policy::ChildEvent;
use pulsar_wire::{Aid, Incarnation};
use tokio::time::Instant;

use super::shutdown::{MARGIN, all_below_ended, kill_one};
use super::steering::{Keepers, scale};
use super::{Hooking, Master, Order, Raised, halt_by, raise};
use crate::node::Node;
use crate::{
    Context, Placement, Role, ScaleError, SendError, Spawn, SpawnError, SpawnParams, get_actor,
};

/// What a monitor needs of the arbiter: places, lives, and words to those that live.
#[derive(Clone)]
pub struct Nursery(Arc<Node>);

impl fmt::Debug for Nursery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nursery")
    }
}

/// A monitor that is wanted.
pub struct MonitorOrder<'a> {
    /// Its place.
    pub aid: Aid,
    /// Which life in it.
    pub incarnation: Incarnation,
    /// Its name.
    pub name: &'a str,
    /// To which roll-out it belongs.
    pub generation: u32,
    /// How long it has to stop.
    pub exit_timeout: Duration,
    /// The monitor that manages it; the arbiter does if there is none.
    pub above: Option<&'a Context>,
    /// Its code.
    pub start: OnceHook,
}

impl Nursery {
    /// The arbiter's, as an actor on its loop calls for it.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Unsupported`] anywhere else.
    pub fn here() -> Result<Self, SpawnError> {
        let node = Node::current().ok_or(SpawnError::Arbiter(SendError::NotRunning))?;
        let in_arbiter = get_actor().is_some_and(|cx| cx.aid().host() == node.arbiter());
        match node.master() {
            Some(_) if in_arbiter => Ok(Self(node)),
            _ => Err(SpawnError::Unsupported {
                message: "a monitor runs on the arbiter's loop: start it there".to_owned(),
            }),
        }
    }

    /// That of a monitor.
    pub fn of(monitor: &Context) -> Self {
        Self(Node::of(monitor))
    }

    /// A place for an actor in this placement.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Limit`].
    pub fn new_place(&self, placement: Placement) -> Result<Aid, SpawnError> {
        match placement {
            Placement::Task => Ok(self.0.new_task(self.0.arbiter())),
            Placement::Process | Placement::Thread => self.0.new_place(),
        }
    }

    /// How long an actor has to stop of which nothing else is said, and the news of its end to come.
    pub fn stop_within(&self, exit_timeout: Option<Duration>) -> Duration {
        exit_timeout.unwrap_or(self.0.timing.exit_timeout) + MARGIN
    }

    /// Begins a life of a monitor's child.
    ///
    /// # Errors
    ///
    /// What can be told at once, as for [`Spawn::begin`].
    pub fn raise_child(
        &self,
        child: Spawn,
        aid: Aid,
        incarnation: Incarnation,
        monitor: &Context,
    ) -> Result<Raised, SpawnError> {
        raise(&self.0, child.worker_order(aid, incarnation, monitor)?)
    }

    /// Begins a life of a monitor.
    ///
    /// # Errors
    ///
    /// As for [`raise_child`](Self::raise_child).
    pub fn raise_monitor(&self, wanted: MonitorOrder<'_>) -> Result<Raised, SpawnError> {
        let mut spec = SpawnParams::new(DEFAULT_CAPACITY);
        wanted.name.clone_into(&mut spec.name);
        spec.placement = Placement::Task;
        spec.exit_timeout = Some(wanted.exit_timeout);
        spec.generation = wanted.generation;
        let order = Order {
            aid: wanted.aid,
            incarnation: wanted.incarnation,
            spec,
            hooking: Hooking::Native(Hooks::starting(wanted.start)),
            descriptors: Vec::new(),
            manager: wanted.above.map_or(self.0.arbiter(), Context::aid),
            role: Role::Monitor,
            monitor: wanted.above.map(|above| above.name().to_owned()),
            keep_place: wanted.above.is_some(),
        };
        raise(&self.0, order)
    }

    /// Tells a living child something, without waiting.
    pub fn tell(&self, aid: Aid, event: ChildEvent) {
        let registry = self.0.registry.lock();
        let control = registry.get(aid).and_then(|entry| entry.control.clone());
        drop(registry);
        if let Some(control) = control {
            control.tell_later(event);
        }
    }

    /// Kills a child with all below it.
    pub fn kill(&self, aid: Aid) {
        let node = Arc::clone(&self.0);
        tokio::spawn(async move { kill_one(&node, aid).await });
    }

    /// The next life in this place begins at `until`, at the earliest.
    pub fn restarts_at(&self, aid: Aid, until: Instant) {
        self.0.registry.lock().restarts_at(aid, until);
    }

    /// Gives up a place, and its name.
    pub fn forget(&self, aid: Aid) {
        if let Some(keepers) = self.keepers() {
            keepers.forget(aid);
        }
        self.0.registry.lock().forget(aid);
    }

    /// Waits until all have ended that an ended monitor managed.
    pub async fn all_below_ended(&self, monitor: Aid) {
        all_below_ended(&self.0, monitor).await;
    }

    /// The monitors that run.
    pub fn keepers(&self) -> Option<&Keepers> {
        self.0.master().map(|master| &master.keepers)
    }

    /// As [`Arbiter::scale`](crate::Arbiter::scale).
    ///
    /// # Errors
    ///
    /// [`ScaleError`].
    pub async fn scale(&self, pool: Aid, workers: usize) -> Result<usize, ScaleError> {
        scale(&self.0, pool, workers).await
    }

    /// True once the whole system stops: nothing is spawned any more.
    pub fn is_stopping(&self) -> bool {
        self.0.master().is_some_and(Master::is_stopping)
    }

    /// Ends the program, with this exit code, since a monitor has given up. One that ends already ends as it
    /// does.
    pub fn give_up(&self, monitor: Aid, name: &str, reason: &str, code: u8) {
        if self.is_stopping() {
            return;
        }
        // The program may log nothing, or nobody may be reading: the exit code says it too.
        // Passed on, not written: a stderr that nobody reads must not hold the loop.
        let line = format!("pulsar: the monitor {name} has given up: {reason}\n");
        RELAY.pass(line.as_bytes());
        if let Err(error) = halt_by(&self.0, monitor, code) {
            tracing::error!(%error, "program not ended");
        }
    }
}
