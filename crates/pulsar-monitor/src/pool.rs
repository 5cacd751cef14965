//! A group of like workers, kept at its size.

use pulsar_actor::runtime::Roaming;
use pulsar_policy::RestartLimits;

use crate::group::{Group, Members};
use crate::handle::MonitorHandle;
use crate::root::start;
use crate::tree::Escalation;
use pulsar_core::{RestartPolicy, Spawn, SpawnError};

/// A monitor that keeps a number of like workers alive.
///
/// ```no_run
/// # mod pulsar { pub use pulsar_core::*; pub use pulsar_monitor::*; }
/// use pulsar::{Pool, spawn};
///
/// # async fn example() -> pulsar::Result<()> {
/// let pool = Pool::new("crunchers", 4, spawn()).start().await?;
/// pool.first_ready().await;
/// pool.scale(8).await?;
/// # Ok(())
/// # }
/// ```
///
/// Workers are permanent unless their description says otherwise: they are restarted whatever ended them, but
/// for ends that [`Spawn::final_after`] names, and a [stop](pulsar_core::Arbiter::stop_actor) that somebody asked of
/// the arbiter. Both are made good by [`MonitorHandle::scale`]. A pool of which every worker has ended for good
/// gives up, as one does that has to restart too often.
#[derive(Debug)]
#[must_use = "nothing is started until `start` is called, or a monitor that has it as a child is"]
pub struct Pool {
    group: Group,
    escalation: Escalation,
}

impl Pool {
    /// A pool of `workers` of the actor that `worker` describes, of whatever type. They are named
    /// after the pool, with a number each.
    ///
    /// ```no_run
    /// # mod pulsar { pub use pulsar_core::*; pub use pulsar_monitor::*; }
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
    /// pool.all_ready().await;
    /// let first: Proxy<Counter> = find("counters-1").await?;
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    pub fn new<A: Roaming>(name: impl Into<String>, workers: usize, worker: Spawn<A>) -> Self {
        let worker = Box::new(worker.untyped());
        Self {
            group: Group::new(name.into(), Members::Pool { worker, workers }),
            escalation: Escalation::default(),
        }
    }

    /// Other limits than the default ones.
    pub fn limits(mut self, limits: RestartLimits) -> Self {
        self.group.limits = limits;
        self
    }

    /// Whether the monitor above restarts the pool; by default it does, whatever ended it.
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.group.restart = policy;
        self
    }

    /// What becomes of the program when the pool gives up, if no monitor has started it.
    pub fn escalation(mut self, escalation: Escalation) -> Self {
        self.escalation = escalation;
        self
    }

    /// Starts the monitor, which then starts the workers. It runs on the arbiter's loop, so this
    /// is to be called there.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NameTaken`]; [`SpawnError::BadName`]; [`SpawnError::Limit`] if it is to have more than
    /// 10,000 workers; [`SpawnError::Unsupported`] in other processes than the arbiter's, or if the workers are
    /// to be tasks.
    pub async fn start(self) -> Result<MonitorHandle, SpawnError> {
        let escalation = self.escalation;
        start(self.into_group(), escalation).await
    }

    pub(crate) fn into_group(self) -> Group {
        self.group
    }
}
