//! Processes that actors have made and that outlive them.
//!
//! They are told of, and left alone. Each process of an actor is started with a mark in its environment,
//! which what it starts inherits. So who carries the mark, has no parent that does, and is no child of
//! ours has outlived whoever made it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pulsar_sys::Pid;
use pulsar_sys::usage::{Marked, marked_by};
use pulsar_wire::Aid;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::Master;
use crate::node::Node;
use pulsar_actor::runtime::Identity;
use pulsar_child::{Aside, MARK};

/// What dies together is looked at together.
const COLLECT: Duration = Duration::from_millis(200);
/// A look goes over all processes of the machine: not more often than this.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A look that takes longer is given up: the kernel holds some process's memory.
const LOOK_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a look that has failed is tried again, before the next death.
const MOST_TRIES: usize = 5;
/// Orphans that are told of one by one in one look; of more, only the number.
const MOST_TOLD: usize = 16;

/// One at a time, and apart from the looks at silent actors: each goes over all processes, so that one of them which the
/// kernel holds would hold all looks.
static SCANS: Aside = Aside::new(1);

/// What is known of orphans.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    died: Notify,
    /// Held while somebody looks.
    looking: tokio::sync::Mutex<()>,
    /// A process has exited since the last look.
    has_died: AtomicBool,
    /// Those that were told of and may still be there.
    told: Mutex<HashSet<(Pid, u64)>>,
}

/// What marks the process of an actor, and all that descends from it: `<id>:<name>`.
pub(crate) fn mark(birth: &Identity) -> String {
    format!("{}:{}", birth.aid, birth.name)
}

impl Orphans {
    /// A child has exited, and may have left some.
    pub(super) fn child_exited(&self) {
        self.has_died.store(true, Ordering::Relaxed);
        self.died.notify_one();
    }
}

/// Tells of orphans for as long as the arbiter's loop turns.
pub(super) async fn watch(node: Arc<Node>) {
    let Some(master) = node.master() else {
        return;
    };
    loop {
        master.orphans.died.notified().await;
        sleep(COLLECT).await;
        if master.is_stopping() {
            // There is a last look when all have ended; one before would only take time from that.
            return;
        }
        for _ in 0..MOST_TRIES {
            let looked = look(&node).await;
            sleep(LOOK_EVERY).await;
            if looked {
                break;
            }
        }
    }
}

/// Tells of those that are left, if a process has exited since the last look, and waits for one that is under way. False
/// if they could not be looked at: then the next look is for these too.
pub(super) async fn look(node: &Node) -> bool {
    let Some(master) = node.master() else {
        return true;
    };
    let orphans = &master.orphans;
    let _turn = orphans.looking.lock().await;
    if !orphans.has_died.swap(false, Ordering::Relaxed) {
        return true;
    }
    // Our own children are marked, and are no orphans.
    let children = master.brood.pids();
    let look = move || marked_by(MARK, children);
    let Some(marked) = SCANS.look(LOOK_TIMEOUT, look).await else {
        tracing::debug!("processes cannot be looked at in time");
        orphans.has_died.store(true, Ordering::Relaxed);
        return false;
    };
    tell(node, master, marked);
    true
}

fn tell(node: &Node, master: &Master, marked: Vec<Marked>) {
    let arbiter = node.arbiter().arbiter();
    let of_ours = marked.into_iter().filter_map(|marked| {
        let (aid, name) = marked.mark.split_once(':')?;
        let aid: Aid = aid
            .parse()
            .ok()
            .filter(|aid: &Aid| aid.arbiter() == arbiter)?;
        let name = name.replace(char::is_control, "?");
        Some((marked, aid, name))
    });
    // On the main loop, where children are made and reaped: one that is not a child and still lives is
    // neither an actor that was made since the look, nor one that has been reaped since. One whose parent is an
    // actor's process is none: where the kernel cannot show a fork's own mark, the parent seems to have none.
    let is_child = |pid| master.brood.is_child(pid);
    let orphans: Vec<_> = of_ours
        .filter(|(marked, ..)| {
            let process = &marked.process;
            !is_child(process.pid) && !is_child(process.parent) && marked.lives()
        })
        .collect();
    let key = |marked: &Marked| (marked.process.pid, marked.began_ticks);
    let now = orphans.iter().map(|(marked, ..)| key(marked)).collect();
    let before = std::mem::replace(&mut *master.orphans.told.lock(), now);
    let new = orphans
        .iter()
        .filter(|(marked, ..)| !before.contains(&key(marked)));
    let mut count = 0;
    for (marked, aid, name) in new {
        count += 1;
        if count <= MOST_TOLD {
            let process = &marked.process;
            tracing::warn!(pid = %process.pid, process = process.name.replace(char::is_control, "?"), %aid, name, "process has outlived the actor that made it: it is left alone");
        }
    }
    if count > MOST_TOLD {
        tracing::warn!(count, "processes have outlived the actors that made them");
    }
}
