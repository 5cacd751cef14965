//! What a process actor knows of the ways to others, and its direct links.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pulsar_actor::runtime::VERDICT_TIMEOUT;
use pulsar_link::{Arrivals, Begun, Intake, Link, LinkHandler, Peers, pump};
use pulsar_wire::{Aid, Frame, FrameView, Incarnation, Kind};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::delivery::Held;
use crate::node::{Node, Upward};
use crate::{Cause, SendError};

/// Direct links of one process that stay open; past this the least recently used one is retired.
/// Each costs a descriptor on either side, and a process has use for few at a time.
const MOST_LINKS: usize = 64;
/// Names, and places, that are remembered. Past this all are forgotten and asked for again.
const MOST_REMEMBERED: usize = 1024;
/// Links to one life of another process: two if both sought each other at once, and as many that are
/// being retired.
const MOST_TO_ONE: usize = 4;
/// How long after a peer's end what it had sent may still be on its way.
const LINGER: Duration = Duration::from_millis(250);

/// The ways out of a process actor, but for that to the arbiter itself.
pub(crate) struct Ways {
    pub(crate) peers: Peers,
    /// Who had which name when the arbiter was last asked.
    names: Mutex<HashMap<String, Aid>>,
    /// Whose actors live in the arbiter's process. They never move.
    with_arbiter: Mutex<HashSet<Aid>>,
    arrivals: Mutex<HashMap<Life, Arc<Arrivals<Held>>>>,
    /// To whom a link was passed that could not be opened here.
    lost: Mutex<HashSet<Aid>>,
    /// The pumps of the direct links.
    pumps: TaskTracker,
}

/// One life of a process.
type Life = (Aid, Incarnation);

impl Default for Ways {
    fn default() -> Self {
        Self {
            peers: Peers::new(MOST_LINKS),
            names: Mutex::default(),
            with_arbiter: Mutex::default(),
            arrivals: Mutex::default(),
            lost: Mutex::default(),
            pumps: TaskTracker::new(),
        }
    }
}

impl Ways {
    /// The link to the process in which the actors of `host` live, if it is known and open.
    pub(crate) fn known(&self, host: Aid, arbiter: Aid, upward: &Arc<Link>) -> Option<Arc<Link>> {
        if host == arbiter || self.with_arbiter.lock().contains(&host) {
            return Some(Arc::clone(upward));
        }
        self.peers.get(host)
    }

    pub(crate) fn is_with_arbiter(&self, host: Aid) {
        let mut with_arbiter = self.with_arbiter.lock();
        if with_arbiter.len() >= MOST_REMEMBERED {
            with_arbiter.clear();
        }
        with_arbiter.insert(host);
    }

    pub(crate) fn named(&self, name: &str) -> Option<Aid> {
        self.names.lock().get(name).copied()
    }

    pub(crate) fn is_named(&self, name: &str, aid: Aid) {
        let mut names = self.names.lock();
        if names.len() >= MOST_REMEMBERED {
            names.clear();
        }
        names.insert(name.to_owned(), aid);
    }

    /// Whoever has this name is to be asked for anew, if it was thought to be `aid`.
    pub(crate) fn forget_name(&self, name: &str, aid: Option<Aid>) {
        let mut names = self.names.lock();
        if aid.is_none() || names.get(name).copied() == aid {
            names.remove(name);
        }
    }

    /// A link to `host` came that cannot be used here.
    ///
    /// # Errors
    ///
    /// [`SendError::Refused`], once for each that was lost.
    pub(crate) fn check_lost(&self, host: Aid) -> Result<(), SendError> {
        match self.lost.lock().remove(&host) {
            true => Err(SendError::Refused {
                reason: "no link can be made: this process has too many open files".to_owned(),
            }),
            false => Ok(()),
        }
    }

    /// What waits here for room in mailboxes and came from this life of a process, over whichever of
    /// its links.
    fn arrivals(&self, host: Aid, life: Incarnation) -> Arc<Arrivals<Held>> {
        let mut arrivals = self.arrivals.lock();
        Arc::clone(arrivals.entry((host, life)).or_default())
    }

    /// No message is sent over a direct link any more; what waits is written, within `at_most`. For a
    /// process that is about to end.
    pub(crate) async fn close(&self, at_most: Duration) {
        for link in self.peers.links() {
            link.close();
        }
        self.pumps.close();
        // What has not left by then is lost with the process.
        let _ = timeout(at_most, self.pumps.wait()).await;
    }

    /// A direct link has come to its end: the names of those behind it may now be others'.
    fn closed(&self, link: &Arc<Link>) {
        self.peers.remove(link);
        let host = link.peer();
        if let Some(life) = link.incarnation()
            && self.peers.links_to(host, life) == 0
        {
            self.arrivals.lock().remove(&(host, life));
        }
        self.names.lock().retain(|_, aid| aid.host() != link.peer());
    }
}

impl Node {
    /// The arbiter has passed an end of a direct link to the process that `frame` names; without a
    /// descriptor if this process had no room for it.
    ///
    /// # Errors
    ///
    /// If that is not how the arbiter speaks.
    pub(crate) fn link_came(
        self: &Arc<Self>,
        frame: &Frame,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), String> {
        let Upward::Child { ways, .. } = &self.upward else {
            return Err("the arbiter is passed no links".to_owned());
        };
        let life = frame.incarnation.ok_or("a link to nobody's life")?;
        let host = Aid::new(self.arbiter_id(), frame.place);
        let Some(descriptor) = descriptors.into_iter().next() else {
            if frame.request != 0 {
                ways.lost.lock().insert(host);
            }
            return Ok(());
        };
        if ways.peers.links_to(host, life) >= MOST_TO_ONE {
            // It has more than it can use, and does not let go of any: the other end is closed.
            tracing::warn!(peer = %host, "one more link to the same process refused");
            return Ok(());
        }
        let stream = UnixStream::from(descriptor);
        if let Err(error) = stream.set_nonblocking(true) {
            tracing::error!(peer = %host, %error, "direct link cannot be used");
            return Ok(());
        }
        // One of the two, whichever it is.
        let makes = self.here.place() < host.place();
        let link = self.links.lock().apply(Link::direct(host, life), makes);
        let link = Arc::new(link);
        ways.peers.add(Arc::clone(&link));
        tokio::spawn(speak(Arc::clone(self), link, life, stream));
        Ok(())
    }

    /// The arbiter has told that a name means nobody any more, or somebody else.
    pub(crate) fn name_gone(&self, name: &str) {
        if let Upward::Child { ways, .. } = &self.upward {
            ways.forget_name(name, None);
        }
    }

    /// The arbiter has told how a process ended.
    ///
    /// # Errors
    ///
    /// If that is not how the arbiter speaks.
    pub(crate) fn peer_ended(&self, frame: &Frame, cause: &Cause) -> Result<(), String> {
        let life = frame.incarnation.ok_or("the end of nobody's life")?;
        if let Upward::Child { ways, .. } = &self.upward {
            let host = Aid::new(self.arbiter_id(), frame.place);
            ways.peers.ended(host, life, cause);
        }
        Ok(())
    }
}

/// Speaks with a direct peer until the link ends. The end of the stream comes at once; how the
/// peer ended is the arbiter's to say, a moment later. If that comes and the stream does not end,
/// a descendant of the dead holds its socket: nobody will speak on it any more.
async fn speak(node: Arc<Node>, link: Arc<Link>, life: Incarnation, stream: UnixStream) {
    let Upward::Child { ways, .. } = &node.upward else {
        return;
    };
    let handler = FromPeer {
        node: Arc::clone(&node),
        arrivals: ways.arrivals(link.peer(), life),
    };
    let pumping = ways.pumps.token();
    tokio::select! {
        reason = pump(&link, stream, Begun::default(), &handler) => {
            tracing::debug!(peer = %link.peer(), %reason, "direct link ended");
        }
        () = dead_for_long(&link) => {
            tracing::debug!(peer = %link.peer(), "direct link to a dead process is left");
        }
    }
    // The pump has closed the socket, before anything else is waited for: the peer, if it lives, learns
    // it too.
    link.close();
    drop(pumping);
    let cause = match link.ended_in_order() {
        true => Cause::Unknown,
        false => link.verdict(VERDICT_TIMEOUT).await,
    };
    link.end(&cause);
    ways.closed(&link);
}

/// Waits until the peer has been known to be dead for as long as what it had sent may take to be
/// read.
async fn dead_for_long(link: &Link) {
    link.verdict_came().await;
    sleep(LINGER).await;
}

/// Handles what a direct peer says.
struct FromPeer {
    node: Arc<Node>,
    arrivals: Arc<Arrivals<Held>>,
}

impl LinkHandler for FromPeer {
    fn take_in(&self, link: &Arc<Link>, command: &FrameView<'_>) -> Intake {
        link.touch();
        self.node.take_in(link, command, &self.arrivals)
    }

    fn frame_came(
        &self,
        link: &Arc<Link>,
        frame: Frame,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), String> {
        match frame.kind {
            Kind::Ask | Kind::Tell => {
                link.touch();
                self.node
                    .command_came(link, frame, descriptors, &self.arrivals)
            }
            Kind::Reply | Kind::Failure | Kind::Undelivered => {
                link.reply_came(frame, descriptors);
                Ok(())
            }
            Kind::Credit => link.credit_came(&frame),
            Kind::Retire => {
                link.retire_came()?;
                // All that came before has been handled: it is in its mailbox, or waits in the arrivals
                // that the next link will share, so that what comes over that goes behind it.
                link.answer_retire();
                Ok(())
            }
            Kind::Retired => link.retired_came(),
            other => Err(format!("a direct peer does not send {other:?}")),
        }
    }
}
