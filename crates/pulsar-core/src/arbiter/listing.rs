//! Lists of actors: as of their last notifies, or, for tasks of this process, as they are. They wait for nobody; who has
//! not notified for a while is asked to, for the next list.

use std::time::Duration;

use tokio::time::Instant;

use crate::node::Node;
use crate::{ActorStatus, Context, Info, Placement};
use pulsar_registry::Entry;

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
    let is_seen = |status: &ActorStatus| {
        status.placement == Placement::Task && status.system.is_none() && status.pid.is_some()
    };
    if picked.iter().any(is_seen) {
        // One look for all of them: they share a process.
        let usage = node.usage();
        let tasks = picked.iter_mut().filter(|status| is_seen(status));
        tasks.for_each(|task| task.system = usage);
    }
    picked.sort_by_key(|status| status.aid);
    picked
}

fn status(entry: &Entry, now: Instant) -> ActorStatus {
    let (told, task) = (entry.news(now), entry.task());
    let mailbox = told.map(|(_, info)| info.mailbox);
    let system = told.and_then(|(_, info)| info.system);
    let notified_ago = told.map(|(ago, _)| ago);
    ActorStatus {
        aid: entry.birth.aid,
        name: entry.birth.name.clone(),
        role: entry.role,
        placement: entry.birth.placement,
        pid: entry.pid.and_then(|pid| u32::try_from(pid.as_raw()).ok()),
        state: entry.state.max(task.map_or(entry.state, Context::state)),
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
        system,
        mailbox: mailbox
            .or(task.map(|task| task.cell().mailbox.info()))
            .unwrap_or_default(),
        notified_ago: notified_ago.or(task.and_then(|task| task.cell().pulse.notified_ago())),
    }
}

/// The arbiter notifies nobody: it looks at itself.
fn own(status: &mut ActorStatus, info: &Info) {
    status.state = info.actor.state;
    status.system = info.system;
    status.mailbox = info.mailbox;
    status.notified_ago = Some(Duration::ZERO);
}
