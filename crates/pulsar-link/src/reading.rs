//! How who asks reads the ring for its reply itself, while the pump lets others have their turn.
//!
//! The pump wakes who asks, and then both go round the loop, which takes longer than all the rest of an ask that
//! finds the other side awake. So who asks looks at the ring before it waits, for as long as the pump would; and takes from
//! it replies only. Whatever else is first there is the pump's, which is about to look again.
//!
//! It does not where others on the loop have something to do meanwhile, nor where another ask waits already: then those take
//! their turns better, one after the other, while the replies gather.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pulsar_loop::runtime::Lending;

use crate::Link;
use crate::poller::Poller;
use crate::pump::MOST_IN_A_ROW;
use crate::ring_inbox::RingInbox;
use crate::socket::Socket;

/// What the pump has of a ring that is read.
pub(crate) struct Reading {
    pub(crate) ring: RingInbox,
    pub(crate) poller: Poller,
    socket: Arc<Socket>,
    /// Replies that were read by those who wait for them since the pump had its turn.
    in_a_row: u32,
}

impl Reading {
    pub(crate) fn new(ring: RingInbox, poller: Poller, socket: &Arc<Socket>) -> Box<Self> {
        Box::new(Self {
            ring,
            poller,
            socket: Arc::clone(socket),
            in_a_row: 0,
        })
    }

    /// The pump lets others have their turn.
    pub(crate) fn others_have_their_turn(&mut self) {
        self.in_a_row = 0;
    }

    /// Looks for replies; true if there was one.
    fn look(&mut self, link: &Link) -> bool {
        if self.in_a_row >= MOST_IN_A_ROW || !self.poller.look_for_reply(&mut self.ring) {
            return false;
        }
        let came = self.ring.take_replies(link, &self.socket);
        if came {
            self.in_a_row += 1;
            self.poller.renew();
        }
        came
    }
}

/// Where the pump leaves what it reads.
#[derive(Default)]
pub(crate) struct ReadingPlace {
    pub(crate) lending: Lending<Box<Reading>>,
    /// It is there, as far as is known, and few wait for replies.
    may_look: AtomicBool,
}

impl ReadingPlace {
    /// Says whether those who ask may look for replies until the pump has its next turn.
    pub(crate) fn allow(&self, may_look: bool) {
        // Relaxed: it is a hint. Loaded first, so that the line stays with those who read it.
        if self.may_look.load(Ordering::Relaxed) != may_look {
            self.may_look.store(may_look, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for ReadingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lending.fmt(f)
    }
}

impl Link {
    /// True if who asks now may [look for the reply](Self::look_for_reply) itself. Then the other side is told of the ask at
    /// once.
    #[inline]
    pub fn may_look_for_reply(&self) -> bool {
        let may_look = self.reading.may_look.load(Ordering::Relaxed) && self.pending.asks() == 0;
        if may_look {
            self.outbox.turns();
        }
        may_look
    }

    /// Looks for the reply to an ask that has just been sent, for a microsecond or less; true if one has come.
    pub fn look_for_reply(&self) -> bool {
        let came = self.reading.lending.borrow(|reading| reading.look(self));
        let came = came.unwrap_or(false);
        if !came {
            self.reading.allow(false);
        }
        came
    }
}
