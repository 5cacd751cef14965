//! The user's service as hyper calls it.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use pin_project_lite::pin_project;
use pulsar_net::Peer;
use tower::Service;

use crate::panic;
use crate::request_body::RequestBody;
use crate::request_guard::RequestGuard;
use crate::response_body::ResponseBody;
use crate::shared::Shared;

/// The user's service on one connection: counts, catches panics, and says `Connection: close` while the server drains.
pub(crate) struct Handler<S> {
    pub(crate) service: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Peer,
}

impl<S> Handler<S> {
    fn prepare(&self, request: Request<Incoming>) -> Request<Body> {
        let deadline = self.shared.server.deadlines.body;
        let mut request = request.map(|body| match body.is_end_stream() {
            // There is nothing to wait for.
            true => Body::empty(),
            false => Body::new(RequestBody::new(body, deadline)),
        });
        if let Peer::Tcp(address) = self.peer {
            request.extensions_mut().insert(ConnectInfo(address));
        }
        request
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for Handler<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Answer<S>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let version = request.version();
        if request.extensions().get::<OnUpgrade>().is_some() {
            self.shared.activity.hand_over();
        }
        let guard = RequestGuard::begin(&self.shared, &request);
        let request = self.prepare(request);
        let service = self.service.clone();
        Answer {
            course: match version < Version::HTTP_2 {
                true => Course::begin(service, request),
                // Its task is about to be made; the call belongs into it.
                false => Course::unready(service, request),
            },
            version,
            guard: Some(guard),
        }
    }
}

pin_project! {
    /// The response to come. hyper has a place for it in each connection, so that none is made for each request.
    pub(crate) struct Answer<S>
    where
        S: Service<Request<Body>>,
    {
        #[pin]
        course: Course<S, S::Future>,
        version: Version,
        // Goes into the response.
        guard: Option<RequestGuard>,
    }
}

pin_project! {
    /// How far the service has come with a request.
    #[project = CourseProjection]
    enum Course<S, F> {
        // It was not ready to be called.
        Unready { unready: Option<(S, Request<Body>)> },
        Called { #[pin] future: F },
        // The call itself has panicked.
        Panicked { payload: Option<Payload> },
    }
}

/// What a panic leaves behind.
type Payload = Box<dyn Any + Send>;

impl<S> Course<S, S::Future>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    fn unready(service: S, request: Request<Body>) -> Self {
        let unready = Some((service, request));
        Self::Unready { unready }
    }

    /// Calls the service at once if it is ready at once, as nearly all are: so the request is not moved once more.
    fn begin(mut service: S, request: Request<Body>) -> Self {
        let begun = catch_unwind(AssertUnwindSafe(|| {
            // Whoever is not ready is asked again by the task that waits for it.
            let mut cx = Context::from_waker(Waker::noop());
            match service.poll_ready(&mut cx) {
                Poll::Ready(Ok(())) => Self::Called {
                    future: service.call(request),
                },
                Poll::Pending => Self::unready(service, request),
            }
        }));
        begun.unwrap_or_else(|payload| Self::Panicked {
            payload: Some(payload),
        })
    }

    /// The response, or a panic's payload.
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<Body>, Payload>> {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            if let CourseProjection::Unready { unready } = self.as_mut().project() {
                let (service, _) = unready.as_mut().expect(ONCE);
                let Ok(()) = ready!(service.poll_ready(cx));
                let (mut service, request) = unready.take().expect(ONCE);
                let future = service.call(request);
                self.set(Self::Called { future });
            }
            match self.project() {
                CourseProjection::Called { future } => {
                    let Ok(response) = ready!(future.poll(cx));
                    Poll::Ready(Ok(response))
                }
                CourseProjection::Panicked { payload } => {
                    Poll::Ready(Err(payload.take().expect(ONCE)))
                }
                CourseProjection::Unready { .. } => unreachable!("it was called above"),
            }
        }));
        polled.unwrap_or_else(|payload| Poll::Ready(Err(payload)))
    }
}

/// Why something is there still.
const ONCE: &str = "nobody polls it after its end";

impl<S> Future for Answer<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answered = ready!(this.course.poll(cx));
        let guard = this.guard.take().expect(ONCE);
        let mut response = answered.unwrap_or_else(|payload| {
            guard.panicked(&*payload);
            panic::response()
        });
        if guard.connection().server.is_draining() && *this.version < Version::HTTP_2 {
            close_after(&mut response, guard.method());
        }
        Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, guard))))
    }
}

/// hyper closes an HTTP/1 connection after a response with this header. A response that hands the connection over to another
/// protocol has none: its `Connection` header belongs to the upgrade.
fn close_after(response: &mut Response<Body>, method: &Method) {
    let tunnel = method == Method::CONNECT && response.status().is_success();
    if response.status() != StatusCode::SWITCHING_PROTOCOLS && !tunnel {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
}
