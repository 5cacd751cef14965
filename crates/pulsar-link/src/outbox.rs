//! What waits to be written to a link.

use parking_lot::Mutex;

use bytes::{Buf, BytesMut};
use pulsar_wire::{Frame, MAX_FRAME_BYTES};
use tokio::sync::Notify;

use pulsar_model::SendError;

/// Bytes that may wait before asks are held back: a few of the largest frames, so that a slow
/// reader costs the writer no more than this.
const ASKS_LIMIT_BYTES: usize = 4 * MAX_FRAME_BYTES;
/// Bytes that may wait at all. Replies and system frames are let past the first limit, since
/// holding them back could stop both sides for ever; a peer that lets this much gather is lost.
const LIMIT_BYTES: usize = 16 * MAX_FRAME_BYTES;

/// Frames, encoded, in the order in which they were pushed.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    /// Something was pushed, or the outbox was closed.
    filled: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: BytesMut,
    closed: bool,
}

impl Outbox {
    /// Appends a frame that asks for something.
    ///
    /// # Errors
    ///
    /// [`SendError::MailboxFull`] if the other side does not keep up, [`SendError::TooLarge`];
    /// [`PushError::Closed`] if the link is gone.
    pub(crate) fn push_ask(&self, frame: &Frame) -> Result<(), PushError> {
        self.push(frame, ASKS_LIMIT_BYTES)
    }

    /// Appends a reply or a system frame.
    ///
    /// # Errors
    ///
    /// As [`push_ask`](Self::push_ask), at a higher limit.
    pub(crate) fn push_reply(&self, frame: &Frame) -> Result<(), PushError> {
        self.push(frame, LIMIT_BYTES)
    }

    fn push(&self, frame: &Frame, limit: usize) -> Result<(), PushError> {
        let mut queue = self.queue.lock();
        if queue.closed {
            return Err(PushError::Closed);
        }
        if queue.bytes.len() > limit {
            return Err(PushError::Refused(SendError::MailboxFull {
                capacity: limit,
            }));
        }
        frame
            .encode(&mut queue.bytes, MAX_FRAME_BYTES)
            .map_err(|error| match error {
                pulsar_wire::FrameError::TooLarge { size, limit } => {
                    PushError::Refused(SendError::TooLarge { size, limit })
                }
                other => PushError::Refused(SendError::codec(other)),
            })?;
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.lock().bytes.is_empty()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }

    /// Takes no more frames; what waits is still written.
    pub(crate) fn close(&self) {
        self.queue.lock().closed = true;
        self.filled.notify_one();
    }

    /// Throws away what waits: nobody will read it.
    pub(crate) fn discard(&self) {
        self.queue.lock().bytes.clear();
    }

    /// Waits until there is something to write, or nothing more will come.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Hands what waits to `write`, which says how much it took.
    pub(crate) fn write_with(
        &self,
        write: impl FnOnce(&[u8]) -> std::io::Result<usize>,
    ) -> std::io::Result<usize> {
        let mut queue = self.queue.lock();
        let written = write(&queue.bytes)?;
        queue.bytes.advance(written);
        if queue.bytes.is_empty() && queue.bytes.capacity() > KEEP_BYTES {
            queue.bytes = BytesMut::new();
        }
        Ok(written)
    }
}

/// An empty buffer larger than this is given back: an idle link costs next to nothing.
const KEEP_BYTES: usize = 64 << 10;

/// Why a frame was not taken.
#[derive(Debug)]
pub(crate) enum PushError {
    /// The link is gone.
    Closed,
    /// Too large, or too many wait.
    Refused(SendError),
}
