//! A group of like workers, kept at its size.

use std::collections::BTreeMap;
use std::sync::Arc;

use pulsar_wire::{Aid, Incarnation};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::arbiter::{Chance, Hooking, Order, raise, stop_one};
use crate::node::Node;
use crate::spawn::gone;
use crate::{
    Cause, Context, Placement, Proxy, RawProxy, Role, SendError, Spawn, SpawnError, SpawnParams,
    get_actor,
};
use pulsar_actor::runtime::{DEFAULT_CAPACITY, Hooks, OnceHook, Roaming};
use pulsar_policy::{PoolDecision, PoolEvent, PoolLimits, PoolPolicy, PoolStatus};

/// A monitor that keeps a number of like workers alive.
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// use pulsar::{Pool, spawn};
///
/// # async fn example() -> pulsar::Result<()> {
/// let pool = Pool::new("crunchers", 4, spawn()).start().await?;
/// pool.first_ready().await;
/// # Ok(())
/// # }
/// ```
pub struct Pool {
    name: String,
    workers: usize,
    worker: Spawn,
    limits: PoolLimits,
}

impl Pool {
    /// A pool of `workers` of the actor that `worker` describes, of whatever type. They are named
    /// after the pool, with a number each.
    ///
    /// ```no_run
    /// # use pulsar_core as pulsar;
    /// # use pulsar::{Context, Pool, Proxy, Result, find};
    /// # struct Counter;
    /// # #[pulsar::actor]
    /// # impl Counter {
    /// #     fn start(_cx: Context, _first: u64) -> Self {
    /// #         Self
    /// #     }
    /// # }
    /// # async fn example() -> Result<()> {
    /// let pool = Pool::new("counters", 2, Counter::spawn(0)).start().await?;
    /// pool.all_ready(2).await;
    /// let first: Proxy<Counter> = find("counters-1").await?;
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    pub fn new<A: Roaming>(name: impl Into<String>, workers: usize, worker: Spawn<A>) -> Self {
        Self {
            name: name.into(),
            workers,
            worker: worker.untyped(),
            limits: PoolLimits::default(),
        }
    }

    /// Other limits than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: PoolLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Starts the monitor, which then starts the workers. It runs on the arbiter's loop, so this
    /// is to be called there.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NameTaken`]; [`SpawnError::Unsupported`] in other processes than the
    /// arbiter's, or if the workers are to be tasks.
    pub async fn start(self) -> Result<PoolHandle, SpawnError> {
        let node = Node::current().ok_or(SpawnError::Arbiter(SendError::NotRunning))?;
        let in_arbiter = get_actor().is_some_and(|cx| cx.aid().host() == node.arbiter());
        if node.master().is_none() || !in_arbiter {
            return Err(SpawnError::Unsupported {
                message: "a pool runs on the arbiter's loop: start it there".to_owned(),
            });
        }
        if self.worker.spec().placement == Placement::Task {
            return Err(SpawnError::Unsupported {
                message: "workers of a pool are processes or threads".to_owned(),
            });
        }
        let (status, watched) = watch::channel(PoolStatus::default());
        let aid = node.new_place()?;
        let proxy = RawProxy::new(aid, &self.name).into();
        let raised = raise(&node, self.order(aid, &node, status))?;
        raised.ready.await.unwrap_or_else(|_| Err(gone()))?;
        Ok(PoolHandle {
            proxy,
            status: watched,
        })
    }

    fn order(self, aid: Aid, node: &Node, status: watch::Sender<PoolStatus>) -> Order {
        // The workers' exit timeout lies within the monitor's own drain timeout.
        let workers_exit = self
            .worker
            .spec()
            .exit_timeout
            .unwrap_or(node.timing.exit_timeout);
        let mut spec = SpawnParams::new(DEFAULT_CAPACITY);
        spec.name.clone_from(&self.name);
        spec.placement = Placement::Task;
        spec.exit_timeout = Some(workers_exit.mul_f64(1.5) + std::time::Duration::from_secs(3));
        spec.generation = self.worker.spec().generation;
        let start: OnceHook = Box::new(move |cx| {
            cx.spawn(Keeper::new(cx.clone(), self, status).run());
            Box::pin(async { Ok(()) })
        });
        Order {
            aid,
            incarnation: Incarnation::FIRST,
            spec,
            hooking: Hooking::Native(Hooks::starting(start)),
            descriptors: Vec::new(),
            manager: node.arbiter(),
            role: Role::Monitor,
            monitor: None,
            keep_place: false,
        }
    }
}

/// A pool that runs.
#[derive(Clone, Debug)]
pub struct PoolHandle {
    proxy: Proxy,
    status: watch::Receiver<PoolStatus>,
}

impl PoolHandle {
    /// The monitor.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// How the pool is doing.
    pub fn status(&self) -> PoolStatus {
        self.status.borrow().clone()
    }

    /// Waits until a worker has been ready. False if the pool has ended before.
    pub async fn first_ready(&self) -> bool {
        let mut status = self.status.clone();
        status.wait_for(|status| status.ever_ready).await.is_ok()
    }

    /// Waits until all workers are ready. False if the pool has ended before.
    pub async fn all_ready(&self, workers: usize) -> bool {
        let mut status = self.status.clone();
        status
            .wait_for(|status| status.ready >= workers)
            .await
            .is_ok()
    }

    /// Waits until the pool has given up, and tells why; `None` if it ended otherwise.
    pub async fn gave_up(&self) -> Option<String> {
        let mut status = self.status.clone();
        let gave_up = status
            .wait_for(|status| status.gave_up.is_some())
            .await
            .ok()?;
        gave_up.gave_up.clone()
    }
}

/// Carries out the policy's decisions, for as long as the monitor lives.
struct Keeper {
    node: Arc<Node>,
    cx: Context,
    worker: Spawn,
    policy: PoolPolicy,
    slots: Vec<Place>,
    /// Slots whose next life is decided, and when it begins.
    due: BTreeMap<usize, Instant>,
    status: watch::Sender<PoolStatus>,
    news: mpsc::Receiver<PoolEvent>,
    to_news: mpsc::Sender<PoolEvent>,
    chance: Chance,
}

/// A slot's place and its lives so far.
struct Place {
    aid: Option<Aid>,
    next: Incarnation,
}

impl Keeper {
    fn new(cx: Context, pool: Pool, status: watch::Sender<PoolStatus>) -> Self {
        // Each slot has at most one life, which is ready once and ends once.
        let (to_news, news) = mpsc::channel(2 * pool.workers + 1);
        let now = Instant::now();
        let place = || Place {
            aid: None,
            next: Incarnation::FIRST,
        };
        Self {
            node: Node::of(&cx),
            cx,
            worker: pool.worker,
            policy: PoolPolicy::new(pool.workers, pool.limits),
            slots: std::iter::repeat_with(place).take(pool.workers).collect(),
            due: (0..pool.workers).map(|slot| (slot, now)).collect(),
            status,
            news,
            to_news,
            chance: Chance::default(),
        }
    }

    async fn run(mut self) {
        loop {
            self.start_due();
            let event = self.next().await;
            if let Some(event) = event
                && self.handle(event)
            {
                break;
            }
        }
        self.stop_all().await;
    }

    /// The next event; `None` when only the time has come for a life to begin.
    async fn next(&mut self) -> Option<PoolEvent> {
        let first_due = self.due.values().min().copied();
        let due = async {
            match first_due {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = self.news.recv() => event,
            () = self.cx.stop_asked() => Some(PoolEvent::StopAsked),
            () = due => None,
        }
    }

    /// True if the pool is to end.
    fn handle(&mut self, event: PoolEvent) -> bool {
        let chance = self.chance.draw();
        let decision = self.policy.on(event, Instant::now(), chance);
        self.status.send_replace(self.policy.status().clone());
        match decision {
            None => false,
            Some(PoolDecision::StartAt { slot, at }) => {
                if let Some(aid) = self.slots[slot].aid {
                    self.node.registry.lock().restarts_at(aid, at);
                }
                self.due.insert(slot, at);
                false
            }
            Some(PoolDecision::StopAll) => true,
        }
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        let due: Vec<usize> = self
            .due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(slot, _)| *slot)
            .collect();
        for slot in due {
            self.due.remove(&slot);
            if let Err(error) = self.start(slot) {
                let cause = Cause::Failed(error.to_string());
                tracing::error!(pool = self.cx.name(), slot, %cause, "worker not spawned");
                // There is room: this task is the only one that empties it, and each slot has
                // at most one life.
                drop(self.to_news.try_send(PoolEvent::Ended { slot, cause }));
            }
        }
    }

    /// Begins the next life in a slot. Its news come back as events.
    fn start(&mut self, slot: usize) -> Result<(), SpawnError> {
        let node = Arc::clone(&self.node);
        let place = &mut self.slots[slot];
        let aid = match place.aid {
            Some(aid) => aid,
            None => *place.aid.insert(node.new_place()?),
        };
        let incarnation = place.next;
        place.next = incarnation.next();
        let worker = self
            .worker
            .clone()
            .name(format!("{}-{}", self.cx.name(), slot + 1));
        let order = worker.worker_order(aid, incarnation, &self.cx)?;
        let raised = raise(&node, order)?;
        let news = self.to_news.clone();
        tokio::spawn(async move {
            let ready = raised.ready.await.unwrap_or_else(|_| Err(gone()));
            if ready.is_ok() {
                drop(news.send(PoolEvent::Ready { slot }).await);
            }
            // Without an end it has never lived; the reason was told instead of "ready".
            let cause = match (raised.ended.await, ready) {
                (Ok(cause), _) => cause,
                (Err(_), Err(error)) => Cause::Failed(error.to_string()),
                (Err(_), Ok(())) => Cause::Unknown,
            };
            drop(news.send(PoolEvent::Ended { slot, cause }).await);
        });
        Ok(())
    }

    /// Stops the workers, all at once, and gives up their places.
    async fn stop_all(&mut self) {
        // Among them listeners: what the workers take no more shall be refused.
        self.worker.drop_descriptors();
        let node = Arc::clone(&self.node);
        let deadline = Instant::now() + self.cx.drain_timeout();
        let stops = self.slots.iter().filter_map(|place| place.aid).map(|aid| {
            let node = Arc::clone(&node);
            tokio::spawn(async move { stop_one(&node, aid, deadline).await })
        });
        for stop in stops.collect::<Vec<_>>() {
            drop(stop.await);
        }
        let mut registry = node.registry.lock();
        for place in &self.slots {
            if let Some(aid) = place.aid {
                registry.forget(aid);
            }
        }
        drop(registry);
        self.cx.stop();
    }
}
