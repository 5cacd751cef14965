//! An actor as a task on the current event loop.
//!
//! It needs no overseer: its loop is all that could end it, and its life bounds each of its own steps. So one task of
//! the runtime's carries the life and the end of its place; this keeps a task actor as cheap as a task.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context as TaskContext;
use std::time::Duration;

use futures_util::FutureExt;
use pulsar_sys::Pid;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use super::{end_here, local_life};
use crate::arbiter::{Order, Raised, Tenure, enter, identity, spawn_error};
use crate::node::Node;
use crate::{Cause, Context, SpawnError, panic_message};
use pulsar_registry::{Control, Reached};
use pulsar_reports::Reports;

/// Begins a life on the current loop.
///
/// # Errors
///
/// As for [`raise`](crate::arbiter::raise()).
pub(crate) fn raise_task(node: &Arc<Node>, mut order: Order) -> Result<Raised, SpawnError> {
    let birth = identity(node, &order);
    let made = local_life(node, Arc::clone(&birth), &mut order, Reports::Here);
    let control = made.as_ref().ok().map(|(cx, _)| Control::Task(cx.clone()));
    enter(node, &birth, &order, control)?;
    let (mut tenure, ready) = Tenure::new(node, &order);
    let (to_ended, ended) = oneshot::channel();
    let (cx, life) = match made {
        Ok(made) => made,
        Err(error) => {
            tenure.never_lived(error);
            return Ok(Raised { ready, ended });
        }
    };
    let boot_timeout = order.spec.boot_timeout.unwrap_or(node.timing.boot_timeout);
    let carried = Carried { tenure, cx };
    // In a place of its own: it is large, and would be moved with each step of the task's making.
    let life = Box::pin(life.live());
    if node.claims(order.aid, &order.spec.name) {
        tokio::spawn(carried.claim_and_live(life, boot_timeout, to_ended));
    } else {
        carried.launched();
        tokio::spawn(carried.live(life, boot_timeout, to_ended));
    }
    Ok(Raised { ready, ended })
}

/// A life that a task of the runtime's carries. Dropped before its time, with the loop it was on, it answers all that
/// waits for it, and then lets go of its place.
struct Carried {
    tenure: Tenure,
    cx: Context,
}

impl Carried {
    /// From now on messages find the actor: before anything of it can run.
    fn launched(&self) {
        let reached = Reached::Local(self.cx.clone());
        let mut registry = self.tenure.node.registry.lock();
        registry.launched(self.tenure.aid, reached, Some(Pid::current()));
    }

    async fn claim_and_live(
        mut self,
        life: Pin<Box<impl Future<Output = Cause>>>,
        boot_timeout: Duration,
        to_ended: oneshot::Sender<Cause>,
    ) {
        let (node, aid) = (Arc::clone(&self.tenure.node), self.tenure.aid);
        if let Err(error) = node.claim_name(aid, &self.tenure.name).await {
            end_here(&self.cx, &Cause::Failed(error.to_string()));
            return self.tenure.never_lived(error);
        }
        self.launched();
        self.live(life, boot_timeout, to_ended).await;
    }

    async fn live(
        mut self,
        life: Pin<Box<impl Future<Output = Cause>>>,
        boot_timeout: Duration,
        to_ended: oneshot::Sender<Cause>,
    ) {
        let mut boot = Boot::Within(boot_timeout);
        // What the user wrote can panic past the lifecycle's own guard, by a `Drop`.
        let mut life = AssertUnwindSafe(life).catch_unwind();
        let ended = poll_fn(|task| {
            let polled = life.poll_unpin(task);
            if self.tenure.is_unresolved() {
                self.look_whether_ready(&mut boot, polled.is_pending(), task);
            }
            polled
        });
        let cause = match ended.await {
            // It was killed for it.
            Ok(_) if matches!(boot, Boot::Over) => Cause::BootTimeout,
            Ok(cause) => cause,
            Err(panic) => Cause::Panic(panic_message(&*panic).to_owned()),
        };
        end_here(&self.cx, &cause);
        let spawned = spawn_error(&cause, boot_timeout);
        self.tenure.ended(&cause, Vec::new(), spawned);
        // A monitor, or nobody.
        drop(to_ended.send(cause));
    }

    fn look_whether_ready(&mut self, boot: &mut Boot, lives: bool, task: &mut TaskContext<'_>) {
        if self.cx.cell().pulse.notified_ago().is_some() {
            *boot = Boot::Done;
            self.tenure.node.registry.lock().ready(self.tenure.aid);
            self.tenure.resolve(Ok(()));
        } else if lives && boot.is_over(task) {
            self.cx.cell().kill.cancel();
        }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        if !self.tenure.is_over() {
            end_here(&self.cx, &Cause::Unknown);
        }
    }
}

/// The time until an actor has to be ready.
enum Boot {
    /// It has not been looked at yet: most are ready by their first look, and need no timer.
    Within(Duration),
    Until(Pin<Box<Sleep>>),
    Over,
    Done,
}

impl Boot {
    /// True once, when the time is over.
    fn is_over(&mut self, task: &mut TaskContext<'_>) -> bool {
        if let Self::Within(timeout) = self {
            *self = Self::Until(Box::pin(sleep(*timeout)));
        }
        match self {
            Self::Until(time) => {
                let is_over = time.as_mut().poll(task).is_ready();
                if is_over {
                    *self = Self::Over;
                }
                is_over
            }
            Self::Within(_) | Self::Over | Self::Done => false,
        }
    }
}
