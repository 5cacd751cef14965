//! Who asks the arbiter for the way to an actor is shown it, and told when it ends.

use std::collections::{HashMap, HashSet};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use pulsar_link::{Link, Seeking};
use pulsar_wire::{Aid, Frame, Incarnation};

use crate::node::Node;
use crate::spawn::is_name;
use crate::{Cause, SendError};
use pulsar_registry::{Reached, Registry};

/// Ends of links that may wait for two processes to take them. A process that does not read shall not
/// cost the arbiter its descriptors.
const MOST_WAITING: usize = 64;

/// Which processes have been given a direct link to each other, by the actors that hold them.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    peers: HashMap<Aid, HashSet<Aid>>,
}

impl Pairs {
    fn join(&mut self, one: Aid, other: Aid) {
        self.peers.entry(one).or_default().insert(other);
        self.peers.entry(other).or_default().insert(one);
    }

    /// The process of `aid` has ended; those that had a link to it.
    fn part(&mut self, aid: Aid) -> HashSet<Aid> {
        let peers = self.peers.remove(&aid).unwrap_or_default();
        for peer in &peers {
            if let Some(theirs) = self.peers.get_mut(peer) {
                theirs.remove(&aid);
            }
        }
        peers
    }
}

impl Node {
    /// A child seeks the way to an actor.
    ///
    /// # Errors
    ///
    /// If that is not how one asks.
    pub(crate) fn seek_came(&self, from: &Arc<Link>, frame: &Frame) -> Result<(), String> {
        let shown = match Seeking::of(frame)? {
            Seeking::Name(name) => self.show_name(from, frame.request, &name),
            Seeking::Place(place) => {
                let aid = Aid::task_in(self.arbiter_id(), place, frame.task);
                self.show_way(from, frame.request, aid)
            }
        };
        if let Err(error) = shown {
            from.undelivered(frame.request, &error);
        }
        Ok(())
    }

    /// A child wants a name for one of its own tasks: it is told who has it.
    ///
    /// # Errors
    ///
    /// If that is not how one asks.
    pub(crate) fn claim_came(&self, from: &Arc<Link>, frame: &Frame) -> Result<(), String> {
        let (aid, name) = self.claimed(from, frame)?;
        let claimed = self.registry.lock().claim(aid, name, from);
        let holder = claimed.ok_or("it wants more names than a process may have")?;
        from.send_peer(frame.request, holder, None);
        Ok(())
    }

    /// A child's task needs its name no more.
    ///
    /// # Errors
    ///
    /// If that is not how one says so.
    pub(crate) fn release_came(&self, from: &Arc<Link>, frame: &Frame) -> Result<(), String> {
        let (aid, name) = self.claimed(from, frame)?;
        self.registry.lock().release(aid, &name);
        Ok(())
    }

    /// The name, and the task that it is for: one of the child's own, whatever it says.
    fn claimed(&self, from: &Link, frame: &Frame) -> Result<(Aid, String), String> {
        let name = String::from_utf8(frame.body.to_vec()).map_err(|error| error.to_string())?;
        // As for any other actor: what looks like an id is none.
        if frame.task == 0 || !is_name(&name) || self.parse(&name).is_some() {
            return Err("it wants a name that cannot be one".to_owned());
        }
        let aid = Aid::task_in(self.arbiter_id(), from.peer().place(), frame.task);
        Ok((aid, name))
    }

    fn show_name(&self, from: &Link, request: u64, name: &str) -> Result<(), SendError> {
        let aid = self.registry.lock().tell_name(name, from.peer());
        let aid = aid.ok_or_else(|| SendError::UnknownActor {
            target: name.to_owned(),
        })?;
        from.send_peer(request, aid, None);
        Ok(())
    }

    /// Under the registry's lock: if one of the two ends before, it is not found; if after, then
    /// `ended` finds the pair.
    fn show_way(&self, from: &Arc<Link>, request: u64, aid: Aid) -> Result<(), SendError> {
        let registry = self.registry.lock();
        let unknown = || SendError::UnknownActor {
            target: aid.to_string(),
        };
        let to = match registry.reach(aid)?.ok_or_else(unknown)? {
            Reached::Local(_) => {
                from.send_peer(request, aid, None);
                return Ok(());
            }
            Reached::Link(to) => to,
        };
        let seeker = from.peer();
        let lives = (life(&registry, seeker), life(&registry, aid.host()));
        let (Some(seekers_life), Some(targets_life)) = lives else {
            return Err(unknown());
        };
        if from.descriptors_waiting() + to.descriptors_waiting() >= MOST_WAITING {
            return Err(SendError::Refused {
                reason: "no link can be made: links that were passed before have not been taken"
                    .to_owned(),
            });
        }
        let (near, far) = UnixStream::pair().map_err(|error| SendError::Refused {
            reason: format!("no link can be made: {error}"),
        })?;
        if let Some(master) = self.master() {
            master.pairs.lock().join(seeker, aid.host());
        }
        to.send_peer(0, seeker, Some((seekers_life, far.into())));
        from.send_peer(request, aid, Some((targets_life, near.into())));
        Ok(())
    }

    /// A process has ended: tells those that had a direct link to it. To be called after the
    /// registry has forgotten that life.
    pub(crate) fn tell_peers(&self, aid: Aid, life: Incarnation, cause: &Cause) {
        let Some(master) = self.master() else {
            return;
        };
        let peers = master.pairs.lock().part(aid);
        let registry = self.registry.lock();
        for peer in peers {
            if let Ok(Some(Reached::Link(link))) = registry.reach(peer) {
                link.send_peer_ended(aid, life, cause);
            }
        }
    }
}

fn life(registry: &Registry, aid: Aid) -> Option<Incarnation> {
    registry.get(aid).map(|entry| entry.birth.incarnation)
}
