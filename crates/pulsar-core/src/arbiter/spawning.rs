//! Orders that come from other actors, and their notifies.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use pulsar_wire::{Aid, Incarnation};
use serde::{Deserialize, Serialize};

use super::{Hooking, Order, raise};
use crate::hooks::Behaviour;
use crate::node::{Node, Upward};
use crate::spawn::{Spec, gone};
use crate::{CallError, Context, Info, Placement, Role, SpawnError, builtin, send};
use pulsar_policy::ChildEvent;

/// A spawn that a process actor asks of the arbiter. The id is one of those set aside for it.
#[doc(hidden)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    aid: Aid,
    spec: Spec,
    behaviour: Behaviour,
}

/// Asks the arbiter to spawn a process actor; resolves when that is ready.
pub(crate) async fn spawn_from_child(
    node: Arc<Node>,
    aid: Aid,
    spec: Spec,
    behaviour: Behaviour,
    descriptors: Vec<(String, Arc<OwnedFd>)>,
) -> Result<(), SpawnError> {
    let outcome = request(&node, aid, spec, behaviour, &descriptors).await;
    if let Upward::Child { places, .. } = &node.upward {
        // One place was used and one comes back: another, or the same if it was not used.
        places
            .lock()
            .insert(0, *outcome.as_ref().unwrap_or(&aid.place()));
    }
    outcome.map(drop)
}

async fn request(
    node: &Node,
    aid: Aid,
    spec: Spec,
    behaviour: Behaviour,
    descriptors: &[(String, Arc<OwnedFd>)],
) -> Result<u32, SpawnError> {
    if !descriptors.is_empty() {
        return Err(SpawnError::Unsupported {
            message: "a process actor cannot pass descriptors to what it spawns".to_owned(),
        });
    }
    // A little more than the actor itself has, so that the arbiter's verdict comes first.
    let wait = spec.boot_timeout.unwrap_or(node.timing.boot_timeout) * 2;
    let request = Request {
        aid,
        spec,
        behaviour,
    };
    match send("arbiter", builtin::spawn, request).timeout(wait).await {
        Ok(place) => Ok(place),
        Err(CallError::Command(error)) => Err(error),
        Err(CallError::Send(error)) => Err(error.into()),
    }
}

/// The arbiter's part: spawns, and answers with a place for the next.
pub(crate) async fn spawn_for(cx: Context, request: Request) -> Result<u32, SpawnError> {
    let node = &cx.cell.node;
    let Some(master) = node.master().filter(|_| cx.is_arbiter()) else {
        return Err(SpawnError::Unsupported {
            message: "only the arbiter spawns for others".to_owned(),
        });
    };
    if request.spec.placement != Placement::Process {
        return Err(SpawnError::Unsupported {
            message: "a process actor cannot have its functions run in the arbiter's process: \
                      spawn a process or a task"
                .to_owned(),
        });
    }
    let held = node.registry.lock().get(request.aid).is_some();
    if held || request.aid.arbiter() != node.arbiter_id() || request.aid.task() != 0 {
        return Err(SpawnError::Unsupported {
            message: format!("the place {} is not free", request.aid),
        });
    }
    let raised = raise(
        node,
        Order {
            aid: request.aid,
            incarnation: Incarnation::FIRST,
            spec: request.spec,
            hooking: Hooking::Portable(request.behaviour),
            descriptors: Vec::new(),
            manager: node.arbiter_aid(),
            role: Role::Actor,
            monitor: None,
            keep_place: false,
        },
    )?;
    raised.ready.await.unwrap_or_else(|_| Err(gone()))?;
    Ok(master.new_place())
}

/// Takes a notify that came as a command. False if `sender` is not managed by the actor of `cx`.
pub(crate) fn notified(cx: &Context, sender: Aid, info: Info) -> bool {
    let registry = cx.cell.node.registry.lock();
    let entry = registry
        .get(sender)
        .filter(|entry| entry.birth.manager == cx.aid());
    let Some(control) = entry.and_then(|entry| entry.control.clone()) else {
        return false;
    };
    drop(registry);
    // A manager that is behind by a whole channel gets the next one.
    drop(control.try_send(ChildEvent::Notified(Box::new(info))));
    true
}
