//! The user's service as hyper calls it.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use futures_util::FutureExt;
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use pulsar_net::Peer;
use tower::{Service, ServiceExt};

use crate::activity::Activity;
use crate::panic::{self, Culprit};
use crate::request_body::RequestBody;
use crate::response_body::ResponseBody;
use crate::server::Server;

/// The user's service on one connection: counts, catches panics, and says `Connection: close` while the server drains.
pub(crate) struct Handler<S> {
    pub(crate) service: S,
    pub(crate) server: Arc<Server>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) peer: Peer,
}

impl<S> Handler<S> {
    fn prepare(&self, request: Request<Incoming>) -> Request<Body> {
        let deadline = self.server.deadlines.body;
        let mut request = request.map(|body| Body::new(RequestBody::new(body, deadline)));
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
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let version = request.version();
        let guard = self.activity.begin(version == Version::HTTP_2);
        let server = self.server.clone();
        server.counters.count_request();
        let culprit = Culprit {
            method: request.method().clone(),
            uri: request.uri().clone(),
        };
        // `oneshot` calls the service when it is polled first, so that this catches a panic in the call as well.
        let answer = self.service.clone().oneshot(self.prepare(request));
        let answer = AssertUnwindSafe(answer).catch_unwind();
        Box::pin(async move {
            let mut response = answer.await.unwrap_or_else(|payload| {
                culprit.log(&*payload);
                server.counters.count_panic();
                Ok(panic::response())
            })?;
            if server.is_draining() && version < Version::HTTP_2 {
                close_after(&mut response, &culprit.method);
            }
            let counters = server.counters.clone();
            Ok(response.map(|body| ResponseBody::new(body, culprit, counters, guard)))
        })
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
