//! What an actor needs of the system that it is a part of.

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pulsar_link::Link;
use pulsar_wire::Aid;
use tokio::task::JoinHandle;

use crate::{Context, LinksInfo, SendError, SystemInfo, Target};

/// The longest time that anything is given: a year. Longer ones are cut to it, so that adding
/// them to the time of day never overflows.
pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// One process's share of the system, as the actors in it see it.
pub trait System: Any + Send + Sync {
    /// The id of the system's arbiter.
    fn arbiter_aid(&self) -> Aid;

    /// True in the arbiter's process.
    fn is_master(&self) -> bool;

    /// How long an ask may take whose caller does not say.
    fn ask_timeout(&self) -> Duration;

    /// What this process uses; `None` where the system does not tell.
    fn system_info(&self) -> Option<SystemInfo>;

    /// The links of this process.
    fn links_info(&self) -> LinksInfo;

    /// The way to `target` as the actor that sends sees it; `None` if it has to be sought.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownActor`], [`SendError::Restarting`] or [`SendError::ActorDied`].
    fn known(&self, target: &Target) -> Result<Option<Route>, SendError>;

    /// Seeks the way to `target`, within the time of an ask, in a task of its own: who waits for the
    /// same way waits for this, whether or not its sender still cares.
    fn seek(self: Arc<Self>, target: Target) -> JoinHandle<Result<Route, SendError>>;

    /// An actor by this name was not found where it was known to be: looks for it anew. False if
    /// it had been looked for just now.
    fn forget_name(&self, target: &Target) -> bool;
}

/// The way to an actor.
#[derive(Debug)]
pub enum Route {
    /// It lives in this process.
    Local(Context),
    /// It lives behind this link, in this place.
    Link(Arc<Link>, Aid),
}

impl dyn System {
    /// The way to `target`, sought if need be.
    ///
    /// # Errors
    ///
    /// As [`known`](System::known); [`SendError::Refused`] if no link can be made.
    pub(crate) async fn route(self: &Arc<Self>, target: &Target) -> Result<Route, SendError> {
        if let Some(route) = self.known(target)? {
            return Ok(route);
        }
        let seeking = Arc::clone(self).seek(target.clone());
        // It is only cut short where the process ends.
        seeking.await.unwrap_or(Err(SendError::NotRunning))
    }

    /// The way to `target`, if it is known. If not it is sought from now on.
    ///
    /// # Errors
    ///
    /// As [`known`](System::known); [`SendError::MailboxFull`] while the way is being sought.
    pub(crate) fn try_route(self: &Arc<Self>, target: &Target) -> Result<Route, SendError> {
        if let Some(route) = self.known(target)? {
            return Ok(route);
        }
        // Whoever sends next finds it, or learns of an error.
        drop(Arc::clone(self).seek(target.clone()));
        Err(SendError::MailboxFull { capacity: 0 })
    }
}

static SYSTEM: OnceLock<Arc<dyn System>> = OnceLock::new();

/// Makes this the process's share of the system. False if there was one: a process has one life.
pub fn install(system: Arc<dyn System>) -> bool {
    SYSTEM.set(system).is_ok()
}

/// The process's share of the system, if it takes part in one.
pub fn current() -> Option<Arc<dyn System>> {
    SYSTEM.get().cloned()
}
