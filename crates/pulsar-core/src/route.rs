//! From a target to the way there.

use std::sync::Arc;
use std::time::Duration;

use pulsar_link::{Link, Seeking};
use pulsar_wire::Aid;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::arbiter::Reached;
use crate::node::{Node, Upward};
use crate::ways::Ways;
use crate::{Cause, LinksInfo, SendError, SpawnError, SystemInfo, Target, get_actor};
use pulsar_actor::runtime::{Entry, Route, System};

/// What is known of a way without asking anybody.
enum Known<'a> {
    Route(Route),
    /// Only the arbiter knows who has this name.
    Name(&'a str),
    /// Only the arbiter knows how this actor is reached.
    Place(Aid),
}

impl System for Node {
    fn arbiter_aid(&self) -> Aid {
        self.arbiter()
    }

    fn is_master(&self) -> bool {
        self.master().is_some()
    }

    fn ask_timeout(&self) -> Duration {
        self.timing.ask_timeout
    }

    fn system_info(&self) -> Option<SystemInfo> {
        self.usage()
    }

    fn links_info(&self) -> LinksInfo {
        self.links()
    }

    fn known(&self, target: &Target) -> Result<Option<Route>, SendError> {
        match self.look_up(target)? {
            Known::Route(route) => Ok(Some(route)),
            Known::Name(_) | Known::Place(_) => Ok(None),
        }
    }

    fn seek(self: Arc<Self>, target: Target) -> JoinHandle<Result<Route, SendError>> {
        let after = self.timing.ask_timeout;
        tokio::spawn(async move {
            let found = timeout(after, self.find(&target)).await;
            found.unwrap_or(Err(SendError::Timeout { after }))
        })
    }

    fn forget_name(&self, target: &Target) -> bool {
        match (&self.upward, target) {
            (Upward::Child { ways, .. }, Target::Name(name)) => ways.forget_name(name),
            _ => false,
        }
    }
}

impl Node {
    async fn find(&self, target: &Target) -> Result<Route, SendError> {
        let aid = match self.look_up(target)? {
            Known::Route(route) => return Ok(route),
            Known::Name(name) => self.seek_name(name).await?,
            Known::Place(aid) => return self.seek_way(aid).await,
        };
        match self.look_up(&Target::Aid(aid))? {
            Known::Route(route) => Ok(route),
            Known::Place(aid) => self.seek_way(aid).await,
            Known::Name(_) => Err(unknown(target)),
        }
    }

    fn look_up<'a>(&self, target: &'a Target) -> Result<Known<'a>, SendError> {
        match target {
            Target::Aid(aid) => self.known_aid(*aid),
            Target::Name(name) => self.known_name(name),
        }
    }

    fn known_aid<'a>(&self, aid: Aid) -> Result<Known<'a>, SendError> {
        if aid.arbiter() != self.arbiter_id() {
            return Err(unknown(&Target::Aid(aid)));
        }
        match self.registry.lock().reach(aid, Instant::now())? {
            Some(Reached::Local(cx)) => return Ok(Known::Route(Route::Local(cx))),
            Some(Reached::Link(link)) => return Ok(Known::Route(Route::Link(link, aid))),
            None => {}
        }
        match &self.upward {
            Upward::Child { link, ways, .. } if aid.host() != self.here => {
                let known = ways.known(aid.host(), self.arbiter(), link);
                let route = known.map(|link| Known::Route(Route::Link(link, aid)));
                Ok(route.unwrap_or(Known::Place(aid)))
            }
            _ => Err(unknown(&Target::Aid(aid))),
        }
    }

    fn known_name<'a>(&self, name: &'a str) -> Result<Known<'a>, SendError> {
        match name {
            "arbiter" => return self.known_aid(self.arbiter()),
            "monitor" => {
                let manager = get_actor().map(|cx| cx.cell().birth.manager);
                return self.known_aid(manager.unwrap_or_else(|| self.arbiter()));
            }
            _ => {}
        }
        let here = self.registry.lock().named(name);
        if let Some(aid) = here.or_else(|| self.parse(name)) {
            return self.known_aid(aid);
        }
        match &self.upward {
            Upward::Child { ways, .. } => match ways.named(name) {
                Some(aid) => self.known_aid(aid),
                None => Ok(Known::Name(name)),
            },
            Upward::Master(_) => Err(unknown(&Target::Name(name.to_owned()))),
        }
    }

    /// Asks the arbiter who has this name.
    async fn seek_name(&self, name: &str) -> Result<Aid, SendError> {
        let (link, ways) = self.above()?;
        let _turn = ways.peers.turn(&Seeking::Name(name.to_owned())).await;
        if let Some(aid) = ways.named(name) {
            return Ok(aid);
        }
        let (request, answer) = link.seek_name(name)?;
        let entry = Entry::new(link, request);
        let sought = answer.await.map_err(|_| gone())??;
        drop(entry);
        let aid = Aid::task_in(self.arbiter_id(), sought.place, sought.task);
        ways.is_named(name, aid);
        Ok(aid)
    }

    /// Asks the arbiter for the way to an actor elsewhere, and waits until it can be used.
    async fn seek_way(&self, aid: Aid) -> Result<Route, SendError> {
        let ((link, ways), host) = (self.above()?, aid.host());
        let _turn = ways.peers.turn(&Seeking::Place(host.place())).await;
        loop {
            if let Some(link) = ways.known(host, self.arbiter(), link) {
                return Ok(Route::Link(link, aid));
            }
            if let Some(before) = ways.peers.retiring(host) {
                // What was sent over that one is to arrive before.
                before.is_read_out().await;
                continue;
            }
            let (request, answer) = link.seek(aid)?;
            let entry = Entry::new(link, request);
            let sought = answer.await.map_err(|_| gone())??;
            drop(entry);
            // A direct link has been opened by now. If it is gone already so is its process, or it
            // was not needed by the other side: the arbiter knows.
            if !sought.has_descriptor {
                ways.is_with_arbiter(host);
            }
        }
    }

    fn above(&self) -> Result<(&Arc<Link>, &Ways), SendError> {
        match &self.upward {
            Upward::Child { link, ways, .. } => Ok((link, ways)),
            Upward::Master(_) => Err(SendError::NotRunning),
        }
    }

    /// Claims a name for a task here: all of the system know it by that. In the arbiter's process
    /// the registry is all that there is.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NameTaken`]; [`SpawnError::Arbiter`] if the arbiter does not answer in time.
    pub(crate) async fn claim_name(&self, task: Aid, name: &str) -> Result<(), SpawnError> {
        let Upward::Child { link, .. } = &self.upward else {
            return Ok(());
        };
        if name.is_empty() || task.task() == 0 {
            return Ok(());
        }
        let after = self.timing.ask_timeout;
        let claimed = async {
            let (request, answer) = link.claim(task, name)?;
            let entry = Entry::new(link, request);
            let holder = answer.await.map_err(|_| gone())??;
            drop(entry);
            Ok((holder.place, holder.task) == (task.place(), task.task()))
        };
        match timeout(after, claimed).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(SpawnError::NameTaken {
                name: name.to_owned(),
            }),
            Ok(Err(error)) => Err(SpawnError::Arbiter(error)),
            Err(_) => Err(SpawnError::Arbiter(SendError::Timeout { after })),
        }
    }

    /// A task here needs its name no more.
    pub(crate) fn release_name(&self, task: Aid, name: &str) {
        if let Upward::Child { link, .. } = &self.upward
            && !name.is_empty()
            && task.task() != 0
        {
            link.release(task, name);
        }
    }

    /// An id of this system, in its full or local form. What looks like an id of another may as
    /// well be a name.
    pub(crate) fn parse(&self, text: &str) -> Option<Aid> {
        let aid = Aid::parse_in(self.arbiter_id(), text).ok()?;
        (aid.arbiter() == self.arbiter_id()).then_some(aid)
    }
}

fn unknown(target: &Target) -> SendError {
    SendError::UnknownActor {
        target: target.to_string(),
    }
}

/// The link to the arbiter has ended, and this process will.
fn gone() -> SendError {
    let cause = Cause::Unknown;
    SendError::ActorDied { cause }
}
