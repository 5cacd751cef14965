//! The stream of a connection, which tells what the connection does.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use pulsar_net::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::shared::Shared;

/// The header of a response and its body come in pieces. As long as they are short, to copy them into one and send that takes
/// less than the system does to gather them: by about 400 ns, for which a few thousand bytes could be copied.
const SHORT: usize = 512;

/// The stream of a connection: tells the [`Activity`](crate::activity::Activity) of what it reads and of its end, and fails once
/// that is cut.
pub(crate) struct Socket {
    stream: Stream,
    shared: Arc<Shared>,
}

impl Socket {
    pub(crate) fn new(stream: Stream, shared: Arc<Shared>) -> Self {
        Self { stream, shared }
    }

    /// Whether it may be used still. Who waits for it is woken by a cut: the connection's task in any case, others by the waker
    /// that is registered here.
    fn check(&self, waiting: &AtomicWaker, cx: &Context<'_>) -> io::Result<()> {
        let activity = &self.shared.activity;
        if activity.is_handed_over() {
            // Registers before it checks; `Activity::cut` says why.
            waiting.register(cx.waker());
        }
        if activity.is_cut() {
            let kind = io::ErrorKind::ConnectionAborted;
            return Err(io::Error::new(kind, "the server has closed the connection"));
        }
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.shared.activity.close_socket();
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check(&this.shared.activity.reader, cx)?;
        let before = buffer.filled().len();
        let poll = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            this.shared.activity.read(read);
        }
        poll
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check(&this.shared.activity.writer, cx)?;
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check(&this.shared.activity.writer, cx)?;
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        if slices.len() < 2 || length > SHORT {
            return Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        }
        let mut joined = [0; SHORT];
        let mut end = 0;
        for slice in slices {
            joined[end..end + slice.len()].copy_from_slice(slice);
            end += slice.len();
        }
        Pin::new(&mut this.stream).poll_write(cx, &joined[..end])
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
