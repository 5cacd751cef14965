//! From an order to an actor, and to its end.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use pulsar_wire::{Aid, Incarnation};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::context::Identity;
use crate::hooks::{Behaviour, Hooks};
use crate::node::{Node, notify_period};
use crate::placement::{self, Commission, Vessel};
use crate::spawn::Spec;
use crate::{Cause, Placement, Role, SpawnError};
use pulsar_policy::{CHILD_EVENTS, ChildEvent, Decision, Oversight};

/// An actor that is wanted.
pub(crate) struct Order {
    pub(crate) aid: Aid,
    pub(crate) incarnation: Incarnation,
    pub(crate) spec: Spec,
    pub(crate) hooking: Hooking,
    pub(crate) descriptors: Vec<(String, Arc<OwnedFd>)>,
    pub(crate) manager: Aid,
    pub(crate) role: Role,
    pub(crate) monitor: Option<String>,
    /// The place is kept after this life, for the next.
    pub(crate) keep_place: bool,
}

/// The hooks: as they travel, or of this process and for it alone.
pub(crate) enum Hooking {
    Portable(Behaviour),
    Native(Hooks),
}

/// An actor on its way into life.
pub(crate) struct Raised {
    /// Resolves when it is ready, or when it will never be.
    pub(crate) ready: oneshot::Receiver<Result<(), SpawnError>>,
    /// Resolves when it has ended. Dropped unsent if it never lived.
    pub(crate) ended: oneshot::Receiver<Cause>,
}

/// Enters the actor into the registry and begins its life: on the main loop for processes and
/// threads, on the current loop for tasks.
///
/// # Errors
///
/// What can be told at once: [`SpawnError::NameTaken`], [`SpawnError::NoEntry`],
/// [`SpawnError::Limit`] while the system stops.
pub(crate) fn raise(node: &Arc<Node>, order: Order) -> Result<Raised, SpawnError> {
    if node.master().is_some_and(super::Master::is_stopping) {
        return Err(SpawnError::Limit {
            message: "the arbiter is stopping and spawns nothing more".to_owned(),
        });
    }
    let (control, events) = mpsc::channel(CHILD_EVENTS);
    let birth = identity(node, &order);
    let monitor = order.monitor.clone();
    node.registry
        .lock()
        .begin(birth.clone(), order.role, monitor, control.clone())?;
    let (to_ready, ready) = oneshot::channel();
    let (to_ended, ended) = oneshot::channel();
    let overseer = Overseer {
        node: Arc::clone(node),
        aid: order.aid,
        keep_place: order.keep_place,
        ready: Some(to_ready),
    };
    let placement = order.spec.placement;
    let life = async move {
        if let Some(cause) = overseer.run(order, birth, control, events).await {
            drop(to_ended.send(cause));
        }
    };
    match node.master() {
        // If the loop has ended, `ready` and `ended` say so by being dropped.
        Some(master) if placement != Placement::Task => drop(master.on_main_loop(life)),
        _ => drop(tokio::spawn(life)),
    }
    Ok(Raised { ready, ended })
}

fn identity(node: &Node, order: &Order) -> Identity {
    Identity {
        aid: order.aid,
        incarnation: order.incarnation,
        name: order.spec.name.clone(),
        placement: order.spec.placement,
        age: node.master().map_or(0, super::Master::new_age),
        generation: order.spec.generation,
        manager: order.manager,
        exit_timeout: order.spec.exit_timeout.unwrap_or(node.timing.exit_timeout),
        notify_every: notify_period(order.spec.timeout.unwrap_or(node.timing.timeout)),
    }
}

/// Oversees one life.
struct Overseer {
    node: Arc<Node>,
    aid: Aid,
    keep_place: bool,
    ready: Option<oneshot::Sender<Result<(), SpawnError>>>,
}

impl Overseer {
    /// From launch to end. `None` if there was no launch.
    async fn run(
        mut self,
        order: Order,
        birth: Identity,
        control: mpsc::Sender<ChildEvent>,
        mut events: mpsc::Receiver<ChildEvent>,
    ) -> Option<Cause> {
        let permit = self.boot_permit(birth.placement).await;
        let boot_timeout = order
            .spec
            .boot_timeout
            .unwrap_or(self.node.timing.boot_timeout);
        let mut oversight = Oversight::new(
            birth.placement,
            Instant::now() + boot_timeout,
            birth.exit_timeout,
        );
        let commission = Commission {
            birth,
            spec: order.spec,
            hooking: order.hooking,
            descriptors: order.descriptors,
            control,
        };
        let vessel = match placement::launch(&self.node, commission) {
            Ok(vessel) => vessel,
            Err(error) => {
                self.never_lived(error);
                return None;
            }
        };
        self.node
            .registry
            .lock()
            .launched(self.aid, vessel.reached(), vessel.pid());
        let mut permit = Some(permit);
        let cause = loop {
            let event = next(&mut events, oversight.deadline()).await;
            let link_closed = matches!(event, ChildEvent::LinkClosed(_));
            let decision = oversight.on(event, Instant::now());
            if !oversight.is_booting() {
                permit = None;
            }
            if let Some(cause) = self.carry_out(decision, &vessel) {
                break cause;
            }
            if link_closed {
                // Its exit has most likely come to pass: no need to wait for the signal.
                vessel.look_for_exit(&self.node);
            }
        };
        drop(permit);
        self.ended(&vessel, &cause, boot_timeout);
        Some(cause)
    }

    /// Bounds how many processes boot at once.
    async fn boot_permit(&self, placement: Placement) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let master = self
            .node
            .master()
            .filter(|_| placement == Placement::Process)?;
        Arc::clone(&master.booting).acquire_owned().await.ok()
    }

    fn carry_out(&mut self, decision: Decision, vessel: &Vessel) -> Option<Cause> {
        match decision {
            Decision::Wait => {}
            Decision::Ready(info) => {
                self.node.registry.lock().noted(self.aid, info);
                self.resolve(Ok(()));
            }
            Decision::Note(info) => self.node.registry.lock().noted(self.aid, info),
            Decision::Stop => {
                self.node.registry.lock().stopping(self.aid);
                vessel.stop();
            }
            Decision::Terminate => vessel.terminate(&self.node),
            Decision::Kill => vessel.kill(&self.node),
            Decision::End(cause) => return Some(cause),
        }
        None
    }

    /// The order matters: all that waits for the dead is answered before its place is free, so
    /// that nobody finds the next life and takes its silence for the old one's.
    fn ended(&mut self, vessel: &Vessel, cause: &Cause, boot_timeout: std::time::Duration) {
        vessel.end(cause);
        self.node
            .registry
            .lock()
            .ended(self.aid, cause, self.keep_place);
        let level_is_error = !cause.is_orderly();
        if level_is_error {
            tracing::error!(aid = %self.aid, %cause, "actor ended");
        } else {
            tracing::debug!(aid = %self.aid, %cause, "actor ended");
        }
        self.resolve(Err(match cause {
            Cause::BootTimeout => SpawnError::BootTimeout {
                after: boot_timeout,
            },
            cause => SpawnError::Died {
                cause: cause.clone(),
            },
        }));
    }

    fn never_lived(&mut self, error: SpawnError) {
        tracing::error!(aid = %self.aid, %error, "actor not spawned");
        let cause = Cause::Failed(error.to_string());
        self.node
            .registry
            .lock()
            .ended(self.aid, &cause, self.keep_place);
        self.resolve(Err(error));
    }

    /// The first word counts. The spawner may have gone.
    fn resolve(&mut self, result: Result<(), SpawnError>) {
        if let Some(ready) = self.ready.take() {
            drop(ready.send(result));
        }
    }
}

async fn next(events: &mut mpsc::Receiver<ChildEvent>, deadline: Option<Instant>) -> ChildEvent {
    let time_came = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        // Never `None`: the registry's entry holds a sender for as long as the actor lives.
        Some(event) = events.recv() => event,
        () = time_came => ChildEvent::TimeCame,
    }
}
