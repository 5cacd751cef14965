//! Moves bytes between a link's socket and rings, its outbox and its handler.

use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use pulsar_loop::runtime::Lender;
use pulsar_ring::Corrupt;
use pulsar_sys::descriptors::send_with_descriptors;
use pulsar_wire::{Frame, FrameError, FrameView, Kind};

use crate::Link;
use crate::inbox::{Inbox, is_gone};
use crate::poller::{Look, Poller};
use crate::queue::Waits;
use crate::reading::Reading;
use crate::ring_inbox::{Progress, RingInbox};
use crate::rings::{Agreement, Inbound, carries_memory, is_own, seats_came};
use crate::signal::send_signal;
use crate::socket::Socket;

/// Frames handled before others on the loop get their turn.
pub(crate) const BATCH_FRAMES: usize = 64;

/// Turns in a row, or replies that are read in a row, of which others on the loop get nothing, before they get theirs.
pub(crate) const MOST_IN_A_ROW: u32 = 16;

/// What is done with what comes.
pub trait LinkHandler: Send + Sync + 'static {
    /// A frame came, with as many descriptors as it says, or with none if they were lost on the
    /// way. It must not wait: all other traffic of the link is behind it.
    ///
    /// # Errors
    ///
    /// Why the peer is not to be trusted any further; the link is closed.
    fn frame_came(
        &self,
        link: &Arc<Link>,
        frame: Frame,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), String>;

    /// A command, a reply or a failure came without descriptors, and lies still where it was read. It must not wait either.
    /// The credit of a command that it takes in or runs is given back by the pump.
    fn take_in(&self, _link: &Arc<Link>, _frame: &FrameView<'_>) -> Intake {
        Intake::Left
    }

    /// True if the peer may pass descriptors with frames of this kind. What it passes with others closes the
    /// link.
    fn takes_descriptors(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Ask | Kind::Tell | Kind::Reply | Kind::Failure)
    }
}

/// What has become of a frame that was offered from where it lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intake {
    /// It is to come as other frames do: nothing has been done.
    Left,
    /// It waits for its turn.
    TakenIn,
    /// It has been run.
    Run,
}

/// What was read from a link before its pump ran.
#[derive(Debug, Default)]
pub struct Begun {
    /// The bytes that follow the last frame that was handled.
    pub bytes: BytesMut,
    /// The descriptors that came and belong to frames in those bytes or behind them, in order.
    pub descriptors: Vec<OwnedFd>,
    /// Reads whose descriptors this process had no room for, before those that came.
    pub lost: usize,
}

/// Why a link came to its end.
#[derive(Debug, thiserror::Error)]
pub enum CloseReason {
    /// The peer closed it, or is gone.
    #[error("the peer closed the link")]
    PeerClosed,
    /// This side closed it.
    #[error("this side closed the link")]
    Closed,
    /// The socket failed.
    #[error("link failed: {0}")]
    Io(#[from] std::io::Error),
    /// The peer sent what is no frame.
    #[error("link closed: the peer sent garbage: {0}")]
    Frame(#[from] FrameError),
    /// The peer has stored in the rings' memory what cannot be.
    #[error("link closed: {0}")]
    Ring(#[from] Corrupt),
    /// The handler does not trust the peer any further.
    #[error("link closed: {0}")]
    Untrusted(String),
}

/// Runs until the link ends. All that the peer had sent before its end is handled first: the
/// end of the stream comes after its last byte, and the rings are read to their end then. The stream, which
/// does not block, is closed with it.
pub async fn pump(
    link: &Arc<Link>,
    stream: UnixStream,
    begun: Begun,
    handler: &dyn LinkHandler,
) -> CloseReason {
    let socket = match Socket::new(stream) {
        Ok(socket) => Arc::new(socket),
        Err(error) => return error.into(),
    };
    let reader = Reader {
        link,
        socket: &socket,
        handler,
        agreement: Agreement::default(),
    };
    let _ring = LeavesRing(link);
    match run(reader, begun).await {
        Ok(()) => CloseReason::Closed,
        Err(reason) => reason,
    }
}

/// Lets go of the rings' memory at the pump's end, also if it is dropped before.
struct LeavesRing<'a>(&'a Link);

impl Drop for LeavesRing<'_> {
    fn drop(&mut self) {
        self.0.outbox.leave_ring();
    }
}

/// Who reads, and what is done with frames.
pub(crate) struct Reader<'a> {
    pub(crate) link: &'a Arc<Link>,
    pub(crate) socket: &'a Arc<Socket>,
    handler: &'a dyn LinkHandler,
    agreement: Agreement,
}

impl Reader<'_> {
    pub(crate) fn takes_descriptors(&self, kind: Kind) -> bool {
        carries_memory(kind) || self.handler.takes_descriptors(kind)
    }

    /// Offers a frame that lies still where it was read.
    pub(crate) fn offer(&self, frame: &FrameView<'_>) -> Intake {
        let header = &frame.header;
        let is_fit = match header.kind {
            Kind::Ask | Kind::Tell => !self.link.is_retired_by_peer(),
            Kind::Reply | Kind::Failure => true,
            _ => false,
        };
        if !is_fit || header.descriptors != 0 {
            return Intake::Left;
        }
        let is_ask = header.kind == Kind::Ask && header.request != 0;
        if is_ask {
            self.link.ask_came();
        }
        let intake = self.handler.take_in(self.link, frame);
        if is_ask && intake == Intake::Left {
            self.link.ask_comes_again();
        }
        intake
    }

    /// Handles one frame. The ring to read from, if this was the last one that comes over the socket.
    pub(crate) fn handle(
        &mut self,
        frame: Frame,
        descriptors: Vec<OwnedFd>,
    ) -> Result<Option<Inbound>, CloseReason> {
        let handled = match is_own(frame.kind) {
            false => note_ask(self.link, &frame).and_then(|()| {
                let handled = self.handler.frame_came(self.link, frame, descriptors);
                handled.map(|()| None)
            }),
            true if frame.kind == Kind::Seats => {
                seats_came(self.link, &frame, &descriptors).map(|()| None)
            }
            true => {
                let (link, socket) = (self.link, self.socket);
                self.agreement
                    .frame_came(link, socket, &frame, &descriptors)
            }
        };
        handled.map_err(CloseReason::Untrusted)
    }

    /// Writes what waits, as far as the socket and the ring take it. What the rest waits for, or nothing
    /// if the link is closed and all has left.
    fn flush(&self) -> Result<Option<Waits>, CloseReason> {
        if self.link.is_given_up() {
            let reason = "it does not read what is sent to it".to_owned();
            return Err(CloseReason::Untrusted(reason));
        }
        // Before the look at what waits: nothing is pushed once it is closed.
        let closed = self.link.outbox.is_closed();
        let waits = match flush(self.link, self.socket) {
            // The peer is gone. What waits has no reader any more, but what the peer had sent
            // has: the reads that follow end at the end of the stream.
            Err(error) if is_gone(&error) => {
                self.link.outbox.discard();
                Waits::Nothing
            }
            flushed => flushed?,
        };
        if let Some(corrupt) = self.link.outbox.fault() {
            return Err(corrupt.into());
        }
        Ok((!closed || waits != Waits::Nothing).then_some(waits))
    }
}

async fn run(mut reader: Reader<'_>, begun: Begun) -> Result<(), CloseReason> {
    let mut inbox = Inbox::new(begun);
    let mut ring = inbox.dispatch(&mut reader).await?;
    while ring.is_none() {
        reader.agreement.offer(reader.link);
        // Taken first: what is pushed from here on is seen the next time.
        reader.link.outbox.takes_attention();
        let Some(waits) = reader.flush()? else {
            return Ok(());
        };
        tokio::select! {
            ready = reader.socket.ready(waits) => {
                if ready? {
                    inbox.read(reader.socket)?;
                    ring = inbox.dispatch(&mut reader).await?;
                }
            }
            () = reader.link.outbox.filled() => {}
        }
    }
    match ring {
        Some(ring) => run_ring(reader, ring).await,
        None => Ok(()),
    }
}

async fn run_ring(mut reader: Reader<'_>, ring: RingInbox) -> Result<(), CloseReason> {
    let (link, socket) = (reader.link, reader.socket);
    let reading = Reading::new(ring, Poller::new(link.rings.poll()), socket);
    let mut reading = Lender::new(&link.reading.lending, reading);
    // The first time there may be something that was pushed before.
    let mut waits = Waits::Socket;
    let mut in_a_row = 0;
    while let Some(here) = reading.take_back() {
        link.outbox.turns();
        if link.outbox.takes_attention() || waits != Waits::Nothing {
            waits = match reader.flush()? {
                Some(waits) => waits,
                None => return Ok(()),
            };
        }
        // Those who are several are woken together, and so do not look each for its own reply.
        let few_wait = link.pending.asks() <= 1;
        let next = match turn(&mut reader, here, waits, &mut in_a_row) {
            Err(CloseReason::PeerClosed) => return Err(read_out(&mut reader, &mut here.ring).await),
            next => next?,
        };
        match next {
            Next::GoOn => {}
            // Which lets the loop look at its sockets and timers.
            Next::Yield => tokio::task::yield_now().await,
            Next::ComeBack => {
                let may_look = few_wait && waits == Waits::Nothing;
                link.reading.allow(may_look);
                if may_look {
                    here.others_have_their_turn();
                    reading.lend();
                }
                come_back().await;
                link.reading.allow(false);
            }
            Next::Sleep => sleep(&reader, &mut here.ring, &mut here.poller, waits).await?,
        }
    }
    Ok(())
}

/// What follows a turn of the pump.
enum Next {
    /// The next one, straight away.
    GoOn,
    /// The others on the loop have theirs, and the loop looks at its sockets and timers.
    Yield,
    /// The others on the loop have theirs.
    ComeBack,
    /// It sleeps until it is woken.
    Sleep,
}

/// Handles what there is to read, and looks for more.
fn turn(
    reader: &mut Reader<'_>,
    Reading { ring, poller, .. }: &mut Reading,
    waits: Waits,
    in_a_row: &mut u32,
) -> Result<Next, CloseReason> {
    ring.hear(reader.socket)?;
    poller.publish_core(&ring.sleeper);
    if *in_a_row == 0 {
        ring.begin_slice();
    }
    let (mut progress, mut look) = (ring.turn(reader)?, Look::Found);
    if progress == Progress::Nothing {
        // What waits for room is to go on as soon as there is some.
        look = poller.look(ring, waits != Waits::Nothing);
        if look == Look::Found {
            // Straight away: whoever sent it waits.
            progress = ring.turn(reader)?;
        }
    }
    if progress != Progress::Nothing {
        poller.renew();
    }
    // Nobody else has anything of what was run: whoever sent it may send the next soon.
    let goes_on = progress == Progress::Run && *in_a_row < MOST_IN_A_ROW;
    *in_a_row = match goes_on {
        true => *in_a_row + 1,
        false => 0,
    };
    Ok(match (progress, look) {
        _ if goes_on => Next::GoOn,
        (Progress::Batch, _) => Next::Yield,
        // Those to whom it was handed have their turn.
        (Progress::Some | Progress::Run, _) | (Progress::Nothing, Look::ComeBack) => Next::ComeBack,
        (Progress::Nothing, Look::Found) => Next::GoOn,
        (Progress::Nothing, Look::Sleep) => Next::Sleep,
    })
}

/// Lets the other tasks of the loop run. Cheaper than `yield_now`, which has the loop look at its
/// sockets each time.
async fn come_back() {
    let mut has_been = false;
    std::future::poll_fn(|context| match std::mem::replace(&mut has_been, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// Sleeps until there is something to read, or to write and room for it, or a signal.
async fn sleep(
    reader: &Reader<'_>,
    ring: &mut RingInbox,
    poller: &mut Poller,
    waits: Waits,
) -> Result<(), CloseReason> {
    let outbox = &reader.link.outbox;
    let needs_room = waits == Waits::Room;
    ring.shrink();
    outbox.shrink();
    ring.sleeper.arm(needs_room);
    // The second look: what came before the word was heard rings no bell.
    if ring.has_more()? || (needs_room && outbox.has_half_room()) {
        ring.sleeper.disarm();
        return Ok(());
    }
    outbox.dozes(true);
    tokio::select! {
        ready = reader.socket.ready(waits) => drop(ready?),
        () = outbox.filled() => poller.expect_reply(),
    }
    outbox.dozes(false);
    ring.sleeper.disarm();
    Ok(())
}

/// The other side is gone: handles what it had sent.
async fn read_out(reader: &mut Reader<'_>, ring: &mut RingInbox) -> CloseReason {
    ring.end_came();
    loop {
        ring.begin_slice();
        match ring.turn(reader) {
            Ok(Progress::Nothing) => return CloseReason::PeerClosed,
            Ok(Progress::Some | Progress::Run | Progress::Batch) => tokio::task::yield_now().await,
            Err(reason) => return reason,
        }
    }
}

/// Writes what waits: first what goes to the socket, then what goes into the ring.
fn flush(link: &Link, socket: &Socket) -> std::io::Result<Waits> {
    while link.outbox.has_bytes_for_socket() {
        let written = link
            .outbox
            .write_with(|bytes, passed| send_with_descriptors(socket.as_fd(), bytes, passed));
        match written {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Waits::Socket),
            written => written?,
        };
    }
    if !link.outbox.is_on_ring() {
        return Ok(Waits::Nothing);
    }
    link.outbox
        .forward_with(|signal, passed| send_signal(socket.as_fd(), signal, passed))
}

/// Counts an ask, before it can be answered. On a link that the peer has retired there are none.
fn note_ask(link: &Link, frame: &Frame) -> Result<(), String> {
    let is_command = matches!(frame.kind, Kind::Ask | Kind::Tell);
    if is_command && link.is_retired_by_peer() {
        return Err("it asks over a link that it has retired".to_owned());
    }
    if matches!(frame.kind, Kind::Ask | Kind::Seek) && frame.request != 0 {
        link.ask_came();
    }
    Ok(())
}
