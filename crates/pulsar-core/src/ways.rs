//! What a process actor knows of the ways to others, and its direct links.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;

use parking_lot::Mutex;
use pulsar_actor::runtime::VERDICT_TIMEOUT;
use pulsar_link::{Arrivals, Begun, Link, LinkHandler, Peers, pump};
use pulsar_wire::{Aid, Frame, Kind};
use tokio::net::UnixStream;

use crate::Cause;
use crate::delivery::Held;
use crate::node::{Node, Upward};

/// Direct links of one process that stay open; past this the least recently used one is retired.
/// Each costs a descriptor on either side, and a process has use for few at a time.
const MOST_LINKS: usize = 64;
/// Names, and places, that are remembered. Past this all are forgotten and asked for again.
const MOST_REMEMBERED: usize = 1024;
/// The ways out of a process actor, but for that to the arbiter itself.
pub(crate) struct Ways {
    pub(crate) peers: Peers,
    /// Who had which name when the arbiter was last asked.
    names: Mutex<HashMap<String, Aid>>,
    /// Whose actors live in the arbiter's process. They never move.
    with_arbiter: Mutex<HashSet<Aid>>,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            peers: Peers::new(MOST_LINKS),
            names: Mutex::default(),
            with_arbiter: Mutex::default(),
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

    /// False if it was not remembered.
    pub(crate) fn forget_name(&self, name: &str) -> bool {
        self.names.lock().remove(name).is_some()
    }

    /// A direct link has come to its end: the names of those behind it may now be others'.
    fn closed(&self, link: &Arc<Link>) {
        self.peers.remove(link);
        self.names.lock().retain(|_, aid| aid.host() != link.peer());
    }
}

impl Node {
    /// The arbiter has passed an end of a direct link to the process that `frame` names.
    ///
    /// # Errors
    ///
    /// If that is not how the arbiter speaks.
    pub(crate) fn link_came(
        self: &Arc<Self>,
        frame: &Frame,
        descriptor: OwnedFd,
    ) -> Result<(), String> {
        let Upward::Child { ways, .. } = &self.upward else {
            return Err("the arbiter is passed no links".to_owned());
        };
        let life = frame.incarnation.ok_or("a link to nobody's life")?;
        let host = Aid::new(self.arbiter_id(), frame.place);
        let stream = StdUnixStream::from(descriptor);
        let stream = stream
            .set_nonblocking(true)
            .and_then(|()| UnixStream::from_std(stream));
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::error!(peer = %host, %error, "direct link cannot be used");
                return Ok(());
            }
        };
        let link = Arc::new(Link::direct(host, life));
        ways.peers.add(Arc::clone(&link));
        tokio::spawn(speak(Arc::clone(self), link, stream));
        Ok(())
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
/// peer ended is the arbiter's to say, a moment later.
async fn speak(node: Arc<Node>, link: Arc<Link>, stream: UnixStream) {
    let handler = FromPeer {
        node: Arc::clone(&node),
        arrivals: Arc::default(),
    };
    let reason = pump(&link, &stream, Begun::default(), &handler).await;
    tracing::debug!(peer = %link.peer(), %reason, "direct link ended");
    // Before anything else is waited for: the peer, if it lives, learns it too.
    drop(stream);
    link.close();
    let cause = match link.ended_in_order() {
        true => Cause::Unknown,
        false => link.verdict(VERDICT_TIMEOUT).await,
    };
    link.end(&cause);
    if let Upward::Child { ways, .. } = &node.upward {
        ways.closed(&link);
    }
}

/// Handles what a direct peer says.
struct FromPeer {
    node: Arc<Node>,
    arrivals: Arc<Arrivals<Held>>,
}

impl LinkHandler for FromPeer {
    fn frame_came(
        &self,
        link: &Arc<Link>,
        frame: Frame,
        _descriptors: Vec<OwnedFd>,
    ) -> Result<(), String> {
        match frame.kind {
            Kind::Ask | Kind::Tell => self.node.command_came(link, frame, &self.arrivals),
            Kind::Reply | Kind::Failure | Kind::Undelivered => {
                link.reply_came(frame);
                Ok(())
            }
            Kind::Credit => link.credit_came(&frame),
            Kind::Retire => {
                link.retire_came()?;
                let (arrivals, link) = (Arc::clone(&self.arrivals), Arc::clone(link));
                // It ends when the actors here have taken in what waits, or have ended.
                tokio::spawn(async move {
                    arrivals.emptied().await;
                    link.answer_retire();
                });
                Ok(())
            }
            Kind::Retired => link.retired_came(),
            other => Err(format!("a direct peer does not send {other:?}")),
        }
    }
}
