//! The end of all actors, in order.

use std::sync::Arc;
use std::time::Duration;

use pulsar_wire::Aid;
use tokio::time::{Instant, timeout_at};

use crate::Role;
use crate::node::Node;
use pulsar_policy::ChildEvent;

/// Beside an actor's own exit timeout: the time from KILL to the news of its end.
pub(super) const MARGIN: Duration = Duration::from_secs(2);

/// Stops all that the arbiter manages, the last started first. Each has its exit timeout; all
/// together have an absolute bound, after which the rest is killed.
pub(crate) async fn stop_all(node: &Arc<Node>) {
    if let Some(master) = node.master() {
        master.begin_stop();
    }
    let deadline = Instant::now() + longest_stop(node);
    while let Some(aid) = last_started(node) {
        if Instant::now() >= deadline {
            tracing::error!("stopping takes too long: what is left is killed");
            break;
        }
        stop_one(node, aid, deadline).await;
    }
    kill_rest(node).await;
}

/// Stops the task actors on the loop of this process's actor.
pub(crate) async fn stop_tasks(node: &Arc<Node>) {
    let deadline = Instant::now() + MARGIN;
    while let Some(aid) = last_started(node) {
        if Instant::now() >= deadline {
            break;
        }
        stop_one(node, aid, deadline).await;
    }
}

/// Asks one actor to stop and waits for its end, or until `deadline`.
pub(crate) async fn stop_one(node: &Arc<Node>, aid: Aid, deadline: Instant) -> bool {
    tell(node, aid, ChildEvent::StopAsked).await;
    wait_end(node, aid, deadline).await
}

/// Kills one actor and waits for its end.
pub(crate) async fn kill_one(node: &Arc<Node>, aid: Aid) -> bool {
    tell(node, aid, ChildEvent::KillAsked).await;
    wait_end(node, aid, Instant::now() + MARGIN).await
}

async fn tell(node: &Node, aid: Aid, event: ChildEvent) {
    let control = node
        .registry
        .lock()
        .get(aid)
        .and_then(|entry| entry.control.clone());
    match control {
        // An overseer that has ended in the meantime has nothing more to be told.
        Some(control) => drop(control.send(event).await),
        // Between two lives: there is nobody, and there shall be nobody.
        None => node.registry.lock().forget(aid),
    }
}

async fn wait_end(node: &Node, aid: Aid, deadline: Instant) -> bool {
    let Some(mut end) = node.registry.lock().watch_end(aid) else {
        return true;
    };
    // An error means that the entry is gone, and with it the actor.
    timeout_at(deadline, end.wait_for(Option::is_some))
        .await
        .is_ok()
}

/// The youngest actor that has no manager below the arbiter: monitors stop their own.
fn last_started(node: &Node) -> Option<Aid> {
    let registry = node.registry.lock();
    let mine = registry.iter().filter(|entry| {
        entry.birth.aid != node.here && entry.role != Role::Worker && entry.control.is_some()
    });
    mine.max_by_key(|entry| (entry.birth.age, entry.birth.aid))
        .map(|entry| entry.birth.aid)
}

fn longest_stop(node: &Node) -> Duration {
    let registry = node.registry.lock();
    let longest = registry.iter().map(|entry| entry.birth.exit_timeout).max();
    longest.unwrap_or_default() + MARGIN
}

async fn kill_rest(node: &Arc<Node>) {
    let rest: Vec<Aid> = {
        let registry = node.registry.lock();
        let living = registry.iter().filter(|entry| entry.control.is_some());
        living.map(|entry| entry.birth.aid).collect()
    };
    for aid in &rest {
        tell(node, *aid, ChildEvent::KillAsked).await;
    }
    let deadline = Instant::now() + MARGIN;
    for aid in rest {
        if !wait_end(node, aid, deadline).await {
            tracing::error!(%aid, "actor does not die");
        }
    }
}
