//! How an actor comes to be in each placement, and over what it is reached. What it does then is
//! the lifecycle's, the same for all.

mod abandoned;
mod process;
mod task;
mod thread;

use std::collections::HashMap;
use std::future::pending;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use pulsar_sys::occupation::now_us;
use pulsar_sys::{Exit, Pid, Signal};
use pulsar_wire::{Frame, Kind};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::arbiter::{Hooking, Order};
use crate::node::Node;
use crate::{Cause, Context, DeadReason, Placement, SpawnError};
use pulsar_actor::runtime::{Hooks, Identity, Life, Mailbox};
use pulsar_child::{Confinement, Last, Standstill, Stderr};
use pulsar_link::Link;
use pulsar_policy::ChildEvent;
use pulsar_registry::Reached;
use pulsar_reports::Reports;

pub(crate) use abandoned::Abandoned;
pub(crate) use process::ChildIdentity;
pub(crate) use task::raise_task;

/// All that a placement needs to begin a life.
pub(crate) struct Commission {
    pub(crate) birth: Arc<Identity>,
    pub(crate) order: Order,
    /// Where its events go.
    pub(crate) control: mpsc::Sender<ChildEvent>,
}

/// What carries the life of a process or a thread, as its overseer holds it.
pub(crate) enum Vessel {
    Process {
        pid: Pid,
        link: Arc<Link>,
        /// Taken when it has come.
        exit: Option<oneshot::Receiver<Exit>>,
        /// Dropped with the vessel, when the process is gone.
        confinement: Confinement,
        /// Its standard error stream, where that is read here.
        stderr: Option<Stderr>,
    },
    /// The handle tells whether the thread has ended; it is never waited for.
    Thread(Context, JoinHandle<()>),
}

/// Enters an actor into the registry, so that messages find it: before anything of it can run.
pub(crate) type Enter<'a> = &'a (dyn Fn(Reached, Option<Pid>) + Sync);

/// Begins a life. `enter` is called before the actor's own code can run, or, where that is in another
/// process, before it can be heard.
///
/// # Errors
///
/// If there will be none; then nothing is left of it once [`Unlaunched::gone`] has returned.
pub(crate) async fn launch(
    node: &Arc<Node>,
    commission: Commission,
    enter: Enter<'_>,
) -> Result<Vessel, Unlaunched> {
    match commission.birth.placement {
        Placement::Process => {
            let vessel = process::launch(node, commission).await?;
            enter(vessel.reached(), vessel.pid());
            Ok(vessel)
        }
        Placement::Thread => Ok(thread::launch(node, commission, enter)?),
        // It carries itself, see `task`.
        Placement::Task => Err(SpawnError::Unsupported {
            message: "a task actor is begun on its own loop".to_owned(),
        }
        .into()),
    }
}

/// A life that did not begin.
pub(crate) struct Unlaunched {
    error: SpawnError,
    /// A process that was made for it, and was killed before it ran anything of the user's.
    doomed: Option<Box<Doomed>>,
}

/// A process that is about to be gone.
pub(crate) struct Doomed {
    exit: oneshot::Receiver<Exit>,
    confinement: Confinement,
}

impl From<SpawnError> for Unlaunched {
    fn from(error: SpawnError) -> Self {
        Self {
            error,
            doomed: None,
        }
    }
}

impl Unlaunched {
    /// How long the kernel may take to end a process that was killed.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Waits until nothing is left of it. Why it did not begin.
    pub(crate) async fn gone(self) -> SpawnError {
        if let Some(doomed) = self.doomed {
            let Doomed { exit, confinement } = *doomed;
            // One that does not die is reaped whenever it does.
            let _ = timeout(Self::PATIENCE, exit).await;
            drop(confinement);
        }
        self.error
    }
}

impl Vessel {
    pub(crate) fn reached(&self) -> Reached {
        match self {
            Self::Process { link, .. } => Reached::Link(Arc::clone(link)),
            Self::Thread(cx, _) => Reached::Local(cx.clone()),
        }
    }

    pub(crate) fn pid(&self) -> Option<Pid> {
        match self {
            Self::Process { pid, .. } => Some(*pid),
            Self::Thread(..) => Some(Pid::current()),
        }
    }

    /// Asks the actor to stop.
    pub(crate) fn stop(&self) {
        match self {
            Self::Process { link, .. } => link.send_plain(Kind::Stop),
            Self::Thread(cx, _) => cx.stop(),
        }
    }

    /// Asks a process actor to notify. Others do so by themselves.
    pub(crate) fn want_notify(&self) {
        if let Self::Process { link, .. } = self {
            let since_us = now_us().to_le_bytes();
            let body = Bytes::copy_from_slice(&since_us);
            link.send_system(Frame::new(Kind::NotifyWanted, body));
        }
    }

    /// Where it stands, as far as that can be seen.
    pub(crate) async fn standstill(&self, node: &Node) -> Standstill {
        match (self, node.master()) {
            (Self::Process { pid, .. }, Some(master)) => {
                Standstill::of_process(*pid, &master.brood).await
            }
            (Self::Process { .. }, None) => Standstill::default(),
            (Self::Thread(cx, _), _) => Standstill::of_thread(cx.cell().occupation()),
        }
    }

    /// Asks its process, in case its link is not read.
    pub(crate) fn terminate(&self, node: &Node) {
        if let (Self::Process { pid, .. }, Some(master)) = (self, node.master()) {
            master.brood.signal(*pid, Signal::Terminate);
        }
    }

    /// Has its process end, and leave a trace of where it stood; a thread is asked to end.
    pub(crate) fn abort(&self, node: &Node) {
        match (self, node.master()) {
            (Self::Process { pid, .. }, Some(master)) => master.brood.signal(*pid, Signal::Abort),
            _ => self.kill(node),
        }
    }

    /// Ends the actor: a process by signal; a thread or a task by its own loop, as soon as that
    /// turns, since nothing else can end them.
    pub(crate) fn kill(&self, node: &Node) {
        match self {
            Self::Process { pid, .. } => {
                if let Some(master) = node.master() {
                    master.brood.signal(*pid, Signal::Kill);
                }
            }
            Self::Thread(cx, _) => cx.cell().kill.cancel(),
        }
    }

    /// The exit of its process, once; threads and tasks tell of their end by themselves.
    pub(crate) async fn exited(&mut self) -> Exit {
        let Self::Process { exit, .. } = self else {
            return pending().await;
        };
        let exited = match exit {
            Some(exit) => exit.await,
            None => pending().await,
        };
        *exit = None;
        exited.unwrap_or(Exit::Lost)
    }

    /// What its process, which has exited, said last on its standard error stream, where that is read here.
    pub(crate) fn last_stderr(&self) -> Last {
        match self {
            Self::Process { stderr, .. } => stderr.as_ref().map(Stderr::finish).unwrap_or_default(),
            Self::Thread(..) => Last::default(),
        }
    }

    /// Whether its process, which has exited so without our doing and with these last words, lacked memory.
    pub(crate) fn ran_out_of_memory(&self, exit: Exit, last: &Last) -> bool {
        match self {
            Self::Process { confinement, .. } => confinement.ran_out_of_memory(exit, last),
            Self::Thread(..) => false,
        }
    }

    /// Its link has ended: has its process?
    pub(crate) fn look_for_exit(&self, node: &Node) {
        if let (Self::Process { pid, .. }, Some(master)) = (self, node.master()) {
            master.reap_one(*pid);
        }
    }

    /// The life is over, but not its thread, which is counted from now on until it ends.
    pub(crate) fn abandon(self, node: &Node) {
        if let (Self::Thread(_, thread), Some(master)) = (self, node.master()) {
            master.abandoned.add(thread);
        }
    }

    /// The life is over: what waits for it is answered.
    pub(crate) fn end(&self, cause: &Cause) {
        match self {
            Self::Process { link, .. } => link.end(cause),
            Self::Thread(cx, _) => end_here(cx, cause),
        }
    }
}

/// The life of an actor of this process is over: what waits for it is answered.
fn end_here(cx: &Context, cause: &Cause) {
    // Its lifecycle has answered, unless it was abandoned.
    let _ = cx.cell().cause.set(cause.clone());
    cx.cell().gone.cancel();
    cx.cell().mailbox.messages().answer_no_more();
    // What an abandoned one would never come to.
    cx.cell().mailbox.messages().close();
    for unrun in cx.cell().mailbox.messages().drain() {
        cx.dead_letter(unrun, DeadReason::ActorEnded(cause.clone()));
    }
}

/// An actor of this process, ready to live.
fn local_life(
    node: &Arc<Node>,
    birth: Arc<Identity>,
    order: &mut Order,
    reports: Reports,
) -> Result<(Context, Life), SpawnError> {
    let hooks: Hooks = match order.hooking.take() {
        Hooking::Portable(behaviour) => behaviour.resolve()?,
        Hooking::Native(hooks) => hooks,
    };
    let descriptors = duplicates(std::mem::take(&mut order.descriptors))?;
    let spec = &order.spec;
    let mailbox = Mailbox::new(hooks.kind, spec.mailbox_capacity, spec.overflow);
    let cx = Context::new(birth, hooks.kind, node.share(), mailbox, descriptors);
    reports.hello(cx.aid(), cx.incarnation());
    let life = Life::new(cx.clone(), hooks, reports);
    Ok((cx, life))
}

/// The actor's own copies: it may close them, and keep them past its spawner's.
fn duplicates(given: Vec<(String, Arc<OwnedFd>)>) -> Result<HashMap<String, OwnedFd>, SpawnError> {
    let duplicate = |(name, fd): (String, Arc<OwnedFd>)| match fd.try_clone() {
        Ok(copy) => Ok((name, copy)),
        Err(error) => Err(SpawnError::Limit {
            message: format!("descriptor {name:?} cannot be duplicated: {error}"),
        }),
    };
    given.into_iter().map(duplicate).collect()
}
