//! Orders that come from other actors, and their notifies.

use std::sync::Arc;

use pulsar_wire::Aid;
use serde::{Deserialize, Serialize};

use super::Kept;
use crate::node::{Node, Upward};
use crate::spawn::{Parts, gone};
use crate::{
    CallError, Context, Info, Placement, RestartPolicy, SendError, SpawnError, SpawnParams, State,
    builtin, send,
};
use pulsar_actor::runtime::{Behaviour, LONGEST};
use pulsar_registry::Control;
use pulsar_reports::offer_notify;

/// A spawn that a process actor asks of the arbiter. The id is one of those set aside for it.
#[doc(hidden)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    aid: Aid,
    spec: SpawnParams,
    behaviour: Behaviour,
}

/// The arbiter's answer: how it went, and a place for the next.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Spawned {
    outcome: Result<(), SpawnError>,
    place: Option<u32>,
}

/// Asks the arbiter to spawn a process actor; resolves when that is ready.
pub(crate) async fn spawn_from_child(
    node: Arc<Node>,
    aid: Aid,
    (spec, behaviour, has_descriptors): Parts,
) -> Result<(), SpawnError> {
    if has_descriptors {
        give_back(&node, Some(aid.place()));
        return Err(SpawnError::Unsupported {
            message: "a process actor cannot pass descriptors to what it spawns".to_owned(),
        });
    }
    // A little more than the actor itself has, so that the arbiter's verdict comes first.
    let boot_timeout = spec.boot_timeout.unwrap_or(node.timing.boot_timeout);
    let wait = boot_timeout.saturating_mul(2);
    let request = Request {
        aid,
        spec,
        behaviour,
    };
    match send("arbiter", builtin::spawn, request).timeout(wait).await {
        Ok(spawned) => {
            give_back(&node, spawned.place);
            spawned.outcome
        }
        Err(CallError::Send(error)) => {
            // Where it is not known whether the arbiter has seen it, the place is not used again.
            if is_undelivered(&error) {
                give_back(&node, Some(aid.place()));
            }
            Err(error.into())
        }
        Err(CallError::Command(never)) => match never {},
    }
}

/// True if the request has certainly not been seen.
fn is_undelivered(error: &SendError) -> bool {
    use SendError::{Codec, MailboxFull, TooLarge};
    matches!(error, MailboxFull { .. } | TooLarge { .. } | Codec { .. })
}

fn give_back(node: &Node, place: Option<u32>) {
    if let Upward::Child { places, .. } = &node.upward {
        places.lock().extend(place);
    }
}

/// The arbiter's part.
pub(crate) async fn spawn_for(cx: Context, request: Request) -> Spawned {
    let node = Node::of(&cx);
    let Some(master) = node.master().filter(|_| cx.is_arbiter()) else {
        return Spawned {
            outcome: Err(SpawnError::Unsupported {
                message: "only the arbiter spawns for others".to_owned(),
            }),
            place: None,
        };
    };
    let sender = cx.sender().filter(|sender| {
        let aid = request.aid;
        let is_one = aid.host() == aid && aid.arbiter() == node.arbiter_id();
        is_one && master.take_granted(aid.place(), sender.host())
    });
    let outcome = match sender {
        Some(_) => raise_for(&node, request).await,
        None => Err(SpawnError::Unsupported {
            message: format!("the place {} was not set aside for this actor", request.aid),
        }),
    };
    // One that has died meanwhile spawns nothing more.
    let lives = |sender: &Aid| node.registry.lock().get(sender.host()).is_some();
    let sender = sender.filter(lives);
    let place = sender.and_then(|sender| master.grant_places(sender.host(), 1).pop());
    Spawned { outcome, place }
}

async fn raise_for(node: &Arc<Node>, mut request: Request) -> Result<(), SpawnError> {
    // An honest child has done so. The arbiter adds them to the time of day.
    request.spec.bound_times(LONGEST);
    let behaviour = match request.spec.placement {
        Placement::Process => request.behaviour,
        // It will run here: only what this process knows as its own.
        Placement::Thread => request.behaviour.registered()?,
        Placement::Task => {
            return Err(SpawnError::Unsupported {
                message: "a task runs on the loop of its spawner, not on the arbiter's".to_owned(),
            });
        }
    };
    // What it keeps for restarts does not wait to be read. Each such actor costs its process a
    // descriptor here as well, which bounds their number.
    let behaviour = match request.spec.restart {
        RestartPolicy::Temporary => behaviour,
        RestartPolicy::Transient | RestartPolicy::Permanent => behaviour.taken_over(),
    };
    let kept = Kept {
        aid: request.aid,
        manager: node.arbiter(),
        spec: request.spec,
        behaviour,
        descriptors: Vec::new(),
    };
    let raised = kept.raise(node)?;
    raised.ready.await.unwrap_or_else(|_| Err(gone()))
}

/// Takes a notify that came as a command. False if `sender` is not managed by the actor of `cx`.
pub(crate) fn notified(cx: &Context, sender: Aid, info: Info) -> bool {
    let node = Node::of(cx);
    let registry = node.registry.lock();
    let entry = registry
        .get(sender)
        .filter(|entry| entry.birth.manager == cx.aid());
    let Some((control, state)) =
        entry.and_then(|entry| Some((entry.control.clone()?, entry.state)))
    else {
        return false;
    };
    drop(registry);
    // The first notify, which says "ready", is the lifecycle's alone to send.
    if state < State::Running {
        return true;
    }
    match control {
        Control::Overseer(events) => offer_notify(&events, info),
        Control::Task(_) => node.registry.lock().noted(sender, Box::new(info)),
    }
    true
}
