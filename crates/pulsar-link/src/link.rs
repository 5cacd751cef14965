//! A link as its users hold it.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use pulsar_loop::runtime::{Awaited, Listing};
use pulsar_model::{Cause, SendError};
use pulsar_sys::descriptors::{MAX_DESCRIPTORS, send_with_descriptors};
use pulsar_wire::{Aid, Codec, Frame, FrameView, Header, Incarnation, Kind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::changes::Changes;
use crate::credit::Credits;
use crate::outbox::{Outbox, PushError};
use crate::passed::Passed;
use crate::payload::{self, Outcome};
use crate::pending::Pending;
use crate::queue::{Waits, refused};
use crate::reading::ReadingPlace;
use crate::receipt::Withheld;
use crate::retire::Retirement;
use crate::rings::Rings;
use crate::signal::send_signal;
use crate::{Body, Draft};

/// One end of the connection to another process.
#[derive(Debug)]
pub struct Link {
    /// The actor whose process is at the other end. Who speaks on the link is this one, whatever
    /// it claims.
    peer: Aid,
    /// The life of that process, on a direct link.
    incarnation: Option<Incarnation>,
    pub(crate) outbox: Outbox,
    pub(crate) pending: Pending,
    /// Those who wait for replies are looked after.
    listing: Listing,
    /// For what is sent from here.
    pub(crate) credits: Credits,
    /// For what came from there.
    pub(crate) withheld: Withheld,
    pub(crate) retirement: Retirement,
    pub(crate) rings: Rings,
    pub(crate) reading: ReadingPlace,
    /// The other side lets too much gather.
    given_up: AtomicBool,
    /// How the other side ended, by the arbiter's word.
    pub(crate) verdict: OnceLock<Cause>,
    /// How the other side ended, once this link has ended too.
    cause: OnceLock<Cause>,
    /// Told of each step of the retirement, of the verdict and of the end.
    pub(crate) changes: Changes,
    /// Those that came over it and wait here to be read.
    pub(crate) descriptors_here: AtomicUsize,
    /// When it was last used, by the clock of all links of this process.
    used: AtomicU64,
}

impl Awaited for Link {
    fn listing(&self) -> &Listing {
        &self.listing
    }

    fn wake_all(&self) {
        self.pending.wake_callers();
    }
}

/// How long one without a loop waits before it looks again whether a full ring has room.
const ROOM_NAP: std::time::Duration = std::time::Duration::from_millis(1);

/// Rises with the uses of links.
static CLOCK: AtomicU64 = AtomicU64::new(1);

impl Link {
    /// This end of a link between the arbiter and a child; `peer` is the other.
    pub fn new(peer: Aid) -> Self {
        Self {
            peer,
            incarnation: None,
            outbox: Outbox::default(),
            pending: Pending::default(),
            listing: Listing::default(),
            credits: Credits::default(),
            withheld: Withheld::default(),
            retirement: Retirement::default(),
            rings: Rings::default(),
            reading: ReadingPlace::default(),
            given_up: AtomicBool::new(false),
            verdict: OnceLock::new(),
            cause: OnceLock::new(),
            changes: Changes::default(),
            descriptors_here: AtomicUsize::new(0),
            used: AtomicU64::new(0),
        }
    }

    /// This end of a direct link to another child: the process of `peer`, in this life.
    pub fn direct(peer: Aid, incarnation: Incarnation) -> Self {
        Self {
            incarnation: Some(incarnation),
            ..Self::new(peer)
        }
    }

    /// Answers an ask that came over this link: with a reply or a failure, encoded in `codec`,
    /// or with the reason why there is none. A reply that is too large becomes an error; one to a
    /// peer that is gone is dropped. Each ask is answered once.
    pub fn answer(&self, request: u64, codec: Codec, answer: Result<(Kind, Body), SendError>) {
        match answer {
            Ok((kind, Body { bytes, passed })) => {
                let frame = Frame {
                    codec,
                    request,
                    descriptors: passed.count(),
                    ..Frame::new(kind, bytes)
                };
                self.reply_pushed(request, self.outbox.push_reply(&frame, &passed));
            }
            Err(error) => self.undelivered(request, &error),
        }
    }

    /// The same with a reply or a failure as its draft stands.
    pub fn answer_draft(&self, request: u64, kind: Kind, mut draft: Draft) {
        let codec = draft.codec();
        if !draft.is_plain() {
            return self.answer(request, codec, Ok((kind, draft.into_body())));
        }
        let header = Header {
            codec,
            request,
            ..Header::new(kind)
        };
        let frame = draft.frame(&header).map_err(refused);
        let pushed = frame.and_then(|frame| self.outbox.push_encoded_reply(frame));
        self.reply_pushed(request, pushed);
    }

    fn reply_pushed(&self, request: u64, pushed: Result<(), PushError>) {
        match pushed {
            Ok(()) | Err(PushError::Closed) => self.answered(request),
            Err(error) => self.undelivered(request, &self.refusal(error)),
        }
    }

    /// Answers an ask that was not run to its end. Each ask is answered once.
    pub fn undelivered(&self, request: u64, error: &SendError) {
        self.send_undelivered(request, error);
        self.answered(request);
    }

    /// A reply came, with these descriptors: gives it to whom it belongs. One that nobody waits for is
    /// dropped and counted.
    pub fn reply_came(self: &Arc<Self>, frame: Frame, descriptors: Vec<OwnedFd>) {
        let passed = match frame.kind {
            Kind::Reply | Kind::Failure => self.admit(&frame, descriptors, &mut None),
            _ => Ok(Passed::default()),
        };
        self.pending.complete(&frame, passed);
        self.try_finish();
    }

    /// A reply or a failure came without descriptors, and lies still where it was read. False, and nothing has been done, if
    /// it is not small: then it is to come as other frames do.
    pub fn take_in_reply(&self, frame: &FrameView<'_>) -> bool {
        let is_taken = self.pending.complete_small(frame);
        if is_taken {
            self.try_finish();
        }
        is_taken
    }

    /// What the ask of this number came to, once it is there; `None` if there is none, as it was told before.
    pub fn poll_reply(&self, request: u64, task: &mut Context<'_>) -> Poll<Option<Outcome>> {
        self.pending.poll(request, task)
    }

    /// Takes an ask back: its caller has given up.
    pub fn take_back(&self, request: u64) {
        // It may have been answered meanwhile.
        let _ = self.pending.remove(request);
        self.try_finish();
    }

    /// A frame of credit came.
    ///
    /// # Errors
    ///
    /// Why the peer is not to be trusted: it returned what it was not given.
    pub fn credit_came(&self, frame: &Frame) -> Result<(), String> {
        self.credits.came(frame)
    }

    /// The actor whose process is at the other end.
    pub fn peer(&self) -> Aid {
        self.peer
    }

    /// The life of the process at the other end, on a direct link.
    pub fn incarnation(&self) -> Option<Incarnation> {
        self.incarnation
    }

    /// Sends nothing more; what waits is still written, and then the link ends.
    pub fn close(&self) {
        self.outbox.close();
        self.credits.close();
    }

    /// The other side has ended by `cause`: nothing more is sent, and all that waits is answered.
    ///
    /// In this order: who finds the outbox closed, or is sent away from its wait for credit, finds
    /// the cause, and an ask that was entered before the outbox closed is found by `fail_all`, or
    /// finds it closed when it is pushed.
    pub fn end(&self, cause: &Cause) {
        let _ = self.cause.set(cause.clone());
        self.close();
        self.outbox.discard();
        self.pending.fail_all(cause);
        self.changes.announce();
    }

    /// Sends a frame of the runtime's own. To a peer that is gone it is dropped; a peer that has
    /// let too much gather is given up.
    pub fn send_system(&self, frame: Frame) {
        self.send_with_descriptors(frame, Vec::new());
    }

    /// Sends a frame of the runtime's own, and with it these descriptors, which are closed here
    /// when they have left or cannot any more. How many they are is entered into the frame.
    ///
    /// # Panics
    ///
    /// If there are more than [`MAX_DESCRIPTORS`].
    pub fn send_with_descriptors(&self, frame: Frame, descriptors: Vec<OwnedFd>) {
        let count = u8::try_from(descriptors.len()).unwrap_or(u8::MAX);
        assert!(
            usize::from(count) <= MAX_DESCRIPTORS,
            "a frame carries at most {MAX_DESCRIPTORS} descriptors"
        );
        let frame = Frame {
            descriptors: count,
            ..frame
        };
        self.give_up_on(self.outbox.push_system(&frame, &descriptors.into()));
    }

    /// Sends a plain frame of this kind.
    pub fn send_plain(&self, kind: Kind) {
        self.send_system(Frame::new(kind, Bytes::new()));
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
        loop {
            match self.write_blocking(descriptor)? {
                Waits::Nothing => return Ok(()),
                Waits::Socket | Waits::Room => {}
            }
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if self.outbox.waits() == Waits::Room {
                // No loop is there to be woken.
                std::thread::sleep(left.min(ROOM_NAP));
                continue;
            }
            let mut writable = [PollFd::new(&descriptor, PollFlags::OUT)];
            poll(
                &mut writable,
                Some(&Timespec::try_from(left).map_err(io::Error::other)?),
            )?;
        }
    }

    /// Writes what waits, as far as there is room.
    fn write_blocking(&self, descriptor: BorrowedFd<'_>) -> io::Result<Waits> {
        while self.outbox.has_bytes_for_socket() {
            let write = |bytes: &[u8], passed: &[BorrowedFd<'_>]| match passed {
                [] => Ok(rustix::io::write(descriptor, bytes)?),
                passed => send_with_descriptors(descriptor, bytes, passed),
            };
            match self.outbox.write_with(write) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Waits::Socket);
                }
                written => written?,
            };
        }
        let send = |signal, passed: &[BorrowedFd<'_>]| send_signal(descriptor, signal, passed);
        match self.outbox.is_on_ring() {
            true => self.outbox.forward_with(send),
            false => Ok(Waits::Nothing),
        }
    }

    /// Something of the user's goes over it, one way or the other.
    pub fn touch(&self) {
        // Which of two uses at once was the later one is of no matter: so it need not be counted in one step, which takes
        // longer.
        let now = CLOCK.load(Ordering::Relaxed) + 1;
        CLOCK.store(now, Ordering::Relaxed);
        self.used.store(now, Ordering::Relaxed);
    }

    /// True if it is for new messages: neither side retires it, and the other has not ended.
    pub fn is_in_use(&self) -> bool {
        !self.is_retiring() && !self.has_verdict() && !self.has_ended() && !self.outbox.is_closed()
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Descriptors of the runtime's own that wait to be sent.
    pub fn descriptors_waiting(&self) -> usize {
        self.outbox.descriptors()
    }

    /// Replies that came and that nobody waited for any more.
    pub fn stray_replies(&self) -> u64 {
        self.pending.strays()
    }

    /// True for a link between two children, which the arbiter has brokered.
    pub fn is_direct(&self) -> bool {
        self.incarnation.is_some()
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.cause.get().is_some()
    }

    /// What a message ends with that finds the link closed.
    pub(crate) fn died(&self) -> SendError {
        SendError::ActorDied {
            cause: self.cause.get().cloned().unwrap_or(Cause::Unknown),
        }
    }

    /// What a system frame's push came to: a peer that has let too much gather is given up.
    pub(crate) fn give_up_on(&self, pushed: Result<(), PushError>) {
        match pushed {
            Ok(()) | Err(PushError::Closed) => {}
            Err(error) => {
                let error = self.refusal(error);
                tracing::error!(peer = %self.peer, %error, "link is given up: its peer does not read");
                self.given_up.store(true, Ordering::Relaxed);
                self.close();
            }
        }
    }

    fn send_undelivered(&self, request: u64, error: &SendError) {
        if request == 0 {
            return;
        }
        let body = payload::encode(Codec::Postcard, error).unwrap_or_default();
        self.send_system(Frame {
            request,
            ..Frame::new(Kind::Undelivered, body)
        });
    }
}
