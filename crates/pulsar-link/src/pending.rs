//! The asks that wait for a reply from the other side of a link.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use pulsar_loop::runtime::{Replies, Ticket};
use pulsar_model::{Cause, SendError};
use pulsar_wire::{Codec, Frame, FrameView, Kind};
use tokio::sync::oneshot;

use crate::payload::{self, Outcome, Payload, copy_of_small};
use crate::seek::Sought;
use crate::{Body, Passed, ShortBody};

/// Asks in flight on one link, and those who seek over it. Each costs some hundred bytes; past this many the other side is
/// not keeping up and further ones are refused.
const MAX_PENDING: usize = 1 << 18;
const FULL: SendError = SendError::MailboxFull {
    capacity: MAX_PENDING,
};

/// The numbers of those who seek have this; those of callers are tickets, which do not.
const SEEKS: u64 = 1 << 63;

/// The tables of one link.
#[derive(Debug)]
pub(crate) struct Pending {
    callers: Replies<Outcome>,
    seekers: Mutex<HashMap<u64, Seeker>>,
    next: AtomicU64,
    /// Replies that nobody waited for any more.
    strays: AtomicU64,
}

/// Who seeks the way to an actor. Each takes its entry out when it gives up.
type Seeker = oneshot::Sender<Result<Sought, SendError>>;

impl Default for Pending {
    fn default() -> Self {
        Self {
            callers: Replies::at_most(MAX_PENDING),
            seekers: Mutex::default(),
            next: AtomicU64::default(),
            strays: AtomicU64::default(),
        }
    }
}

impl Pending {
    /// Enters an ask, whose caller is woken so; its number is not 0.
    ///
    /// # Errors
    ///
    /// [`SendError::MailboxFull`] if too many wait.
    pub(crate) fn insert(&self, caller: Option<&Waker>) -> Result<u64, SendError> {
        let ticket = self.callers.open(caller);
        ticket.map(Ticket::number).ok_or(FULL)
    }

    /// Enters one who seeks.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    pub(crate) fn insert_seeker(&self, seeker: Seeker) -> Result<u64, SendError> {
        let request = SEEKS | self.next.fetch_add(1, Ordering::Relaxed);
        let mut seekers = self.seekers.lock();
        if seekers.len() >= MAX_PENDING {
            return Err(FULL);
        }
        seekers.insert(request, seeker);
        Ok(request)
    }

    /// What an ask came to, once it is there; `None` if there is no such ask.
    pub(crate) fn poll(&self, request: u64, task: &mut Context<'_>) -> Poll<Option<Outcome>> {
        self.callers.poll(Ticket::of_number(request), task)
    }

    /// Takes out one that was never sent, or whose caller has given up. False if it was answered before.
    pub(crate) fn remove(&self, request: u64) -> bool {
        match request & SEEKS {
            0 => self.callers.give_up(Ticket::of_number(request)),
            _ => self.seekers.lock().remove(&request).is_some(),
        }
    }

    /// The same, but what was answered stays for its caller.
    pub(crate) fn take_unanswered(&self, request: u64) -> bool {
        self.callers.give_up_unanswered(Ticket::of_number(request))
    }

    /// Has all who wait look at the time.
    pub(crate) fn wake_callers(&self) {
        self.callers.wake_all();
    }

    /// Replies that nobody waited for.
    pub(crate) fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }

    /// How many asks wait for their replies.
    pub(crate) fn asks(&self) -> usize {
        self.callers.waiting()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.asks() == 0 && self.seekers.lock().is_empty()
    }

    /// Gives a reply to whom it belongs, with what came with it. One that nobody waits for is dropped and
    /// counted.
    pub(crate) fn complete(&self, frame: &Frame, passed: Result<Passed, SendError>) {
        let request = frame.request;
        let is_awaited = match request & SEEKS {
            0 => {
                let ticket = Ticket::of_number(request);
                self.callers.give(ticket, outcome(frame, passed))
            }
            _ => {
                let seeker = self.seekers.lock().remove(&request);
                // It may have given up a moment ago.
                seeker
                    .map(|seeker| drop(seeker.send(sought(frame))))
                    .is_some()
            }
        };
        self.given(request, is_awaited);
    }

    /// The same for a small reply or failure that lies still where it was read, with nothing beside it; false if it is none.
    pub(crate) fn complete_small(&self, frame: &FrameView<'_>) -> bool {
        let header = &frame.header;
        if header.request & SEEKS != 0 {
            return false;
        }
        let reply = match ShortBody::of(header.codec, frame.body) {
            Some(short) => Some(Payload::Short(short)),
            None => copy_of_small(frame.body).map(|copy| Payload::Wire(header.codec, copy.into())),
        };
        let outcome = match (header.kind, reply) {
            (Kind::Reply, Some(reply)) => Outcome::Reply(reply),
            (Kind::Failure, Some(failure)) => Outcome::Failure(failure),
            _ => return false,
        };
        let ticket = Ticket::of_number(header.request);
        self.given(header.request, self.callers.give(ticket, outcome));
        true
    }

    fn given(&self, request: u64, is_awaited: bool) {
        if !is_awaited {
            let strays = self.strays.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::debug!(request, strays, "reply to nobody dropped");
        }
    }

    /// Answers all that wait: the other side has ended by `cause`.
    pub(crate) fn fail_all(&self, cause: &Cause) {
        let died = || SendError::ActorDied {
            cause: cause.clone(),
        };
        self.callers.give_all(|| Outcome::Undelivered(died()));
        let seekers = mem::take(&mut *self.seekers.lock());
        for seeker in seekers.into_values() {
            drop(seeker.send(Err(died())));
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
    use std::future::poll_fn;

    use bytes::Bytes;
    use pulsar_wire::Header;

    use super::*;

    fn nothing() -> Result<Passed, SendError> {
        Ok(Passed::default())
    }

    fn seeker(pending: &Pending) -> (u64, oneshot::Receiver<Result<Sought, SendError>>) {
        let (sender, receiver) = oneshot::channel();
        (pending.insert_seeker(sender).unwrap(), receiver)
    }

    #[tokio::test]
    async fn a_small_reply_is_taken_from_where_it_lies_and_nothing_else_is() {
        let pending = Pending::default();
        let request = pending.insert(None).unwrap();
        let (seeking, _receiver) = seeker(&pending);
        let view = |request, kind, body| FrameView {
            header: Header {
                request,
                ..Header::new(kind)
            },
            trace: b"",
            body,
        };
        assert!(!pending.complete_small(&view(request, Kind::Undelivered, b"")));
        assert!(!pending.complete_small(&view(request, Kind::Reply, &[7; 4096])));
        assert!(!pending.complete_small(&view(seeking, Kind::Reply, &[7])));
        assert!(pending.complete_small(&view(request, Kind::Failure, &[7])));
        let outcome = poll_fn(|task| pending.poll(request, task)).await;
        let Some(Outcome::Failure(Payload::Short(body))) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(body.bytes(), [7]);
        // One that is not that short is copied.
        let request = pending.insert(None).unwrap();
        assert!(pending.complete_small(&view(request, Kind::Reply, &[8; 100])));
        let outcome = poll_fn(|task| pending.poll(request, task)).await;
        let Some(Outcome::Reply(Payload::Wire(Codec::Postcard, body))) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(body.bytes[..], [8; 100]);
        // Its caller has it: there is nobody any more.
        assert!(pending.complete_small(&view(request, Kind::Reply, &[7])));
        assert_eq!(pending.strays(), 1);
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
        let request = pending.insert(None).unwrap();
        pending.complete(&answer(request, Kind::Peer, Bytes::new()), nothing());
        let outcome = poll_fn(|task| pending.poll(request, task)).await.unwrap();
        assert!(matches!(
            outcome,
            Outcome::Undelivered(SendError::Codec { .. })
        ));
    }

    #[tokio::test]
    async fn the_end_answers_all() {
        let pending = Pending::default();
        let (_, seeking) = seeker(&pending);
        let asked = pending.insert(None).unwrap();
        pending.fail_all(&Cause::Stopped);
        let cause = Cause::Stopped;
        let died = SendError::ActorDied { cause };
        assert_eq!(seeking.await.unwrap(), Err(died.clone()));
        assert!(!pending.take_unanswered(asked), "its caller has an answer");
        let outcome = poll_fn(|task| pending.poll(asked, task)).await;
        assert!(matches!(outcome, Some(Outcome::Undelivered(error)) if error == died));
    }
}
