//! What comes over a link's socket, and is not handled yet.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;

use bytes::BytesMut;
use pulsar_sys::descriptors::{MAX_DESCRIPTORS, Received};
use pulsar_wire::{DESCRIPTORS_LOST, Frame, FrameDecoder, MAX_FRAME_BYTES};

use crate::pump::{BATCH_FRAMES, Begun, CloseReason, Reader};
use crate::ring_inbox::RingInbox;
use crate::rings::Inbound;
use crate::socket::{Receive, Socket};

/// Room for one read: what a socketpair holds by default, so that one read can empty it.
const READ_BYTES: usize = 64 << 10;
/// The room at first, which becomes that once a read has filled it: most processes are never sent so much at once, and each
/// would have pages of its own for it.
const FIRST_READ_BYTES: usize = 2 << 10;

thread_local! {
    /// What was read last: one buffer for all links of the thread, since an idle link holds no memory.
    static READ: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What one read of a socket, in this way, has brought; nothing if there was nothing to read.
///
/// # Errors
///
/// [`CloseReason::PeerClosed`] at the end of the stream, or the socket's failure.
pub(crate) fn read(
    socket: &Socket,
    receive: Receive,
    most: usize,
    descriptors: &mut Vec<OwnedFd>,
    take: impl FnOnce(&[u8]),
) -> Result<Option<Received>, CloseReason> {
    let read = READ.with_borrow_mut(|buffer| {
        // The system layer writes to bytes that are there already.
        if buffer.is_empty() {
            *buffer = vec![0; FIRST_READ_BYTES];
        }
        let room = most.min(buffer.len());
        let received = receive(socket, &mut buffer[..room], descriptors)?;
        take(&buffer[..received.bytes]);
        if received.bytes == buffer.len() && buffer.len() < READ_BYTES {
            *buffer = vec![0; READ_BYTES];
        }
        Ok::<_, std::io::Error>(received)
    });
    match read {
        Ok(received) if received.bytes == 0 => Err(CloseReason::PeerClosed),
        Ok(received) => {
            if received.lost_descriptors {
                tracing::error!(
                    "descriptors were passed to this process, and it has no room for them"
                );
            }
            Ok(Some(received))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) if is_gone(&error) => Err(CloseReason::PeerClosed),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn is_gone(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}

/// What has been read and not handled yet.
#[derive(Debug)]
pub(crate) struct Inbox {
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
    pub(crate) fn new(begun: Begun) -> Self {
        Self {
            bytes: begun.bytes,
            descriptors: begun.descriptors.into(),
            claimed: 0,
            lost: std::iter::repeat_n(0, begun.lost).collect(),
        }
    }

    pub(crate) fn read(&mut self, socket: &Socket) -> Result<(), CloseReason> {
        let mut descriptors = Vec::new();
        let received = read(
            socket,
            Socket::receive,
            READ_BYTES,
            &mut descriptors,
            |bytes| {
                self.bytes.extend_from_slice(bytes);
            },
        )?;
        self.descriptors.extend(descriptors);
        if received.is_some_and(|received| received.lost_descriptors) {
            self.lost
                .push_back(self.claimed + self.descriptors.len() as u64);
        }
        Ok(())
    }

    /// Handles all whole frames. If one of them says that what follows comes through the ring, the rest
    /// of what was read are signals, and the ring's inbox begins with them.
    pub(crate) async fn dispatch(
        &mut self,
        reader: &mut Reader<'_>,
    ) -> Result<Option<RingInbox>, CloseReason> {
        let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
        let mut batch = 0;
        while let Some(frame) = decoder.decode(&mut self.bytes)? {
            let is_allowed = reader.takes_descriptors(frame.kind);
            let claimed = self.claim(&frame, is_allowed);
            let descriptors = claimed.map_err(CloseReason::Untrusted)?;
            if let Some(inbound) = reader.handle(frame, descriptors)? {
                return self.leave(inbound).map(Some);
            }
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
        Ok(None)
    }

    /// All frames before the last one have been handled before the read that brought it, so that what is
    /// left came with that read.
    fn leave(&mut self, inbound: Inbound) -> Result<RingInbox, CloseReason> {
        let mut ring = RingInbox::new(inbound);
        let signals = std::mem::take(&mut self.bytes);
        let descriptors = std::mem::take(&mut self.descriptors).into();
        let lost = !std::mem::take(&mut self.lost).is_empty();
        ring.signals_came(&signals, descriptors, lost)
            .map_err(CloseReason::Untrusted)?;
        Ok(ring)
    }

    /// The frame's own descriptors: those that came with its first byte are there, and those of
    /// the frames before it are not there any more.
    fn claim(&mut self, frame: &Frame, is_allowed: bool) -> Result<Vec<OwnedFd>, String> {
        let count = usize::from(frame.descriptors);
        if count == 0 {
            return Ok(Vec::new());
        }
        check_allowed(frame, is_allowed)?;
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
            true => Err(unannounced()),
            false => Ok(()),
        }
    }
}

/// A frame with descriptors came.
pub(crate) fn check_allowed(frame: &Frame, is_allowed: bool) -> Result<(), String> {
    let kind = frame.kind;
    match is_allowed {
        true => Ok(()),
        false => Err(format!(
            "it passes descriptors with {kind:?}, which it may not"
        )),
    }
}

pub(crate) fn unannounced() -> String {
    "it passes descriptors that no frame of its announces".to_owned()
}
