//! An actor of no monitor's that begins anew when it ends.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use pulsar_wire::{Aid, Incarnation};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::shutdown::{MARGIN, ask_to_stop};
use super::{Chance, Hooking, Order, Raised, raise};
use crate::node::Node;
use crate::{Cause, Placement, RestartPolicy, Role, SpawnError, SpawnParams};
use pulsar_actor::runtime::Behaviour;
use pulsar_policy::{ChildRules, GroupDecision, GroupEvent, RestartLimits, Strategy, Supervision};

/// What is needed for one more life.
pub(crate) struct Kept {
    pub(crate) aid: Aid,
    pub(crate) manager: Aid,
    pub(crate) spec: SpawnParams,
    pub(crate) behaviour: Behaviour,
    pub(crate) descriptors: Vec<(String, Arc<OwnedFd>)>,
}

/// The actor is the only child of its group.
const READY: GroupEvent = GroupEvent::Ready { child: 0 };

/// When the policy has the next life begin, if it does.
fn next_life(decisions: &[GroupDecision], now: Instant) -> Option<Instant> {
    decisions.iter().find_map(|decision| match decision {
        GroupDecision::Start { .. } => Some(now),
        GroupDecision::Delay { until, .. } => Some(*until),
        _ => None,
    })
}

/// What is kept of a place between two lives. It is given up when this is dropped: after the last
/// life, and where the loop ends on which its lives are kept.
struct Place {
    node: Arc<Node>,
    aid: Aid,
    name: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        // A life that has not ended yet gives the place up itself when it does.
        self.node.registry.lock().unwanted(self.aid);
        self.node.release_name(self.aid, &self.name);
    }
}

impl Kept {
    /// Begins the first life, and those after it as the restart policy says. The end that is told
    /// is that of the last.
    ///
    /// # Errors
    ///
    /// As [`raise`].
    pub(crate) fn raise(self, node: &Arc<Node>) -> Result<Raised, SpawnError> {
        let first = raise(node, self.order(Incarnation::FIRST))?;
        if self.spec.restart == RestartPolicy::Temporary {
            return Ok(first);
        }
        let unwanted = node.registry.lock().until_unwanted(self.aid);
        let (to_ready, ready) = oneshot::channel();
        let (to_ended, ended) = oneshot::channel();
        let (keeper, is_task) = (Arc::clone(node), self.spec.placement == Placement::Task);
        let place = Place {
            node: Arc::clone(node),
            aid: self.aid,
            name: self.spec.name.clone(),
        };
        let keeping = async move {
            let cause = self.keep(&keeper, first, &unwanted, to_ready).await;
            drop(place);
            drop(to_ended.send(cause));
        };
        match node.master() {
            // If the loop has ended, `ready` and `ended` say so by being dropped.
            Some(master) if !is_task => drop(master.on_main_loop(keeping)),
            _ => drop(tokio::spawn(keeping)),
        }
        Ok(Raised { ready, ended })
    }

    async fn keep(
        &self,
        node: &Arc<Node>,
        first: Raised,
        unwanted: &CancellationToken,
        to_ready: oneshot::Sender<Result<(), SpawnError>>,
    ) -> Cause {
        let mut supervision = self.supervision(node);
        let mut chance = Chance::default();
        let mut next = Incarnation::FIRST.next();
        let (ready, mut ended) = (first.ready.await, first.ended);
        let ready = ready.unwrap_or_else(|_| Err(crate::spawn::gone()));
        let lives = ready.is_ok();
        drop(to_ready.send(ready));
        if !lives {
            return ended.await.unwrap_or(Cause::Unknown);
        }
        // Its first life has begun by itself: only a later one is decided here.
        let _ = supervision.begin(Instant::now());
        supervision.on(READY, Instant::now(), chance.draw());
        loop {
            let cause = ended.await.unwrap_or(Cause::Unknown);
            let event = GroupEvent::Ended {
                child: 0,
                cause: cause.clone(),
            };
            let now = Instant::now();
            let decisions = supervision.on(event, now, chance.draw());
            if let Some(reason) = &supervision.status().gave_up {
                tracing::error!(aid = %self.aid, name = self.spec.name, reason, "actor is not restarted any more");
            }
            let Some(at) = next_life(&decisions, now) else {
                return cause;
            };
            if !self.wait(node, unwanted, at).await {
                return cause;
            }
            supervision.on(GroupEvent::TimeCame, at.max(Instant::now()), chance.draw());
            let Ok(raised) = raise(node, self.order(next)) else {
                // The system stops.
                return cause;
            };
            // Asked for from another thread after the wait, when there was nobody to tell yet.
            if unwanted.is_cancelled() {
                ask_to_stop(node, self.aid).await;
            }
            next = next.next();
            if let Ok(Ok(())) = raised.ready.await {
                supervision.on(READY, Instant::now(), chance.draw());
            }
            ended = raised.ended;
        }
    }

    /// A group of one.
    fn supervision(&self, node: &Node) -> Supervision {
        let rules = ChildRules {
            restart: self.spec.restart,
            final_after: self.spec.final_after.clone(),
            stop_within: self.spec.exit_timeout.unwrap_or(node.timing.exit_timeout) + MARGIN,
        };
        Supervision::ordered(vec![rules], Strategy::OneForOne, RestartLimits::default())
    }

    /// Waits until the next life may begin. False if nobody wants one any more.
    async fn wait(&self, node: &Node, unwanted: &CancellationToken, at: Instant) -> bool {
        node.registry.lock().restarts_at(self.aid, at);
        tokio::select! {
            biased;
            () = unwanted.cancelled() => false,
            () = sleep_until(at) => true,
        }
    }

    fn order(&self, incarnation: Incarnation) -> Order {
        Order {
            aid: self.aid,
            incarnation,
            spec: self.spec.clone(),
            hooking: Hooking::Portable(Box::new(self.behaviour.clone())),
            descriptors: self.descriptors.clone(),
            manager: self.manager,
            role: Role::Actor,
            monitor: None,
            keep_place: self.spec.restart != RestartPolicy::Temporary,
        }
    }
}
