//! The asks that wait for a reply from the other side of a link.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use bytes::Bytes;
use pulsar_wire::{Codec, Frame, Kind};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::Link;
use crate::payload::{Outcome, Payload};
use pulsar_model::{Cause, SendError};

use crate::payload;

/// Asks in flight on one link. Each costs some hundred bytes; past this many the other side is
/// not keeping up and further asks are refused.
const MAX_PENDING: usize = 1 << 18;
/// Relayed asks whose callers have long given up are looked for each time this many were added.
const SWEEP_EVERY: u64 = 4096;

/// The table of one link.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    replies: Mutex<HashMap<u64, PendingReply>>,
    next: AtomicU64,
    /// Replies that nobody waited for any more.
    strays: AtomicU64,
}

/// Who waits for a reply.
#[derive(Debug)]
pub enum PendingReply {
    /// A caller in this process. It takes its entry out when it gives up.
    Local(oneshot::Sender<Outcome>),
    /// A caller behind another link, for whom this process relays.
    Relay {
        /// That link.
        link: Arc<Link>,
        /// The ask's number there.
        request: u64,
        /// The caller has given up by then.
        until: Option<Instant>,
    },
}

impl Pending {
    /// Enters an ask; its number, from 1.
    ///
    /// # Errors
    ///
    /// [`SendError::MailboxFull`] if too many wait.
    pub(crate) fn insert(&self, reply: PendingReply) -> Result<u64, SendError> {
        let request = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut replies = self.replies.lock();
        if request.is_multiple_of(SWEEP_EVERY) {
            let now = Instant::now();
            replies.retain(|_, reply| !reply.is_over(now));
        }
        if replies.len() >= MAX_PENDING {
            let capacity = MAX_PENDING;
            return Err(SendError::MailboxFull { capacity });
        }
        replies.insert(request, reply);
        Ok(request)
    }

    /// Takes an ask out: its caller has given up, or it was never sent.
    /// False if it was not there any more: it has been answered.
    pub(crate) fn remove(&self, request: u64) -> bool {
        self.replies.lock().remove(&request).is_some()
    }

    /// Gives a reply to whom it belongs. One that nobody waits for is dropped and counted.
    pub(crate) fn complete(&self, frame: Frame) {
        let waiter = self.replies.lock().remove(&frame.request);
        match waiter {
            Some(waiter) => waiter.complete(frame),
            None => {
                let strays = self.strays.fetch_add(1, Ordering::Relaxed) + 1;
                tracing::debug!(request = frame.request, strays, "reply to nobody dropped");
            }
        }
    }

    /// Answers all that wait: the other side has ended by `cause`.
    pub(crate) fn fail_all(&self, cause: &Cause) {
        let waiters = std::mem::take(&mut *self.replies.lock());
        for waiter in waiters.into_values() {
            let cause = cause.clone();
            waiter.fail(SendError::ActorDied { cause });
        }
    }
}

impl PendingReply {
    fn is_over(&self, now: Instant) -> bool {
        match self {
            Self::Local(caller) => caller.is_closed(),
            Self::Relay { until, .. } => until.is_some_and(|until| until < now),
        }
    }

    fn complete(self, frame: Frame) {
        match self {
            // The caller may have given up a moment ago.
            Self::Local(caller) => drop(caller.send(outcome(&frame))),
            Self::Relay { link, request, .. } => link.pass_reply(Frame { request, ..frame }),
        }
    }

    fn fail(self, error: SendError) {
        match self {
            Self::Local(caller) => drop(caller.send(Outcome::Undelivered(error))),
            Self::Relay { link, request, .. } => link.undelivered(request, &error),
        }
    }
}

fn outcome(frame: &Frame) -> Outcome {
    let wire = |body: &Bytes| Payload::Wire(frame.codec, body.clone());
    match frame.kind {
        Kind::Reply => Outcome::Reply(wire(&frame.body)),
        Kind::Failure => Outcome::Failure(wire(&frame.body)),
        _ => {
            let error = payload::decode(Codec::Postcard, &frame.body);
            Outcome::Undelivered(error.unwrap_or_else(|error| error))
        }
    }
}
