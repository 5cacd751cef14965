//! The asks that wait for a reply from the other side of a link.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use pulsar_model::{Cause, SendError};
use pulsar_wire::{Codec, Frame, Kind};
use tokio::sync::oneshot;

use crate::payload::{self, Outcome, Payload};
use crate::seek::Sought;
use crate::{Body, Passed};

/// Asks in flight on one link. Each costs some hundred bytes; past this many the other side is
/// not keeping up and further asks are refused.
const MAX_PENDING: usize = 1 << 18;

/// The table of one link.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    replies: Mutex<HashMap<u64, PendingReply>>,
    next: AtomicU64,
    /// Replies that nobody waited for any more.
    strays: AtomicU64,
}

/// Who waits for a reply. Each takes its entry out when it gives up.
#[derive(Debug)]
pub enum PendingReply {
    /// The caller of a command, in this process.
    Local(oneshot::Sender<Outcome>),
    /// Somebody who seeks the way to an actor.
    Seek(oneshot::Sender<Result<Sought, SendError>>),
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
        if replies.len() >= MAX_PENDING {
            let capacity = MAX_PENDING;
            return Err(SendError::MailboxFull { capacity });
        }
        replies.insert(request, reply);
        Ok(request)
    }

    /// Takes an ask out: its caller has given up, or it was never sent.
    /// `None` if it was not there any more: it has been answered.
    pub(crate) fn remove(&self, request: u64) -> Option<PendingReply> {
        self.replies.lock().remove(&request)
    }

    /// Replies that nobody waited for.
    pub(crate) fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.replies.lock().is_empty()
    }

    /// Gives a reply to whom it belongs, with what came with it. One that nobody waits for is dropped and
    /// counted.
    pub(crate) fn complete(&self, frame: &Frame, passed: Result<Passed, SendError>) {
        match self.remove(frame.request) {
            Some(waiter) => waiter.complete(frame, passed),
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
    // In both: the caller may have given up a moment ago.

    fn complete(self, frame: &Frame, passed: Result<Passed, SendError>) {
        match self {
            Self::Local(caller) => drop(caller.send(outcome(frame, passed))),
            Self::Seek(seeker) => drop(seeker.send(sought(frame))),
        }
    }

    fn fail(self, error: SendError) {
        match self {
            Self::Local(caller) => drop(caller.send(Outcome::Undelivered(error))),
            Self::Seek(seeker) => drop(seeker.send(Err(error))),
        }
    }
}

fn outcome(frame: &Frame, passed: Result<Passed, SendError>) -> Outcome {
    let wire = |passed| {
        let bytes = frame.body.clone();
        Payload::Wire(frame.codec, Body { bytes, passed })
    };
    match (frame.kind, passed) {
        (Kind::Reply, Ok(passed)) => Outcome::Reply(wire(passed)),
        (Kind::Failure, Ok(passed)) => Outcome::Failure(wire(passed)),
        (_, Ok(_)) => Outcome::Undelivered(error(frame)),
        (_, Err(error)) => Outcome::Undelivered(error),
    }
}

fn sought(frame: &Frame) -> Result<Sought, SendError> {
    match frame.kind {
        Kind::Peer => Ok(Sought {
            place: frame.place,
            task: frame.task,
            has_descriptor: frame.descriptors > 0,
        }),
        _ => Err(error(frame)),
    }
}

/// The error that an answer carries; that of an answer that does not fit its ask is the codec's.
fn error(frame: &Frame) -> SendError {
    match frame.kind {
        Kind::Undelivered => payload::decode(Codec::Postcard, &frame.body).unwrap_or_else(|e| e),
        other => SendError::codec(format_args!(
            "a frame of kind {other:?} answers no such ask"
        )),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn nothing() -> Result<Passed, SendError> {
        Ok(Passed::default())
    }

    fn seeker(pending: &Pending) -> (u64, oneshot::Receiver<Result<Sought, SendError>>) {
        let (sender, receiver) = oneshot::channel();
        (
            pending.insert(PendingReply::Seek(sender)).unwrap(),
            receiver,
        )
    }

    fn answer(request: u64, kind: Kind, body: Bytes) -> Frame {
        Frame {
            request,
            place: 4,
            task: 9,
            descriptors: 1,
            ..Frame::new(kind, body)
        }
    }

    #[tokio::test]
    async fn a_seek_is_answered_by_a_peer_or_an_error() {
        let pending = Pending::default();
        let (request, found) = seeker(&pending);
        pending.complete(&answer(request, Kind::Peer, Bytes::new()), nothing());
        let expected = Sought {
            place: 4,
            task: 9,
            has_descriptor: true,
        };
        assert_eq!(found.await.unwrap(), Ok(expected));

        let (request, lost) = seeker(&pending);
        let unknown = SendError::UnknownActor {
            target: "nobody".to_owned(),
        };
        let body = payload::encode(Codec::Postcard, &unknown).unwrap();
        pending.complete(&answer(request, Kind::Undelivered, body), nothing());
        assert_eq!(lost.await.unwrap(), Err(unknown));
        assert!(pending.is_empty());
    }

    #[tokio::test]
    async fn an_answer_of_the_wrong_kind_is_an_error_to_either() {
        let pending = Pending::default();
        let (request, seeking) = seeker(&pending);
        pending.complete(&answer(request, Kind::Reply, Bytes::new()), nothing());
        assert!(matches!(
            seeking.await.unwrap(),
            Err(SendError::Codec { .. })
        ));
        let (sender, caller) = oneshot::channel();
        let request = pending.insert(PendingReply::Local(sender)).unwrap();
        pending.complete(&answer(request, Kind::Peer, Bytes::new()), nothing());
        let outcome = caller.await.unwrap();
        assert!(matches!(
            outcome,
            Outcome::Undelivered(SendError::Codec { .. })
        ));
    }

    #[tokio::test]
    async fn the_end_answers_all() {
        let pending = Pending::default();
        let (_, seeking) = seeker(&pending);
        pending.fail_all(&Cause::Stopped);
        let cause = Cause::Stopped;
        assert_eq!(seeking.await.unwrap(), Err(SendError::ActorDied { cause }));
    }
}
