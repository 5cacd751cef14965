//! A link as its users hold it.

use std::sync::OnceLock;

use bytes::Bytes;
use pulsar_wire::{Aid, Codec, CommandBody, Frame, Kind};
use tokio::time::Instant;

use super::outbox::{Outbox, PushError};
use super::pending::{Pending, PendingReply};
use crate::command::CommandDef;
use crate::payload::Outcome;
use crate::{Cause, SendError, payload};

/// One end of the connection to another process.
#[derive(Debug)]
pub(crate) struct Link {
    /// The actor whose process is at the other end. Who speaks on the link is this one, whatever
    /// it claims.
    pub(crate) peer: Aid,
    pub(crate) outbox: Outbox,
    pub(crate) pending: Pending,
    /// How the other side ended, once that is known.
    cause: OnceLock<Cause>,
}

/// Whom an ask on a link is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Address<'a> {
    /// This actor.
    Aid(Aid),
    /// Whoever has this name; the other side knows.
    Name(&'a str),
}

/// An ask, encoded but for its number.
#[derive(Debug)]
pub(crate) struct AskBody {
    frame: Frame,
}

impl AskBody {
    /// # Errors
    ///
    /// [`SendError::Codec`] if a name is too long for a frame.
    pub(crate) fn new(
        address: Address<'_>,
        command: &str,
        codec: Codec,
        args: &[u8],
        deadline: Option<Instant>,
    ) -> Result<Self, SendError> {
        let (place, task, name) = match address {
            Address::Aid(aid) => (aid.place(), aid.task(), ""),
            Address::Name(name) => (0, 0, name),
        };
        let body = CommandBody::encode(command, name, args).map_err(SendError::codec)?;
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let frame = Frame {
            codec,
            place,
            task,
            deadline: left,
            ..Frame::new(Kind::Ask, body)
        };
        Ok(Self { frame })
    }
}

impl Link {
    pub(crate) fn new(peer: Aid) -> Self {
        Self {
            peer,
            outbox: Outbox::default(),
            pending: Pending::default(),
            cause: OnceLock::new(),
        }
    }

    /// Sends an ask on its way; its number, by which its caller may take it back.
    ///
    /// # Errors
    ///
    /// If it was not sent; then nothing is left of it.
    pub(crate) fn ask(&self, ask: AskBody, reply: PendingReply) -> Result<u64, SendError> {
        self.pass_ask(ask.frame, reply)
    }

    /// Sends a command that nobody waits for.
    ///
    /// # Errors
    ///
    /// If it was not sent.
    pub(crate) fn tell(&self, ask: AskBody) -> Result<(), SendError> {
        let kind = Kind::Tell;
        let frame = Frame { kind, ..ask.frame };
        self.outbox
            .push_ask(&frame)
            .map_err(|error| self.push_error(error))
    }

    /// Sends an ask that came as a frame.
    ///
    /// The entry is made before the frame leaves, so that no reply can come before it; and if
    /// the link ends between the two, either its end finds the entry or the push finds the end.
    ///
    /// # Errors
    ///
    /// If it was not sent; then nothing is left of it.
    pub(crate) fn pass_ask(&self, frame: Frame, reply: PendingReply) -> Result<u64, SendError> {
        let request = self.pending.insert(reply)?;
        let frame = Frame { request, ..frame };
        match self.outbox.push_ask(&frame) {
            Ok(()) => Ok(request),
            Err(error) => {
                self.pending.remove(request);
                Err(self.push_error(error))
            }
        }
    }

    /// Answers an ask that came over this link.
    pub(crate) fn reply(&self, request: u64, codec: Codec, outcome: Outcome, command: &CommandDef) {
        let encoded = match outcome {
            Outcome::Reply(value) => {
                (command.encode_reply)(value, codec).map(|body| (Kind::Reply, body))
            }
            Outcome::Failure(value) => {
                (command.encode_error)(value, codec).map(|body| (Kind::Failure, body))
            }
            Outcome::Undelivered(error) => Err(error),
        };
        match encoded {
            Ok((kind, body)) => self.pass_reply(Frame {
                codec,
                request,
                ..Frame::new(kind, body)
            }),
            Err(error) => self.undelivered(request, &error),
        }
    }

    /// Sends a reply that is a frame already. One that is too large becomes an error; one to a
    /// peer that is gone is dropped.
    pub(crate) fn pass_reply(&self, frame: Frame) {
        if let Err(PushError::Refused(error)) = self.outbox.push_reply(&frame) {
            self.undelivered(frame.request, &error);
        }
    }

    /// Answers an ask that was not run to its end.
    pub(crate) fn undelivered(&self, request: u64, error: &SendError) {
        if request == 0 {
            return;
        }
        let body = payload::encode(Codec::Postcard, error).unwrap_or_default();
        let frame = Frame {
            request,
            ..Frame::new(Kind::Undelivered, body)
        };
        self.send_system(frame);
    }

    /// Sends a frame of the runtime's own. To a peer that is gone it is dropped; a peer that has
    /// let too much gather is given up.
    pub(crate) fn send_system(&self, frame: Frame) {
        if let Err(PushError::Refused(error)) = self.outbox.push_reply(&frame) {
            tracing::error!(peer = %self.peer, %error, "link is given up: its peer does not read");
            self.outbox.close();
        }
    }

    /// Sends a plain frame of this kind.
    pub(crate) fn send_plain(&self, kind: Kind) {
        self.send_system(Frame::new(kind, Bytes::new()));
    }

    /// The other side has ended by `cause`: nothing more is sent, and all that waits is answered.
    ///
    /// In this order: who finds the outbox closed finds the cause, and an ask that was entered
    /// before the outbox closed is found by `fail_all`, or finds it closed when it is pushed.
    pub(crate) fn end(&self, cause: &Cause) {
        let _ = self.cause.set(cause.clone());
        self.outbox.close();
        self.pending.fail_all(cause);
    }

    fn push_error(&self, error: PushError) -> SendError {
        match error {
            PushError::Closed => SendError::ActorDied {
                cause: self.cause.get().cloned().unwrap_or(Cause::Unknown),
            },
            PushError::Refused(error) => error,
        }
    }
}
