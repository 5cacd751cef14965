//! The body of a request, which does not wait for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

/// The body of a request, which ends with an error when its next piece does not come in time.
pub(crate) struct RequestBody {
    body: Incoming,
    deadline: Duration,
    /// Made at the first wait: most bodies have come with their header.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    expired: bool,
}

impl RequestBody {
    pub(crate) fn new(body: Incoming, deadline: Duration) -> Self {
        Self {
            body,
            deadline,
            timer: None,
            waiting: false,
            expired: false,
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // No deadline where the clock does not reach so far.
        let Some(due) = Instant::now().checked_add(self.deadline) else {
            return Poll::Pending;
        };
        let fresh = || Box::pin(tokio::time::sleep_until(due));
        let timer = self.timer.get_or_insert_with(fresh);
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if this.expired {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(this.poll_timer(cx));
        this.expired = true;
        let late = io::Error::new(
            io::ErrorKind::TimedOut,
            "the request's body came too slowly",
        );
        Poll::Ready(Some(Err(late.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.expired || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
