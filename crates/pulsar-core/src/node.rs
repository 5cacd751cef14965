//! One process's share of the system: what lives here, and the way to everything else.

use std::any::Any;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use std::time::Duration;

use pulsar_actor::runtime::{self, System};
use pulsar_sys::Sampler;
use pulsar_wire::{Aid, ArbiterId};
use serde::{Deserialize, Serialize};

use crate::arbiter::Master;
use crate::ways::Ways;
use crate::{Context, LinksInfo, SpawnError, SystemInfo};
use pulsar_child::LogConfig;
use pulsar_link::LinkPolicy;
use pulsar_link::{Link, close_seats};
use pulsar_registry::{Reached, Registry};

/// What a process knows of the system. One per process, from its start to its end.
pub(crate) struct Node {
    /// The actor to which this process belongs: the arbiter, or a process actor.
    pub(crate) here: Aid,
    pub(crate) timing: Timing,
    pub(crate) log: OnceLock<LogConfig>,
    /// The arbiter's, and that of a child as it was when the child was made.
    pub(crate) links: Mutex<LinkPolicy>,
    /// Whom this process manages: in the arbiter's everybody, elsewhere the task actors here.
    pub(crate) registry: Mutex<Registry>,
    pub(crate) sampler: Sampler,
    pub(crate) upward: Upward,
    next_task: AtomicU32,
}

/// What lies above this process.
pub(crate) enum Upward {
    /// Nothing: this is the arbiter's.
    Master(Master),
    /// The arbiter, at the other end of this link.
    Child {
        link: Arc<Link>,
        /// Places that the arbiter has set aside for actors spawned from here, so that each has
        /// its id at once.
        places: Mutex<Vec<u32>>,
        ways: Ways,
    },
}

/// How often and how long. The same in all processes of one system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Timing {
    /// An actor that is silent for longer is given up.
    pub(crate) timeout: Duration,
    pub(crate) boot_timeout: Duration,
    pub(crate) exit_timeout: Duration,
    pub(crate) ask_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            boot_timeout: Duration::from_secs(30),
            exit_timeout: Duration::from_secs(10),
            ask_timeout: Duration::from_secs(30),
        }
    }
}

static NODE: OnceLock<Arc<Node>> = OnceLock::new();

impl Node {
    /// `first_task` is where task ids begin: past those of the incarnations before.
    pub(crate) fn new(here: Aid, first_task: u32, timing: Timing, upward: Upward) -> Self {
        Self {
            here,
            timing,
            log: OnceLock::new(),
            links: Mutex::default(),
            registry: Mutex::default(),
            sampler: Sampler::default(),
            upward,
            next_task: AtomicU32::new(first_task),
        }
    }

    /// Makes this the process's node. False if there was one: a process has one life.
    pub(crate) fn install(self: &Arc<Self>) -> bool {
        runtime::install(self.share()) && NODE.set(Arc::clone(self)).is_ok()
    }

    /// The node as the actors here see it.
    pub(crate) fn share(self: &Arc<Self>) -> Arc<dyn System> {
        // Not inferred: it is the node that is cloned.
        Arc::<Self>::clone(self)
    }

    /// The node of an actor's process.
    pub(crate) fn of(cx: &Context) -> Arc<Self> {
        let system: Arc<dyn Any + Send + Sync> = Arc::<dyn System>::clone(&cx.cell().system);
        let node = system.downcast();
        node.expect("each actor is made with its process's node")
    }

    /// The process's loop has ended: lets go of all that belongs to it.
    pub(crate) fn close(&self) {
        if let Some(master) = self.master() {
            master.leave_main_loop();
            close_seats();
        }
        self.registry.lock().clear();
    }

    /// The process's node, if it takes part in a system.
    pub(crate) fn current() -> Option<Arc<Self>> {
        NODE.get().cloned()
    }

    pub(crate) fn arbiter_id(&self) -> ArbiterId {
        self.here.arbiter()
    }

    pub(crate) fn arbiter(&self) -> Aid {
        Aid::new(self.arbiter_id(), Aid::ARBITER_PLACE)
    }

    /// The actor to which this process belongs, while it lives.
    pub(crate) fn owner(&self) -> Option<Context> {
        match self.registry.lock().reach(self.here) {
            Ok(Some(Reached::Local(cx))) => Some(cx),
            _ => None,
        }
    }

    /// What this process uses; `None` where the system does not tell.
    pub(crate) fn usage(&self) -> Option<SystemInfo> {
        let (usage, cpu_percent) = self.sampler.sample().ok()?;
        Some(SystemInfo {
            rss_bytes: usage.rss_bytes,
            pss_bytes: None,
            cpu_percent,
            open_files: usage.open_files,
            threads: usage.threads,
        })
    }

    /// The links of this process.
    pub(crate) fn links(&self) -> LinksInfo {
        let links = match &self.upward {
            Upward::Master(_) => self.registry.lock().links(),
            Upward::Child { link, ways, .. } => {
                let mut links = ways.peers.links();
                links.push(Arc::clone(link));
                links
            }
        };
        LinksInfo {
            open: links.len() as u64,
            stray_replies: links.iter().map(|link| link.stray_replies()).sum(),
        }
    }

    /// The arbiter's part, in the arbiter's process.
    pub(crate) fn master(&self) -> Option<&Master> {
        match &self.upward {
            Upward::Master(master) => Some(master),
            Upward::Child { .. } => None,
        }
    }

    /// The number of an actor that is made now: the next of all, in the arbiter's process; elsewhere
    /// that of the actor to which the process belongs, since nobody counts the tasks there.
    pub(crate) fn new_age(&self) -> u64 {
        match &self.upward {
            Upward::Master(master) => master.new_age(),
            Upward::Child { .. } => {
                let registry = self.registry.lock();
                registry.get(self.here).map_or(0, |host| host.birth.age)
            }
        }
    }

    /// A new id for a task on the loop of `host`.
    pub(crate) fn new_task(&self, host: Aid) -> Aid {
        let task = self.next_task.fetch_add(1, Ordering::Relaxed);
        Aid::task_in(self.arbiter_id(), host.place(), task)
    }

    /// A new id for an actor with a process or thread of its own.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Limit`] if this process has used up what was set aside for it and the
    /// arbiter has not yet answered the spawns that it asked for.
    pub(crate) fn new_place(&self) -> Result<Aid, SpawnError> {
        let place = match &self.upward {
            Upward::Master(master) => master.new_place(),
            Upward::Child { places, .. } => {
                places.lock().pop().ok_or_else(|| SpawnError::Limit {
                    message: format!(
                        "{PLACES_SET_ASIDE} spawns from one process wait for the arbiter"
                    ),
                })?
            }
        };
        Ok(Aid::new(self.arbiter_id(), place))
    }
}

/// Spawns that a process actor may have under way at once.
pub(crate) const PLACES_SET_ASIDE: usize = 16;
