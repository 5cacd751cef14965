//! An ordered list of children, with a restart strategy.

use pulsar_policy::{RestartLimits, Strategy};

use crate::Child;
use crate::child::Kind;
use crate::group::{Group, Members};
use crate::handle::MonitorHandle;
use crate::root::start;
use pulsar_core::{RestartPolicy, SpawnError};

/// A monitor that keeps a list of children alive: actors, pools and other monitors.
///
/// They are started in their order, each when the one before is ready, and stopped in reverse, each when the
/// one after it has ended. Of an actor nothing else is said: it is permanent here;
/// [`Spawn::transient`](pulsar_core::Spawn::transient) and [`Spawn::temporary`](pulsar_core::Spawn::temporary) say otherwise.
///
/// ```no_run
/// # mod pulsar { pub use pulsar_core::*; pub use pulsar_monitor::*; }
/// use pulsar::{Context, Monitor, Pool, Result, Strategy, spawn};
///
/// async fn open_store(_cx: Context, path: String) -> Result<()> {
///     // …
/// #   let _ = path;
///     Ok(())
/// }
///
/// # async fn example() -> Result<()> {
/// let store = spawn().name("store").start(open_store, "/var/lib/jobs".to_owned());
/// let services = Monitor::new("services")
///     // Who uses the store begins anew when it does.
///     .strategy(Strategy::RestForOne)
///     .child(store)
///     .child(Pool::new("crunchers", 4, spawn()))
///     .child(Monitor::new("reports").child(spawn().name("mailer").transient()))
///     .start()
///     .await?;
/// services.all_ready().await;
/// # Ok(())
/// # }
/// ```
///
/// A child that ends is restarted as its policy and the [`Strategy`] say, at once if it was healthy, else after
/// a delay that grows. A monitor that has to restart too often, by its [`RestartLimits`], gives up: it stops all
/// its children and ends, and the monitor above decides. Above the first stands the arbiter: see
/// [`Escalation`].
#[derive(Debug)]
#[must_use = "nothing is started until `start` is called, or another monitor that has it as a child is"]
pub struct Monitor {
    name: String,
    children: Vec<Kind>,
    strategy: Strategy,
    limits: RestartLimits,
    restart: RestartPolicy,
    escalation: Escalation,
}

/// What becomes of the program when a monitor gives up that no other monitor has started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Escalation {
    /// It ends in order, with exit code 1, as by [`halt`](pulsar_core::halt).
    #[default]
    EndProgram,
    /// Nothing: whoever holds the [`MonitorHandle`] learns it by [`MonitorHandle::gave_up`], and decides.
    Tell,
}

impl Monitor {
    /// A monitor without children, by the name of which it is found: see [`is_name`](pulsar_core::is_name).
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            children: Vec::new(),
            strategy: Strategy::default(),
            limits: RestartLimits::default(),
            restart: RestartPolicy::Permanent,
            escalation: Escalation::default(),
        }
    }

    /// One child more, after those before.
    pub fn child(mut self, child: impl Into<Child>) -> Self {
        self.children.push(child.into().0);
        self
    }

    /// Who else begins anew with a child that does; by default nobody.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Other limits than the default ones.
    pub fn limits(mut self, limits: RestartLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether the monitor above restarts this one; by default it does, whatever ended it.
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.restart = policy;
        self
    }

    /// What becomes of the program when this monitor gives up, if no other has started it.
    pub fn escalation(mut self, escalation: Escalation) -> Self {
        self.escalation = escalation;
        self
    }

    /// Starts the monitor, which then starts its children. It runs on the arbiter's loop, so this is to be
    /// called there.
    ///
    /// # Errors
    ///
    /// What is wrong with the description of any child, here and below; [`SpawnError::NameTaken`];
    /// [`SpawnError::BadName`]; [`SpawnError::Limit`]; [`SpawnError::Unsupported`] in other processes than the
    /// arbiter's.
    pub async fn start(self) -> Result<MonitorHandle, SpawnError> {
        let escalation = self.escalation;
        start(self.into_group(), escalation).await
    }

    pub(crate) fn into_group(self) -> Group {
        let members = Members::Ordered {
            children: self.children,
            strategy: self.strategy,
        };
        Group {
            limits: self.limits,
            restart: self.restart,
            ..Group::new(self.name, members)
        }
    }
}
