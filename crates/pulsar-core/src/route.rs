//! From a target to the way there.

use std::sync::Arc;
use std::time::Duration;

use pulsar_link::{Entry, Link, Seeking};
use pulsar_wire::Aid;
use tokio::time::timeout;

use crate::node::{Node, Upward};
use crate::ways::Ways;
use crate::{Cause, LinksInfo, SendError, SpawnError, SystemInfo, Target, get_actor};
use pulsar_actor::runtime::{BoxFuture, Route, System, Turn};
use pulsar_registry::Reached;

/// What is known of a way without asking anybody.
enum Known {
    Route(Route),
    /// Only the arbiter knows who has this name.
    Name,
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
            Known::Name | Known::Place(_) => Ok(None),
        }
    }

    fn is_sought(&self, target: &Target) -> bool {
        match &self.upward {
            Upward::Child { ways, .. } => ways.peers.is_sought(&seeking(target)),
            Upward::Master(_) => false,
        }
    }

    fn seek(self: Arc<Self>, target: Target) -> BoxFuture<Result<(Route, Turn), SendError>> {
        Box::pin(async move { self.find(&target).await })
    }

    fn forget_name(&self, target: &Target, aid: Aid) {
        if let (Upward::Child { ways, .. }, Target::Name(name)) = (&self.upward, target) {
            ways.forget_name(name, Some(aid));
        }
    }
}

/// The line in which one waits who seeks the way to `target`.
fn seeking(target: &Target) -> Seeking {
    match target {
        Target::Aid(aid) => Seeking::Place(aid.place()),
        Target::Name(name) => Seeking::Name(name.clone()),
    }
}

impl Node {
    /// Seeks in turn: first who has the name, if it is one, then the way there.
    async fn find(&self, target: &Target) -> Result<(Route, Turn), SendError> {
        let (_, ways) = self.above()?;
        let name = match (self.look_up(target)?, target) {
            (Known::Route(route), _) => return Ok((route, Box::new(()))),
            (Known::Place(aid), _) => return self.seek_way(aid).await,
            (Known::Name, Target::Name(name)) => name,
            (Known::Name, Target::Aid(_)) => return Err(unknown(target)),
        };
        // Kept until this has its place in the line of the way.
        let _turn = ways.peers.turn(&seeking(target)).await;
        if let Some(aid) = ways.named(name) {
            match self.find_place(aid).await {
                // It is not where it was: whoever has the name now is looked for.
                Err(SendError::UnknownActor { .. }) => ways.forget_name(name, Some(aid)),
                found => return found,
            }
        }
        let aid = self.seek_name(name).await?;
        let found = self.find_place(aid).await;
        if found.is_ok() {
            ways.is_named(name, aid);
        }
        found
    }

    async fn find_place(&self, aid: Aid) -> Result<(Route, Turn), SendError> {
        match self.look_up_aid(aid)? {
            Known::Route(route) => Ok((route, Box::new(()))),
            Known::Place(_) | Known::Name => self.seek_way(aid).await,
        }
    }

    fn look_up(&self, target: &Target) -> Result<Known, SendError> {
        match target {
            Target::Aid(aid) => self.look_up_aid(*aid),
            Target::Name(name) => self.look_up_name(name),
        }
    }

    fn look_up_aid(&self, aid: Aid) -> Result<Known, SendError> {
        if aid.arbiter() != self.arbiter_id() {
            return Err(unknown(&Target::Aid(aid)));
        }
        match self.registry.lock().reach(aid)? {
            Some(Reached::Local(cx)) => return Ok(Known::Route(Route::Local(cx))),
            Some(Reached::Link(link)) => return Ok(Known::Route(Route::Link(link, aid))),
            None => {}
        }
        match &self.upward {
            Upward::Child { link, ways, .. } if aid.host() != self.here => {
                let line = Seeking::Place(aid.place());
                let known = match ways.peers.is_sought(&line) {
                    // Behind those who seek it already.
                    true => None,
                    false => ways.known(aid.host(), self.arbiter(), link),
                };
                let route = known.map(|link| Known::Route(Route::Link(link, aid)));
                Ok(route.unwrap_or(Known::Place(aid)))
            }
            _ => Err(unknown(&Target::Aid(aid))),
        }
    }

    fn look_up_name(&self, name: &str) -> Result<Known, SendError> {
        match name {
            "arbiter" => return self.look_up_aid(self.arbiter()),
            "monitor" => {
                let manager = get_actor().map(|cx| cx.cell().birth.manager);
                return self.look_up_aid(manager.unwrap_or_else(|| self.arbiter()));
            }
            _ => {}
        }
        let here = self.registry.lock().named(name);
        if let Some(aid) = here.or_else(|| self.parse(name)) {
            return self.look_up_aid(aid);
        }
        match &self.upward {
            Upward::Child { ways, .. } => {
                let line = Seeking::Name(name.to_owned());
                match ways.named(name).filter(|_| !ways.peers.is_sought(&line)) {
                    // A way that is not known is found in the name's line.
                    Some(aid) => match self.look_up_aid(aid) {
                        Ok(Known::Route(route)) => Ok(Known::Route(route)),
                        _ => Ok(Known::Name),
                    },
                    None => Ok(Known::Name),
                }
            }
            Upward::Master(_) => Err(unknown(&Target::Name(name.to_owned()))),
        }
    }

    /// Asks the arbiter who has this name.
    async fn seek_name(&self, name: &str) -> Result<Aid, SendError> {
        let (link, _) = self.above()?;
        let (request, answer) = link.seek_name(name)?;
        let entry = Entry::new(link, request);
        let sought = answer.await.map_err(|_| gone())??;
        drop(entry);
        Ok(Aid::task_in(self.arbiter_id(), sought.place, sought.task))
    }

    /// Asks the arbiter for the way to an actor elsewhere, and waits until it can be used.
    async fn seek_way(&self, aid: Aid) -> Result<(Route, Turn), SendError> {
        let ((link, ways), host) = (self.above()?, aid.host());
        let turn = ways.peers.turn(&Seeking::Place(host.place())).await;
        loop {
            if let Some(link) = ways.known(host, self.arbiter(), link) {
                return Ok((Route::Link(link, aid), Box::new(turn)));
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
            if sought.has_descriptor && ways.peers.get(host).is_none() {
                // It has come and gone again, or this process had no room for it.
                ways.check_lost(host)?;
            }
            // A direct link has been opened by now, or else the actor is with the arbiter.
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

    /// Whether a task here has its name only by the arbiter's leave, and gives it back to that.
    pub(crate) fn claims(&self, task: Aid, name: &str) -> bool {
        self.master().is_none() && !name.is_empty() && task.task() != 0
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
            && self.claims(task, name)
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
