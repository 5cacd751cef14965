//! The end of all actors, in order.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use pulsar_wire::Aid;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::node::Node;
use crate::{Cause, Context, Role};
use pulsar_actor::runtime::LONGEST;
use pulsar_policy::ChildEvent;
use pulsar_registry::Leaver;

/// Beside an actor's own exit timeout: the time from KILL to the news of its end.
pub(crate) const MARGIN: Duration = Duration::from_secs(2);

/// Stops all that the arbiter manages, the last started first, one after the other: what was
/// started earlier may be what the later ones need to stop in order. Those whose starts overlapped, so that none of them was
/// there yet for another to be started for it, stop together. Each has its own deadline.
///
/// The next are asked once a process has said that its actor has ended: that its process ends too, for which the kernel
/// takes longer than the actor, is waited for at the end. If an actor does not stop, all others are killed.
pub(crate) async fn stop_all(node: &Arc<Node>) {
    if let Some(master) = node.master() {
        master.begin_stop();
    }
    let mut ending = Vec::new();
    let mut mine = youngest_first(node);
    // What was still on its way into life when the others were listed is stopped in a second round, and so on; nothing new
    // begins.
    while !mine.is_empty() {
        for group in mine {
            let now = Instant::now();
            let stops = group.into_iter().map(|one| async move {
                let deadline = now + one.exit_timeout + MARGIN;
                let stopped = said_to_stop(node, one.aid, deadline).await;
                (one.aid, deadline, stopped)
            });
            for (aid, deadline, stopped) in join_all(stops).await {
                if !stopped {
                    tracing::error!(%aid, "actor does not stop");
                    return kill_rest(node).await;
                }
                ending.push((aid, deadline));
            }
        }
        for (aid, deadline) in ending.drain(..) {
            if !wait_end(node, aid, deadline).await {
                tracing::error!(%aid, "actor's process does not end");
                return kill_rest(node).await;
            }
        }
        mine = youngest_first(node);
    }
    kill_rest(node).await;
}

/// Stops one actor until it has ended, or its process has said that it has.
async fn said_to_stop(node: &Arc<Node>, aid: Aid, deadline: Instant) -> bool {
    let said = node.master().map(|master| master.words.listen(aid));
    let said = async {
        if let Some(said) = said
            && said.await.is_ok()
        {
            return true;
        }
        // That is no word: its end is told as any other's.
        std::future::pending().await
    };
    let stopped = tokio::select! {
        stopped = stop_one(node, aid, deadline) => stopped,
        said = said => said,
    };
    if let Some(master) = node.master() {
        master.words.forget(aid);
    }
    stopped
}

/// Stops the task actors on the loop of `host`, all at once.
pub(crate) async fn stop_tasks(host: &Context) {
    let node = &Node::of(host);
    let tasks: Vec<Aid> = {
        let registry = node.registry.lock();
        let here = registry.iter().map(|entry| entry.birth.aid);
        here.filter(|aid| aid.task() != 0 && aid.host() == host.aid())
            .collect()
    };
    let deadline = Instant::now() + host.drain_timeout();
    for aid in &tasks {
        node.registry.lock().unwanted(*aid);
        tell(node, *aid, ChildEvent::StopAsked).await;
    }
    for aid in tasks {
        wait_end(node, aid, deadline).await;
    }
}

/// Asks one actor to stop and waits for its end, or until `deadline`. What was asked for wins over what
/// a restart policy would do; so the child of a monitor is stopped by that.
pub(crate) async fn stop_one(node: &Arc<Node>, aid: Aid, deadline: Instant) -> bool {
    let end = node.registry.lock().watch_end(aid);
    let stopping = async {
        if !stopped_by_monitor(node, aid).await {
            node.registry.lock().unwanted(aid);
            ask_to_stop(node, aid).await;
        }
        wait_for_end(end, deadline).await
    };
    timeout_at(deadline, stopping).await.unwrap_or(false)
}

/// Has its monitor stop the actor. False if it has none that runs.
async fn stopped_by_monitor(node: &Node, aid: Aid) -> bool {
    let manager = node
        .registry
        .lock()
        .get(aid)
        .map(|entry| entry.birth.manager);
    match (node.master(), manager) {
        (Some(master), Some(manager)) => master.keepers.stop_child(manager, aid).await,
        _ => false,
    }
}

/// Asks one actor to stop.
pub(super) async fn ask_to_stop(node: &Node, aid: Aid) {
    tell(node, aid, ChildEvent::StopAsked).await;
}

/// Kills one actor, with all that it manages, and waits for its end.
pub(crate) async fn kill_one(node: &Arc<Node>, aid: Aid) -> bool {
    let deadline = Instant::now() + MARGIN;
    // The manager first: it shall not start again what is killed below it.
    tell(node, aid, ChildEvent::KillAsked).await;
    for below in managed_by(node, aid) {
        tell(node, below, ChildEvent::KillAsked).await;
    }
    let mut gone = wait_end(node, aid, deadline).await;
    // Looked for anew: one may have been started before the manager heard of its end.
    let managed = managed_by(node, aid);
    for below in &managed {
        tell(node, *below, ChildEvent::KillAsked).await;
    }
    for below in managed {
        gone &= wait_end(node, below, deadline).await;
        // Its manager would have kept the place.
        node.registry.lock().forget_ended(below);
    }
    gone
}

/// Waits until all have ended that an ended actor manages. Each end has its own bound.
pub(crate) async fn all_below_ended(node: &Node, aid: Aid) {
    for below in managed_by(node, aid) {
        wait_end(node, below, Instant::now() + LONGEST).await;
    }
}

/// All that an actor manages, and what those do, the nearest first.
fn managed_by(node: &Node, manager: Aid) -> Vec<Aid> {
    let registry = node.registry.lock();
    let mut found: Vec<Aid> = Vec::new();
    let mut above = HashSet::from([manager]);
    while !above.is_empty() {
        let below = registry.iter().filter(|entry| {
            above.contains(&entry.birth.manager) && entry.birth.aid != entry.birth.manager
        });
        above = below.map(|entry| entry.birth.aid).collect();
        found.extend(&above);
    }
    found
}

async fn tell(node: &Node, aid: Aid, event: ChildEvent) {
    let control = node
        .registry
        .lock()
        .get(aid)
        .and_then(|entry| entry.control.clone());
    // None between two lives, or when it has gone meanwhile: there is nobody to tell. An overseer
    // that has just ended has nothing more to be told either.
    if let Some(control) = control {
        control.tell(event).await;
    }
}

async fn wait_end(node: &Node, aid: Aid, deadline: Instant) -> bool {
    let end = node.registry.lock().watch_end(aid);
    wait_for_end(end, deadline).await
}

async fn wait_for_end(end: Option<watch::Receiver<Option<Cause>>>, deadline: Instant) -> bool {
    let Some(mut end) = end else {
        return true;
    };
    // An error means that the entry is gone, and with it the actor.
    timeout_at(deadline, end.wait_for(Option::is_some))
        .await
        .is_ok()
}

/// The actors that no other will stop, the youngest first: monitors stop their own.
fn youngest_first(node: &Node) -> Vec<Vec<Leaver>> {
    let registry = node.registry.lock();
    let lives = |aid: Aid| {
        registry
            .get(aid)
            .is_some_and(|entry| entry.control.is_some())
    };
    let mine = registry.iter().filter(|entry| {
        let is_child = matches!(entry.role, Role::Worker | Role::Monitor);
        let manager = entry.birth.manager;
        let managed = is_child && manager != node.here && lives(manager);
        entry.birth.aid != node.here && entry.control.is_some() && !managed
    });
    Leaver::groups(mine.map(Leaver::from).collect())
}

/// Kills all that live, at once.
pub(super) async fn kill_rest(node: &Arc<Node>) {
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
