//! Moves bytes between a link's socket, its outbox and its handler.

use std::io::ErrorKind;
use std::sync::Arc;

use bytes::BytesMut;
use pulsar_wire::{Frame, FrameDecoder, FrameError, MAX_FRAME_BYTES};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::Link;

/// Room for one read: what a socketpair holds by default, so that one read can empty it.
const READ_BYTES: usize = 64 << 10;
/// Frames handled before others on the loop get their turn.
const BATCH_FRAMES: usize = 64;

/// What is done with what comes.
pub trait LinkHandler: Send + Sync + 'static {
    /// A frame came. It must not wait: all other traffic of the link is behind it.
    ///
    /// # Errors
    ///
    /// Why the peer is not to be trusted any further; the link is closed.
    fn frame_came(&self, link: &Arc<Link>, frame: Frame) -> Result<(), String>;
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
/// end of the stream comes after its last byte. `begun` is what was read before.
pub async fn pump(
    link: &Arc<Link>,
    stream: &UnixStream,
    begun: BytesMut,
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
    mut buffer: BytesMut,
    handler: &dyn LinkHandler,
) -> Result<(), CloseReason> {
    let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
    dispatch(link, &decoder, &mut buffer, handler).await?;
    loop {
        if link.is_given_up() {
            let reason = "it does not read what is sent to it".to_owned();
            return Err(CloseReason::Untrusted(reason));
        }
        flush(link, stream)?;
        let waiting = !link.outbox.is_empty();
        if link.outbox.is_closed() && !waiting {
            return Ok(());
        }
        let interest = match waiting {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        tokio::select! {
            ready = stream.ready(interest) => {
                if ready?.is_readable() {
                    read(stream, &mut buffer)?;
                    dispatch(link, &decoder, &mut buffer, handler).await?;
                }
            }
            () = link.outbox.filled() => {}
        }
    }
}

/// Writes what waits, as far as the socket takes it.
fn flush(link: &Link, stream: &UnixStream) -> Result<(), CloseReason> {
    while !link.outbox.is_empty() {
        match link.outbox.write_with(|bytes| stream.try_write(bytes)) {
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

fn read(stream: &UnixStream, buffer: &mut BytesMut) -> Result<(), CloseReason> {
    buffer.reserve(READ_BYTES);
    match stream.try_read_buf(buffer) {
        Ok(0) => Err(CloseReason::PeerClosed),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) if is_gone(&error) => Err(CloseReason::PeerClosed),
        Err(error) => Err(error.into()),
    }
}

async fn dispatch(
    link: &Arc<Link>,
    decoder: &FrameDecoder,
    buffer: &mut BytesMut,
    handler: &dyn LinkHandler,
) -> Result<(), CloseReason> {
    let mut batch = 0;
    while let Some(frame) = decoder.decode(buffer)? {
        handler
            .frame_came(link, frame)
            .map_err(CloseReason::Untrusted)?;
        batch += 1;
        if batch % BATCH_FRAMES == 0 {
            tokio::task::yield_now().await;
        }
    }
    if buffer.is_empty() {
        // An idle link holds no memory.
        *buffer = BytesMut::new();
    }
    Ok(())
}
