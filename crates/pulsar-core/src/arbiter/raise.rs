//! From an order to an actor, and to its end.

use std::future::pending;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use pulsar_sys::Exit;
use pulsar_wire::{Aid, Incarnation};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::tenure::{Tenure, spawn_error};
use crate::node::Node;
use crate::placement::{self, Commission, Unlaunched, Vessel};
use crate::spawn::is_name;
use crate::spawn_limits;
use crate::{Cause, Executor, Placement, Role, SpawnError, SpawnParams};
use pulsar_actor::runtime::{Behaviour, Hooks, Identity};
use pulsar_child::Standstill;
use pulsar_policy::{CHILD_EVENTS, ChildEvent, Decision, Oversight, notify_period};
use pulsar_registry::Control;

/// An actor that is wanted.
pub(crate) struct Order {
    pub(crate) aid: Aid,
    pub(crate) incarnation: Incarnation,
    pub(crate) spec: SpawnParams,
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
    Portable(Box<Behaviour>),
    Native(Hooks),
}

impl Hooking {
    /// Takes it out, and leaves one that does nothing.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Native(Hooks::default()))
    }
}

/// An actor on its way into life.
pub struct Raised {
    /// Resolves when it is ready, or when it will never be.
    pub ready: oneshot::Receiver<Result<(), SpawnError>>,
    /// Resolves when it has ended. Dropped unsent if it never lived.
    pub ended: oneshot::Receiver<Cause>,
}

/// Enters the actor into the registry and begins its life: on the main loop for processes and
/// threads, on the current loop for tasks.
///
/// # Errors
///
/// What can be told at once: [`SpawnError::BadName`], [`SpawnError::NameTaken`], [`SpawnError::NoEntry`],
/// [`SpawnError::Limit`] while the system stops and for limits out of their range, [`SpawnError::Unsupported`] for
/// limits that its placement cannot have.
pub(crate) fn raise(node: &Arc<Node>, mut order: Order) -> Result<Raised, SpawnError> {
    if node.master().is_some_and(super::Master::is_stopping) {
        return Err(SpawnError::Limit {
            message: "the arbiter is stopping and spawns nothing more".to_owned(),
        });
    }
    let name = &order.spec.name;
    if !name.is_empty() && (!is_name(name) || node.parse(name).is_some()) {
        return Err(SpawnError::BadName { name: name.clone() });
    }
    spawn_limits::check(&mut order.spec)?;
    if order.spec.placement == Placement::Task {
        return placement::raise_task(node, order);
    }
    let (control, events) = mpsc::channel(CHILD_EVENTS);
    let birth = identity(node, &order);
    enter(
        node,
        &birth,
        &order,
        Some(Control::Overseer(control.clone())),
    )?;
    let (tenure, ready) = Tenure::new(node, &order);
    let (to_ended, ended) = oneshot::channel();
    let overseer = Overseer {
        tenure,
        control: control.clone(),
        vessel: None,
        stderr: Vec::new(),
        is_abandoned: false,
    };
    let life = async move {
        if let Some(cause) = overseer.run(order, birth, control, events).await {
            drop(to_ended.send(cause));
        }
    };
    match node.master() {
        // If the loop has ended, `ready` and `ended` say so by being dropped.
        Some(master) => drop(master.on_main_loop(life)),
        None => drop(tokio::spawn(life)),
    }
    Ok(Raised { ready, ended })
}

/// Enters an actor that is about to live into the registry.
///
/// # Errors
///
/// [`SpawnError::NameTaken`]; [`SpawnError::Limit`] if its place has a living actor.
pub(crate) fn enter(
    node: &Node,
    birth: &Arc<Identity>,
    order: &Order,
    control: Option<Control>,
) -> Result<(), SpawnError> {
    let (birth, monitor) = (Arc::clone(birth), order.monitor.clone());
    let mut registry = node.registry.lock();
    registry.begin(birth, order.role, monitor, control)
}

/// Who the wanted actor will be.
pub(crate) fn identity(node: &Node, order: &Order) -> Arc<Identity> {
    Arc::new(Identity {
        aid: order.aid,
        incarnation: order.incarnation,
        name: order.spec.name.clone(),
        placement: order.spec.placement,
        age: node.new_age(),
        generation: order.spec.generation,
        manager: order.manager,
        exit_timeout: order.spec.exit_timeout.unwrap_or(node.timing.exit_timeout),
        on_stop: order.spec.on_stop,
        params: order.spec.params.clone(),
        notify_every: notify_period(silence(node, &order.spec)),
        thread_workers: order
            .spec
            .thread_workers
            .unwrap_or_else(Executor::default_threads)
            .max(1),
    })
}

/// The shortest silence that is held against an actor: on a busy machine a loop may not turn for a
/// good part of it.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

/// How long an actor may be silent.
fn silence(node: &Node, spec: &SpawnParams) -> Duration {
    let timeout = spec.timeout.unwrap_or(node.timing.timeout);
    timeout.max(SHORTEST_TIMEOUT)
}

/// Oversees the life of a process or a thread.
struct Overseer {
    tenure: Tenure,
    /// Where its events come from.
    control: mpsc::Sender<ChildEvent>,
    vessel: Option<Vessel>,
    /// The last lines of a process's standard error stream, where they are kept.
    stderr: Vec<String>,
    /// It did not end when it had to.
    is_abandoned: bool,
}

impl Overseer {
    /// From launch to end. `None` if there was no launch.
    async fn run(
        mut self,
        order: Order,
        birth: Arc<Identity>,
        control: mpsc::Sender<ChildEvent>,
        mut events: mpsc::Receiver<ChildEvent>,
    ) -> Option<Cause> {
        let Some(permit) = self.boot_permit(birth.placement, &mut events).await else {
            let cause = Cause::Stopped;
            self.tenure.never_lived(SpawnError::Died { cause });
            return None;
        };
        let node = &self.tenure.node;
        let boot_timeout = order.spec.boot_timeout.unwrap_or(node.timing.boot_timeout);
        let mut oversight = Oversight::new(
            birth.placement,
            Instant::now() + boot_timeout,
            silence(node, &order.spec),
            birth.exit_timeout,
        );
        if let (Placement::Process, Some(master)) = (birth.placement, node.master()) {
            oversight = oversight.looked_at(birth.notify_every, master.looks.from);
        }
        let commission = Commission {
            birth,
            order,
            control,
        };
        if let Err(unlaunched) = self.launch(commission).await {
            let error = unlaunched.gone().await;
            self.tenure.never_lived(error);
            return None;
        }
        let cause = self.oversee(&mut oversight, &mut events, permit).await;
        self.ended(&cause, boot_timeout);
        Some(cause)
    }

    /// Bounds how many processes boot at once. `None` if the actor is not wanted any more by the
    /// time it could begin.
    async fn boot_permit(
        &self,
        placement: Placement,
        events: &mut mpsc::Receiver<ChildEvent>,
    ) -> Option<Permit> {
        let Some(master) = self.tenure.node.master() else {
            return Some(None);
        };
        let permit = match placement {
            Placement::Process => tokio::select! {
                biased;
                () = wanted_gone(events) => return None,
                permit = Arc::clone(&master.booting).acquire_owned() => permit.ok(),
            },
            Placement::Thread | Placement::Task => None,
        };
        (!master.is_stopping()).then_some(permit)
    }

    async fn launch(&mut self, commission: Commission) -> Result<(), Unlaunched> {
        let enter = |reached, pid| {
            let mut registry = self.tenure.node.registry.lock();
            registry.launched(self.tenure.aid, reached, pid);
        };
        let vessel = placement::launch(&self.tenure.node, commission, &enter).await?;
        self.vessel = Some(vessel);
        Ok(())
    }

    /// Carries out the decisions, until the last.
    async fn oversee(
        &mut self,
        oversight: &mut Oversight,
        events: &mut mpsc::Receiver<ChildEvent>,
        mut permit: Permit,
    ) -> Cause {
        loop {
            let event = next(events, self.vessel.as_mut(), oversight.deadline()).await;
            let link_closed = matches!(event, ChildEvent::LinkClosed(_));
            if let ChildEvent::Exited(exit) = event {
                self.exited(exit, oversight);
            }
            let decision = oversight.on(event, Instant::now());
            if matches!(decision, Decision::End(_)) && oversight.is_given_up() {
                tracing::warn!(aid = %self.tenure.aid, name = self.tenure.name, "actor does not die: abandoned");
                self.is_abandoned = true;
            }
            if !oversight.is_booting() {
                permit = None;
            }
            if decision == Decision::Abort {
                self.log_silence().await;
            }
            if let Some(cause) = self.carry_out(decision) {
                drop(permit);
                return cause;
            }
            if link_closed && let Some(vessel) = &self.vessel {
                // Its exit has most likely come to pass: no need to wait for the signal.
                vessel.look_for_exit(&self.tenure.node);
            }
        }
    }

    /// Its process is dead: gathers what only its traces tell.
    fn exited(&mut self, exit: Exit, oversight: &mut Oversight) {
        let Some(vessel) = &self.vessel else {
            return;
        };
        let last = vessel.last_stderr();
        if !oversight.is_doomed() && vessel.ran_out_of_memory(exit, &last) {
            let _ = oversight.on(ChildEvent::MemoryRanOut, Instant::now());
        }
        self.stderr = last.lines;
    }

    fn carry_out(&mut self, decision: Decision) -> Option<Cause> {
        let vessel = self.vessel.as_ref()?;
        match decision {
            Decision::Wait => {}
            Decision::Ready(info) => {
                self.tenure
                    .node
                    .registry
                    .lock()
                    .noted(self.tenure.aid, info);
                self.tenure.resolve(Ok(()));
            }
            Decision::Note(info) => self
                .tenure
                .node
                .registry
                .lock()
                .noted(self.tenure.aid, info),
            Decision::Look => self.look(),
            Decision::Ask => vessel.want_notify(),
            Decision::Stop => {
                self.tenure.node.registry.lock().stopping(self.tenure.aid);
                vessel.stop();
            }
            Decision::Terminate => vessel.terminate(&self.tenure.node),
            Decision::Abort => vessel.abort(&self.tenure.node),
            Decision::Kill => vessel.kill(&self.tenure.node),
            Decision::End(cause) => return Some(cause),
        }
        None
    }

    fn look(&self) {
        let master = self.tenure.node.master();
        if let (Some(Vessel::Process { pid, .. }), Some(master)) = (&self.vessel, master) {
            let control = Control::Overseer(self.control.clone());
            // Of one that is reaped meanwhile the exit comes too: whatever was seen changes nothing.
            let seen = move |asleep| control.offer(ChildEvent::Seen { asleep });
            master.looks.want(*pid, seen);
        }
    }

    /// Says what the silent actor was busy with, before it is ended.
    async fn log_silence(&self) {
        let Some(vessel) = &self.vessel else {
            return;
        };
        let Standstill { hold, state } = vessel.standstill(&self.tenure.node).await;
        let (command, for_s) = match &hold {
            Some(hold) => (hold.what.as_str(), Some(tenths(hold.lasted))),
            None => ("none", None),
        };
        let what = match vessel {
            Vessel::Process { .. } => "its process is aborted",
            Vessel::Thread(..) => "its thread is abandoned",
        };
        tracing::error!(aid = %self.tenure.aid, name = self.tenure.name, command, for_s, state, "actor is silent: {what}");
    }

    fn ended(&mut self, cause: &Cause, boot_timeout: Duration) {
        self.let_go(cause);
        let stderr = std::mem::take(&mut self.stderr);
        let spawned = spawn_error(cause, boot_timeout);
        self.tenure.ended(cause, stderr, spawned);
    }

    /// All that waits for the dead is answered.
    fn let_go(&mut self, cause: &Cause) {
        if let Some(vessel) = self.vessel.take() {
            vessel.end(cause);
            if self.is_abandoned {
                vessel.abandon(&self.tenure.node);
            }
        }
    }
}

/// An overseer that is dropped before its time, with the loop it ran on, leaves nobody waiting: first this, then its
/// tenure.
impl Drop for Overseer {
    fn drop(&mut self) {
        self.let_go(&Cause::Unknown);
    }
}

/// In seconds, to the tenth.
fn tenths(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}

type Permit = Option<tokio::sync::OwnedSemaphorePermit>;

/// Waits until somebody wants the actor gone that has not begun.
async fn wanted_gone(events: &mut mpsc::Receiver<ChildEvent>) {
    loop {
        match events.recv().await {
            Some(ChildEvent::StopAsked | ChildEvent::KillAsked) => return,
            Some(_) => {}
            // The registry has let go of it.
            None => return,
        }
    }
}

async fn next(
    events: &mut mpsc::Receiver<ChildEvent>,
    vessel: Option<&mut Vessel>,
    deadline: Option<Instant>,
) -> ChildEvent {
    let time_came = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => pending().await,
        }
    };
    let exited = async {
        match vessel {
            Some(vessel) => vessel.exited().await,
            None => pending().await,
        }
    };
    tokio::select! {
        // What has come is heard before time passes a verdict on it.
        biased;
        // Never `None`: the registry's entry holds a sender for as long as the actor lives.
        Some(event) = events.recv() => event,
        exit = exited => ChildEvent::Exited(exit),
        () = time_came => ChildEvent::TimeCame,
    }
}
