//! Where a reply goes.

use std::sync::Arc;

use pulsar_link::payload::{Outcome, Payload};
use pulsar_link::{Body, Draft, Link};
use pulsar_model::{Cause, SendError};
use pulsar_wire::{Codec, Kind};
use tokio::sync::oneshot;

/// Where the outcome of an ask goes. Dropped unused, it says that the actor died: no ask is left
/// without an answer, however its message came to its end.
#[derive(Debug)]
pub struct ReplyTo(Option<Waiter>);

#[derive(Debug)]
enum Waiter {
    /// A caller in this process.
    Local(oneshot::Sender<Outcome>),
    /// A caller behind a link.
    Link {
        link: Arc<Link>,
        request: u64,
        codec: Codec,
    },
}

impl ReplyTo {
    /// Nobody waits.
    pub fn nobody() -> Self {
        Self(None)
    }

    /// True if nobody waits: then no outcome need be written.
    pub fn is_nobody(&self) -> bool {
        self.0.is_none()
    }

    /// A caller in this process.
    pub fn local(caller: oneshot::Sender<Outcome>) -> Self {
        Self(Some(Waiter::Local(caller)))
    }

    /// A caller behind a link, who reads `codec`.
    pub fn link(link: Arc<Link>, request: u64, codec: Codec) -> Self {
        Self(Some(Waiter::Link {
            link,
            request,
            codec,
        }))
    }

    /// Answers. `encode` writes the outcome down where it has to leave the process.
    pub fn send(
        mut self,
        outcome: Outcome,
        encode: impl FnOnce(Outcome, Codec) -> Result<(Kind, Body), SendError>,
    ) {
        match self.0.take() {
            // The caller may have given up: then its reply has nowhere to go.
            Some(Waiter::Local(caller)) => drop(caller.send(outcome)),
            Some(Waiter::Link {
                link,
                request,
                codec,
            }) => link.answer(request, codec, encode(outcome, codec)),
            None => {}
        }
    }

    /// Answers with a reply, or the command's own error, that has been written.
    pub fn answer(mut self, failed: bool, draft: Draft) {
        match self.0.take() {
            Some(Waiter::Local(caller)) => {
                let written = Payload::Wire(draft.codec(), draft.into_body());
                let outcome = match failed {
                    true => Outcome::Failure(written),
                    false => Outcome::Reply(written),
                };
                // As above.
                drop(caller.send(outcome));
            }
            Some(Waiter::Link { link, request, .. }) => {
                let kind = match failed {
                    true => Kind::Failure,
                    false => Kind::Reply,
                };
                link.answer_draft(request, kind, draft);
            }
            None => {}
        }
    }

    /// Answers that the message was not run to its end.
    pub fn refuse(self, error: SendError) {
        self.send(Outcome::Undelivered(error), |outcome, _| match outcome {
            Outcome::Undelivered(error) => Err(error),
            Outcome::Reply(_) | Outcome::Failure(_) => {
                Err(SendError::codec("a refusal is no reply"))
            }
        });
    }

    /// Lets go of it without an answer: the caller gets one from elsewhere.
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        // A local caller learns it from its channel, which closes.
        if let Some(Waiter::Link { link, request, .. }) = self.0.take() {
            let cause = Cause::Unknown;
            link.undelivered(request, &SendError::ActorDied { cause });
        }
    }
}
