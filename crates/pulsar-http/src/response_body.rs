//! The body of a response, with which its request ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::activity::RequestGuard;
use crate::counters::Counters;
use crate::panic::Culprit;

/// The body of a response. Its request lasts until it is dropped, and a panic in it costs this connection alone.
pub(crate) struct ResponseBody {
    body: axum::body::Body,
    culprit: Culprit,
    counters: Arc<Counters>,
    _request: RequestGuard,
}

impl ResponseBody {
    pub(crate) fn new(
        body: axum::body::Body,
        culprit: Culprit,
        counters: Arc<Counters>,
        request: RequestGuard,
    ) -> Self {
        Self {
            body,
            culprit,
            counters,
            _request: request,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        // Whatever the panic left behind is not polled again: the error ends the response.
        let poll = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.body).poll_frame(cx)));
        match poll {
            Ok(poll) => poll.map(|frame| frame.map(|frame| frame.map_err(Into::into))),
            Err(payload) => {
                this.culprit.log(&*payload);
                this.counters.count_panic();
                this.body = axum::body::Body::empty();
                Poll::Ready(Some(Err("the body of the response panicked".into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
