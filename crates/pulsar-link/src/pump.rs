//! Moves bytes between a link's socket, its outbox and its handler.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::BytesMut;
use pulsar_sys::descriptors::{MAX_DESCRIPTORS, recv_with_descriptors, send_with_descriptors};
use pulsar_wire::{DESCRIPTORS_LOST, Frame, FrameDecoder, FrameError, Kind, MAX_FRAME_BYTES};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::Link;

/// Room for one read: what a socketpair holds by default, so that one read can empty it.
const READ_BYTES: usize = 64 << 10;
/// Frames handled before others on the loop get their turn.
const BATCH_FRAMES: usize = 64;

thread_local! {
    /// What was read last: one buffer for all links of the thread, since an idle link holds no memory.
    static READ: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

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

    /// True if the peer may pass descriptors with frames of this kind. What it passes with others closes the
    /// link.
    fn takes_descriptors(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Ask | Kind::Tell | Kind::Reply | Kind::Failure)
    }
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
    /// The handler does not trust the peer any further.
    #[error("link closed: {0}")]
    Untrusted(String),
}

/// Runs until the link ends. All that the peer had sent before its end is handled first: the
/// end of the stream comes after its last byte.
pub async fn pump(
    link: &Arc<Link>,
    stream: &UnixStream,
    begun: Begun,
    handler: &dyn LinkHandler,
) -> CloseReason {
    match run(link, stream, begun, handler).await {
        Ok(()) => CloseReason::Closed,
        Err(reason) => reason,
    }
}

async fn run(
    link: &Arc<Link>,
    stream: &UnixStream,
    begun: Begun,
    handler: &dyn LinkHandler,
) -> Result<(), CloseReason> {
    let mut inbox = Inbox {
        bytes: begun.bytes,
        descriptors: begun.descriptors.into(),
        claimed: 0,
        lost: std::iter::repeat_n(0, begun.lost).collect(),
    };
    inbox.dispatch(link, handler).await?;
    loop {
        if link.is_given_up() {
            let reason = "it does not read what is sent to it".to_owned();
            return Err(CloseReason::Untrusted(reason));
        }
        flush(link, stream)?;
        // In this order: nothing is pushed once it is closed.
        let closed = link.outbox.is_closed();
        let waiting = !link.outbox.is_empty();
        if closed && !waiting {
            return Ok(());
        }
        let interest = match waiting {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        tokio::select! {
            ready = stream.ready(interest) => {
                if ready?.is_readable() {
                    inbox.read(stream)?;
                    inbox.dispatch(link, handler).await?;
                }
            }
            () = link.outbox.filled() => {}
        }
    }
}

/// Writes what waits, as far as the socket takes it.
fn flush(link: &Link, stream: &UnixStream) -> Result<(), CloseReason> {
    while !link.outbox.is_empty() {
        let written = link.outbox.write_with(|bytes, descriptors| {
            let send = || send_with_descriptors(stream, bytes, descriptors);
            match descriptors {
                [] => stream.try_write(bytes),
                _ => stream.try_io(Interest::WRITABLE, send),
            }
        });
        match written {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // The peer is gone. What waits has no reader any more, but what the peer had sent
            // has: the reads that follow end at the end of the stream.
            Err(error) if is_gone(&error) => link.outbox.discard(),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn is_gone(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}

/// What has been read and not handled yet.
struct Inbox {
    bytes: BytesMut,
    /// Those that no frame has claimed yet, in order.
    descriptors: VecDeque<OwnedFd>,
    /// How many have been claimed.
    claimed: u64,
    /// Frames whose descriptors came, and found no room in this process: for each, how many had come before. One
    /// read brings those of one frame at most. The number tells such a frame from the next one, whose
    /// descriptors may be there before the end of this one is.
    lost: VecDeque<u64>,
}

impl Inbox {
    fn read(&mut self, stream: &UnixStream) -> Result<(), CloseReason> {
        match self.read_with_descriptors(stream) {
            Ok(0) => Err(CloseReason::PeerClosed),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) if is_gone(&error) => Err(CloseReason::PeerClosed),
            Err(error) => Err(error.into()),
        }
    }

    fn read_with_descriptors(&mut self, stream: &UnixStream) -> std::io::Result<usize> {
        let mut received = Vec::new();
        let read = READ.with_borrow_mut(|buffer| {
            // The system layer writes to bytes that are there already.
            if buffer.is_empty() {
                *buffer = vec![0; READ_BYTES];
            }
            let read = stream.try_io(Interest::READABLE, || {
                recv_with_descriptors(stream, buffer, &mut received)
            })?;
            self.bytes.extend_from_slice(&buffer[..read.bytes]);
            Ok::<_, std::io::Error>(read)
        })?;
        self.descriptors.extend(received);
        if read.lost_descriptors {
            tracing::error!("descriptors were passed to this process, and it has no room for them");
            self.lost
                .push_back(self.claimed + self.descriptors.len() as u64);
        }
        Ok(read.bytes)
    }

    async fn dispatch(
        &mut self,
        link: &Arc<Link>,
        handler: &dyn LinkHandler,
    ) -> Result<(), CloseReason> {
        let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
        let mut batch = 0;
        while let Some(frame) = decoder.decode(&mut self.bytes)? {
            let is_allowed = handler.takes_descriptors(frame.kind);
            let claimed = self.claim(&frame, is_allowed);
            let descriptors = claimed.map_err(CloseReason::Untrusted)?;
            note_ask(link, &frame).map_err(CloseReason::Untrusted)?;
            handler
                .frame_came(link, frame, descriptors)
                .map_err(CloseReason::Untrusted)?;
            batch += 1;
            if batch % BATCH_FRAMES == 0 {
                tokio::task::yield_now().await;
            }
        }
        self.check_unclaimed().map_err(CloseReason::Untrusted)?;
        if self.bytes.is_empty() {
            // An idle link holds no memory.
            self.bytes = BytesMut::new();
        }
        Ok(())
    }

    /// The frame's own descriptors: those that came with its first byte are there, and those of
    /// the frames before it are not there any more.
    fn claim(&mut self, frame: &Frame, is_allowed: bool) -> Result<Vec<OwnedFd>, String> {
        let count = usize::from(frame.descriptors);
        if count == 0 {
            return Ok(Vec::new());
        }
        if !is_allowed {
            let kind = frame.kind;
            return Err(format!(
                "it passes descriptors with {kind:?}, which it may not"
            ));
        }
        if frame.descriptors == DESCRIPTORS_LOST {
            return Ok(Vec::new());
        }
        if self
            .lost
            .pop_front_if(|before| *before <= self.claimed)
            .is_some()
        {
            return Ok(Vec::new());
        }
        if count > self.descriptors.len() {
            return Err(format!(
                "its frame says that {count} descriptors come with it, but they did not"
            ));
        }
        self.claimed += count as u64;
        Ok(self.descriptors.drain(..count).collect())
    }

    /// All whole frames have claimed theirs. What is left belongs to a frame that has begun, and
    /// is at most what one frame carries; or no frame will ever claim it.
    fn check_unclaimed(&self) -> Result<(), String> {
        let (most, most_lost) = match self.bytes.is_empty() {
            true => (0, 0),
            false => (MAX_DESCRIPTORS, 1),
        };
        match self.descriptors.len() > most || self.lost.len() > most_lost {
            true => Err("it passes descriptors that no frame of its announces".to_owned()),
            false => Ok(()),
        }
    }
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
