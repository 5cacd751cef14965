//! A link as its users hold it.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use pulsar_model::{Cause, SendError};
use pulsar_wire::{Aid, Codec, CommandBody, Frame, Kind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::time::Instant;

use crate::outbox::{Outbox, PushError};
use crate::payload;
use crate::pending::{Pending, PendingReply};

/// One end of the connection to another process.
#[derive(Debug)]
pub struct Link {
    /// The actor whose process is at the other end. Who speaks on the link is this one, whatever
    /// it claims.
    peer: Aid,
    pub(crate) outbox: Outbox,
    pending: Pending,
    /// The other side lets too much gather.
    given_up: AtomicBool,
    /// How the other side ended, once that is known.
    cause: OnceLock<Cause>,
}

/// Whom an ask on a link is for.
#[derive(Clone, Copy, Debug)]
pub enum Address<'a> {
    /// This actor.
    Aid(Aid),
    /// Whoever has this name; the other side knows.
    Name(&'a str),
}

/// An ask, encoded but for its number.
#[derive(Debug)]
pub struct AskBody {
    frame: Frame,
}

impl AskBody {
    /// An ask for `command`, its arguments in `codec`. Past the deadline it is not run.
    ///
    /// # Errors
    ///
    /// [`SendError::Codec`] if a name is too long for a frame.
    pub fn new(
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
    /// This end of a link to the process of `peer`.
    pub fn new(peer: Aid) -> Self {
        Self {
            peer,
            outbox: Outbox::default(),
            pending: Pending::default(),
            given_up: AtomicBool::new(false),
            cause: OnceLock::new(),
        }
    }

    /// Sends an ask on its way; its number, by which its caller may take it back.
    ///
    /// # Errors
    ///
    /// If it was not sent; then nothing is left of it.
    pub fn ask(&self, ask: AskBody, reply: PendingReply) -> Result<u64, SendError> {
        self.pass_ask(ask.frame, reply)
    }

    /// Sends a command that nobody waits for.
    ///
    /// # Errors
    ///
    /// If it was not sent.
    pub fn tell(&self, ask: AskBody) -> Result<(), SendError> {
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
    pub fn pass_ask(&self, frame: Frame, reply: PendingReply) -> Result<u64, SendError> {
        let request = self.pending.insert(reply)?;
        let frame = Frame { request, ..frame };
        match self.outbox.push_ask(&frame) {
            Ok(()) => Ok(request),
            Err(error) => {
                // If the link's end has found the entry, its caller has an answer already; this
                // error is then the same answer once more, and a relay must not pass it on.
                match self.pending.remove(request) {
                    true => Err(self.push_error(error)),
                    false => Ok(request),
                }
            }
        }
    }

    /// Answers an ask that came over this link: with a reply or a failure, encoded in `codec`,
    /// or with the reason why there is none.
    pub fn answer(&self, request: u64, codec: Codec, answer: Result<(Kind, Bytes), SendError>) {
        match answer {
            Ok((kind, body)) => self.pass_reply(Frame {
                codec,
                request,
                ..Frame::new(kind, body)
            }),
            Err(error) => self.undelivered(request, &error),
        }
    }

    /// A reply came: gives it to whom it belongs. One that nobody waits for is dropped and
    /// counted.
    pub fn reply_came(&self, frame: Frame) {
        self.pending.complete(frame);
    }

    /// Takes an ask back: its caller has given up.
    pub fn take_back(&self, request: u64) {
        // It may have been answered meanwhile.
        let _ = self.pending.remove(request);
    }

    /// The actor whose process is at the other end.
    pub fn peer(&self) -> Aid {
        self.peer
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Writes what waits, by itself, until all is written or `deadline`: for a process that has
    /// no loop any more. `descriptor` is this end of the link.
    ///
    /// # Errors
    ///
    /// The system's; `TimedOut` if the other side does not read.
    pub fn flush_blocking(
        &self,
        descriptor: BorrowedFd<'_>,
        deadline: std::time::Instant,
    ) -> io::Result<()> {
        while !self.outbox.is_empty() {
            let write = |bytes: &[u8]| Ok(rustix::io::write(descriptor, bytes)?);
            match self.outbox.write_with(write) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    written?;
                    continue;
                }
            }
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut writable = [PollFd::new(&descriptor, PollFlags::OUT)];
            poll(
                &mut writable,
                Some(&Timespec::try_from(left).map_err(io::Error::other)?),
            )?;
        }
        Ok(())
    }

    /// Sends nothing more; what waits is still written, and then the link ends.
    pub fn close(&self) {
        self.outbox.close();
    }

    /// Sends a reply that is a frame already. One that is too large becomes an error; one to a
    /// peer that is gone is dropped.
    pub fn pass_reply(&self, frame: Frame) {
        if let Err(PushError::Refused(error)) = self.outbox.push_reply(&frame) {
            self.undelivered(frame.request, &error);
        }
    }

    /// Answers an ask that was not run to its end.
    pub fn undelivered(&self, request: u64, error: &SendError) {
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
    pub fn send_system(&self, frame: Frame) {
        if let Err(PushError::Refused(error)) = self.outbox.push_reply(&frame) {
            tracing::error!(peer = %self.peer, %error, "link is given up: its peer does not read");
            self.given_up.store(true, Ordering::Relaxed);
            self.outbox.close();
        }
    }

    /// Sends a plain frame of this kind.
    pub fn send_plain(&self, kind: Kind) {
        self.send_system(Frame::new(kind, Bytes::new()));
    }

    /// The other side has ended by `cause`: nothing more is sent, and all that waits is answered.
    ///
    /// In this order: who finds the outbox closed finds the cause, and an ask that was entered
    /// before the outbox closed is found by `fail_all`, or finds it closed when it is pushed.
    pub fn end(&self, cause: &Cause) {
        let _ = self.cause.set(cause.clone());
        self.outbox.close();
        self.outbox.discard();
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
