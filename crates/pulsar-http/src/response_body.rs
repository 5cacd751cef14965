//! The body of a response, with which its request ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::request_guard::RequestGuard;

/// The body of a response. Its request lasts until it is dropped, and a panic in it costs this connection alone.
pub(crate) struct ResponseBody {
    body: axum::body::Body,
    request: RequestGuard,
}

impl ResponseBody {
    pub(crate) fn new(body: axum::body::Body, request: RequestGuard) -> Self {
        Self { body, request }
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
                this.request.panicked(&*payload);
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
