//! Lists of actors, as of their last notifies. They wait for nobody.

use std::time::Duration;

use tokio::time::Instant;

use super::registry::Entry;
use crate::node::Node;
use crate::{ActorStatus, Context, Info};

/// What an actor knows of: the arbiter of all, itself first; any other of those that it manages: a
/// monitor of its workers, the owner of a loop of the task actors there.
pub(crate) fn known_to(cx: &Context) -> Vec<ActorStatus> {
    let (node, aid) = (Node::of(cx), cx.aid());
    if cx.is_arbiter() {
        return all(&node);
    }
    list(&node, |entry| entry.birth.manager == aid)
}

/// All that this process knows, its own actor first, the others by their places.
pub(super) fn all(node: &Node) -> Vec<ActorStatus> {
    let mut all = list(node, |_| true);
    if let (Some(_), Some(cx), Some(first)) = (node.master(), node.owner(), all.first_mut()) {
        own(first, &cx.info());
    }
    all
}

fn list(node: &Node, picks: impl Fn(&Entry) -> bool) -> Vec<ActorStatus> {
    let registry = node.registry.lock();
    let now = Instant::now();
    let picked = registry.iter().filter(|entry| picks(entry));
    let mut picked: Vec<_> = picked.map(|entry| status(entry, now)).collect();
    drop(registry);
    picked.sort_by_key(|status| status.aid);
    picked
}

fn status(entry: &Entry, now: Instant) -> ActorStatus {
    let info = entry.info.as_ref();
    ActorStatus {
        aid: entry.birth.aid,
        name: entry.birth.name.clone(),
        role: entry.role,
        placement: entry.birth.placement,
        pid: entry.pid.and_then(|pid| u32::try_from(pid.as_raw()).ok()),
        state: entry.state,
        restarting: entry
            .until
            .filter(|_| entry.pid.is_none())
            .map(|at| at.saturating_duration_since(now)),
        monitor: entry.monitor.clone(),
        uptime: now.saturating_duration_since(entry.since),
        incarnation: entry.birth.incarnation,
        generation: entry.birth.generation,
        restarts: entry.restarts,
        last_exit: entry.last_exit.clone(),
        system: info.and_then(|(_, info)| info.system),
        mailbox: info.map(|(_, info)| info.mailbox).unwrap_or_default(),
        notified_ago: info.map(|(at, _)| now.saturating_duration_since(*at)),
    }
}

/// The arbiter notifies nobody: it looks at itself.
fn own(status: &mut ActorStatus, info: &Info) {
    status.state = info.actor.state;
    status.system = info.system;
    status.mailbox = info.mailbox;
    status.notified_ago = Some(Duration::ZERO);
}
