//! How the two ends of a link agree to go on through rings.
//!
//! A link begins on its socket. When enough of the user's messages have gone over it, the *maker* (the
//! arbiter, or on a direct link the end in the smaller place) makes the memory and offers it:
//!
//! 1. The maker sends `Rings` with the memory's descriptor.
//! 2. The other side, the *taker*, maps it and answers `RingsTaken`: its last frame over the socket. What it
//!    sends from then on goes into its ring. Or it answers `RingsRefused`, and all stays as it is.
//! 3. The maker reads the taker's ring from `RingsTaken` on, and answers `RingsBegun`: its own last frame
//!    over the socket. What it sends from then on goes into its ring.
//! 4. The taker reads the maker's ring from `RingsBegun` on.
//!
//! So in each direction there is one frame that all before it precede on the socket and all behind it
//! follow in the ring, and it is read before the ring is looked at: the order is kept.
//!
//! # Bells
//!
//! A byte on the socket that is no part of a frame may only come behind the last frame. Each side rings only
//! once its own last frame has been written, and says that it sleeps only once the other's has been
//! read; so nobody sleeps for whom no bell can be rung.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use pulsar_ring::{Consumer, Side, Sleeper, ends};
use pulsar_sys::sealed::NotSealed;
use pulsar_wire::{Aid, Frame, Kind};

use crate::mapped::{Mapped, RING_BYTES};
use crate::queue::RingWay;
use crate::seats::Seats;
use crate::socket::Socket;
use crate::{Link, Passed};

/// How an end of a link goes on through rings.
#[derive(Clone, Copy, Debug)]
pub struct RingSettings {
    /// This end makes them: the arbiter's, or on a direct link that in the smaller place. One of the two
    /// does.
    pub makes: bool,
    /// Messages of the user's, in both directions, before they are offered.
    pub after: u32,
    /// How long a reader polls after the last frame, and at most twice as long for the reply to an ask that was sent while it
    /// slept; zero is never.
    pub poll: Duration,
}

impl RingSettings {
    /// A child's answer to its first question is worth no memory, and who is still starting has no use
    /// for a manager that polls.
    pub const AFTER: u32 = 8;
    /// About what it costs to be woken: who polls for as long as that loses at most as much as it could
    /// have gained. Far less, and asks that follow each other go now this way and now that.
    pub const POLL: Duration = Duration::from_micros(50);
}

/// What one end of a link does about rings.
#[derive(Debug)]
pub(crate) struct Rings {
    /// Nothing if the link stays on its socket.
    settings: Option<RingSettings>,
    /// The user's messages so far, while that matters.
    messages: AtomicU32,
    /// It does not matter any more.
    is_settled: AtomicBool,
    /// The other side has been passed the seats.
    has_shared_seats: AtomicBool,
}

impl Default for Rings {
    /// Of a link that stays on its socket.
    fn default() -> Self {
        Self {
            settings: None,
            messages: AtomicU32::new(0),
            is_settled: AtomicBool::new(true),
            has_shared_seats: AtomicBool::new(false),
        }
    }
}

impl Link {
    /// The link goes on through rings once there is traffic.
    #[must_use]
    pub fn with_rings(mut self, settings: RingSettings) -> Self {
        self.rings = Rings {
            settings: Some(settings),
            is_settled: AtomicBool::new(!settings.makes),
            ..Rings::default()
        };
        self
    }

    /// True once what is sent from here goes through a ring.
    pub fn is_on_ring(&self) -> bool {
        self.outbox.is_on_ring()
    }

    /// A message of the user's has come or gone.
    pub(crate) fn note_message(&self) {
        if self.rings.is_settled.load(Ordering::Relaxed) {
            return;
        }
        self.rings.messages.fetch_add(1, Ordering::Relaxed);
        if self.is_offer_due() {
            self.outbox.call_pump();
        }
    }

    /// Passes the seats to a child, once. They go before anything that makes it poll.
    pub(crate) fn share_seats(&self) {
        let is_due = self.rings.makes() && !self.is_direct();
        if !is_due || self.rings.has_shared_seats.swap(true, Ordering::Relaxed) {
            return;
        }
        let Some(descriptor) = Seats::to_pass() else {
            return;
        };
        let frame = Frame {
            descriptors: 1,
            ..Frame::new(Kind::Seats, Bytes::new())
        };
        self.give_up_on(
            self.outbox
                .push_system(&frame, &Passed::new(vec![descriptor])),
        );
    }

    fn is_offer_due(&self) -> bool {
        !self.rings.is_settled.load(Ordering::Relaxed)
            && self.rings.settings.is_some_and(|settings| {
                self.rings.messages.load(Ordering::Relaxed) >= settings.after
            })
    }
}

impl Rings {
    /// How long a reader polls.
    pub(crate) fn poll(&self) -> Duration {
        self.settings
            .map_or(Duration::ZERO, |settings| settings.poll)
    }

    fn makes(&self) -> bool {
        self.settings.is_some_and(|settings| settings.makes)
    }
}

/// A ring to read from, from now on.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) consumer: Consumer<Mapped>,
    pub(crate) sleeper: Sleeper<Mapped>,
}

/// How far the two ends have come.
#[derive(Debug, Default)]
pub(crate) enum Agreement {
    /// Nothing has been said.
    #[default]
    Open,
    /// The maker waits for the answer.
    Offered(Mapped),
    /// The taker waits for the beginning.
    Taken(Inbound),
    /// All has been said.
    Settled,
}

/// True of the frames that are the link's own matter, whoever handles the others.
pub(crate) fn is_own(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Rings | Kind::RingsTaken | Kind::RingsRefused | Kind::RingsBegun | Kind::Seats
    )
}

/// True of those of them with which a descriptor comes.
pub(crate) fn carries_memory(kind: Kind) -> bool {
    matches!(kind, Kind::Rings | Kind::Seats)
}

/// The arbiter has passed the seats.
///
/// # Errors
///
/// If it was somebody else, or they are none.
pub(crate) fn seats_came(
    link: &Link,
    frame: &Frame,
    descriptors: &[OwnedFd],
) -> Result<(), String> {
    if link.is_direct() || link.peer().place() != Aid::ARBITER_PLACE {
        return Err("it passes seats, and is not the arbiter".to_owned());
    }
    match descriptors {
        // Lost on the way: this process does not poll.
        [] if frame.descriptors > 0 => Ok(()),
        [one] => match Seats::came(one) {
            Ok(()) => Ok(()),
            Err(NotSealed::System(error)) => {
                tracing::debug!(%error, "seats cannot be taken: this process does not poll");
                Ok(())
            }
            Err(error) => Err(format!("it passes seats that are none: {error}")),
        },
        _ => Err("it passes seats without their page".to_owned()),
    }
}

impl Agreement {
    /// Offers rings, if it is time.
    pub(crate) fn offer(&mut self, link: &Link) {
        if !link.is_offer_due() {
            return;
        }
        link.rings.is_settled.store(true, Ordering::Relaxed);
        *self = match Mapped::make() {
            Ok((memory, descriptor)) => {
                link.share_seats();
                let frame = Frame::new(Kind::Rings, Bytes::new());
                link.send_with_descriptors(frame, vec![descriptor]);
                Self::Offered(memory)
            }
            Err(error) => {
                tracing::debug!(peer = %link.peer(), %error, "link stays on its socket");
                Self::Settled
            }
        };
    }

    /// A frame about rings came. The ring to read from, if all that follows comes through it.
    ///
    /// # Errors
    ///
    /// Why the peer is not to be trusted, if it may not say that now.
    pub(crate) fn frame_came(
        &mut self,
        link: &Link,
        socket: &Arc<Socket>,
        frame: &Frame,
        descriptors: &[OwnedFd],
    ) -> Result<Option<Inbound>, String> {
        if !frame.body.is_empty() {
            return Err("what it says of rings has a body".to_owned());
        }
        match (frame.kind, std::mem::replace(self, Self::Settled)) {
            (Kind::Rings, Self::Open) if !link.rings.makes() => {
                self.take(link, socket, frame, descriptors)?;
                Ok(None)
            }
            (Kind::RingsTaken, Self::Offered(memory)) => {
                let side = Side::Maker;
                let (inbound, ring) = both_ends(&memory, side, socket);
                // On a link that is closed nothing follows that could go into the ring.
                let frame = Frame::new(Kind::RingsBegun, Bytes::new());
                link.give_up_on(link.outbox.push_switch(&frame, ring));
                Ok(Some(inbound))
            }
            (Kind::RingsRefused, Self::Offered(_)) => {
                tracing::debug!(peer = %link.peer(), "link stays on its socket");
                Ok(None)
            }
            (Kind::RingsBegun, Self::Taken(inbound)) => Ok(Some(inbound)),
            (kind, _) => Err(format!("it says {kind:?}, which it may not now")),
        }
    }

    /// Takes what is offered, or refuses it.
    fn take(
        &mut self,
        link: &Link,
        socket: &Arc<Socket>,
        frame: &Frame,
        descriptors: &[OwnedFd],
    ) -> Result<(), String> {
        let memory = match descriptors {
            [] if frame.descriptors > 0 => None,
            [_] if link.rings.settings.is_none() => None,
            [one] => match Mapped::take(one.as_fd()) {
                Ok(memory) => Some(memory),
                Err(NotSealed::System(error)) => {
                    tracing::debug!(peer = %link.peer(), %error, "rings cannot be taken");
                    None
                }
                Err(error) => return Err(format!("it offers rings that are none: {error}")),
            },
            _ => return Err("it offers rings without their memory".to_owned()),
        };
        let Some(memory) = memory else {
            link.send_plain(Kind::RingsRefused);
            return Ok(());
        };
        let (inbound, ring) = both_ends(&memory, Side::Taker, socket);
        let answer = Frame::new(Kind::RingsTaken, Bytes::new());
        link.give_up_on(link.outbox.push_switch(&answer, ring));
        *self = Self::Taken(inbound);
        Ok(())
    }
}

fn both_ends(memory: &Mapped, side: Side, socket: &Arc<Socket>) -> (Inbound, RingWay) {
    let (producer, consumer, sleeper) = ends(memory, RING_BYTES, side);
    let inbound = Inbound { consumer, sleeper };
    (inbound, RingWay::new(producer, Arc::downgrade(socket)))
}
