//! What an actor needs of the system that it is a part of.

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pulsar_link::Link;
use pulsar_mailbox::in_a_task;
use pulsar_wire::Aid;
use tokio::time::timeout;

use crate::command::BoxFuture;
use crate::{Context, LinksInfo, SendError, SystemInfo, Target};

pub use pulsar_loop::runtime::LONGEST;

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

    /// The way to `target` as the actor that sends sees it; `None` if it has to be sought, and while
    /// others seek it, who came before.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownActor`], [`SendError::Restarting`] or [`SendError::ActorDied`].
    fn known(&self, target: &Target) -> Result<Option<Route>, SendError>;

    /// True while somebody seeks the way to `target`.
    fn is_sought(&self, target: &Target) -> bool;

    /// Seeks the way to `target`: first come, first served. Those who seek the same wait for the
    /// [`Turn`], so that whoever keeps it until its message is sent is overtaken by none of them.
    fn seek(self: Arc<Self>, target: Target) -> BoxFuture<Result<(Route, Turn), SendError>>;

    /// `target`, if it is a name, was not found to be `aid`, as it was known: it is to be looked for
    /// anew.
    fn forget_name(&self, target: &Target, aid: Aid);
}

/// A place in the line of those who seek the same way: the next has its turn when this is dropped.
pub type Turn = Box<dyn Any + Send>;

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
        in_a_task(async move { seeking.await.map(|(route, _)| route) }).await
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
        // Whoever sends next finds it, or learns of an error. One seeker at a time is enough.
        if !self.is_sought(target) {
            let seeking = Arc::clone(self).seek(target.clone());
            tokio::spawn(timeout(self.ask_timeout(), seeking));
        }
        Err(SendError::MailboxFull { capacity: 0 })
    }
}

static SYSTEM: OnceLock<Arc<dyn System>> = OnceLock::new();

/// Makes this the process's share of the system. False if there was one: a process has one life.
pub fn install(system: Arc<dyn System>) -> bool {
    SYSTEM.set(system).is_ok()
}

/// The process's share of the system, if it takes part in one.
pub fn current() -> Option<&'static Arc<dyn System>> {
    SYSTEM.get()
}
