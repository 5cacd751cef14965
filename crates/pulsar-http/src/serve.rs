//! Serves HTTP on listeners until told to stop, then drains.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::{io, mem};

use axum::Router;
use axum::body::Body;
use futures_util::future::join_all;
use http::{Request, Response};
use pulsar_net::{Listener, accept};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::connection::serve_connection;
use crate::counters::Counters;
use crate::deadlines::Deadlines;
use crate::server::{Server, Stage};

/// How long to wait for connections that were cut to notice it. They notice at once, except where a handler blocks its thread;
/// that one is left to the end of the runtime.
const CUT_WAIT: Duration = Duration::from_millis(500);

/// How [`serve`] serves.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// How long clients may keep a connection waiting.
    pub deadlines: Deadlines,
    /// Connections open at a time, over all listeners; at least 1. More wait in the queue of the listener. 10,000 by default,
    /// which a loop serves with a few hundred MB and a usual limit of descriptors still allows.
    pub max_connections: usize,
    /// How long kept-alive connections may still send a request while the server drains. Half of the drain's deadline at most.
    /// 500 ms by default: a client that has just used a connection uses it again by then, if it does at all.
    pub drain_grace: Duration,
    /// Counts what the server does. Fresh by default.
    pub counters: Arc<Counters>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            deadlines: Deadlines::default(),
            max_connections: 10_000,
            drain_grace: Duration::from_millis(500),
            counters: Arc::default(),
        }
    }
}

/// How the drain went, in connections that were open when the server stopped accepting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Ended before the deadline, with their requests answered.
    pub finished: usize,
    /// Closed at the deadline.
    pub cut: usize,
}

/// Serves HTTP/1 and HTTP/2 on `listeners` until `stop` fires, then drains.
///
/// The drain stops accepting, after what waits in the queues already. Requests in flight go on. HTTP/2 connections get a
/// `GOAWAY`; HTTP/1 connections say `Connection: close` with their next response, so that no idle one is closed under a request
/// that is on its way. After [`drain_grace`](ServeOptions::drain_grace) those without a request are closed, and `drain_deadline`
/// after the stop all others are. It returns as soon as no connection is left.
///
/// A panic in a handler is logged and answered with 500; one in the body of a response breaks that connection. Neither ends the
/// server. Requests over TCP carry the client's address as axum's `ConnectInfo<SocketAddr>`. A connection that a handler has
/// upgraded counts as open until it is closed; nothing tells it of the drain, and the deadline closes it.
///
/// Dropping the future stops accepting and leaves open connections to themselves.
///
/// # Errors
///
/// There is no listener, or one of them fails for good. The others then stop too, and the drain runs before this returns.
pub async fn serve<S>(
    listeners: Vec<Listener>,
    service: S,
    options: ServeOptions,
    stop: CancellationToken,
    drain_deadline: Duration,
) -> io::Result<Drained>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    if listeners.is_empty() {
        let kind = io::ErrorKind::InvalidInput;
        return Err(io::Error::new(kind, "no listener to serve on"));
    }
    let limit = options.max_connections.clamp(1, Semaphore::MAX_PERMITS);
    let server = Arc::new(Server::new(&options));
    let connections = TaskTracker::new();
    let acceptor = Acceptor {
        server: server.clone(),
        connections: connections.clone(),
        service: completed(service),
    };
    let accepted = accept_all(listeners, acceptor, Arc::new(Semaphore::new(limit)), &stop).await;
    let grace = options.drain_grace.min(drain_deadline / 2);
    let drained = drain(&server, &connections, grace, drain_deadline).await;
    accepted.map(|()| drained)
}

/// An axum router makes its handlers into services when it gets its state: for each request anew, if that was not done once
/// before.
fn completed<S: 'static>(mut service: S) -> S {
    if let Some(router) = (&mut service as &mut dyn Any).downcast_mut::<Router>() {
        *router = mem::take(router).with_state(());
    }
    service
}

#[derive(Clone)]
struct Acceptor<S> {
    server: Arc<Server>,
    connections: TaskTracker,
    service: S,
}

async fn accept_all<S>(
    listeners: Vec<Listener>,
    acceptor: Acceptor<S>,
    limit: Arc<Semaphore>,
    stop: &CancellationToken,
) -> io::Result<()>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let stop = stop.child_token();
    let loops = listeners.into_iter().map(|listener| {
        let (stop, limit, acceptor) = (stop.clone(), limit.clone(), acceptor.clone());
        async move {
            let accepted = accept(listener, stop.clone(), limit, move |stream, permit| {
                let (server, service) = (acceptor.server.clone(), acceptor.service.clone());
                let connection = serve_connection(server, stream, permit, service);
                acceptor.connections.spawn(connection);
            });
            accepted.await.inspect_err(|_| stop.cancel())
        }
    });
    join_all(loops).await.into_iter().collect()
}

async fn drain(
    server: &Server,
    connections: &TaskTracker,
    grace: Duration,
    deadline: Duration,
) -> Drained {
    let start = Instant::now();
    let open = connections.len();
    connections.close();
    server.enter(Stage::Draining);
    if timeout(grace, connections.wait()).await.is_err() {
        server.enter(Stage::Closing);
    }
    let left = deadline.saturating_sub(start.elapsed());
    let cut = match timeout(left, connections.wait()).await {
        Ok(()) => 0,
        Err(_) => cut(server, connections).await,
    };
    let finished = open.saturating_sub(cut);
    Drained { finished, cut }
}

async fn cut(server: &Server, connections: &TaskTracker) -> usize {
    let count = connections.len();
    server.enter(Stage::Cut);
    if timeout(CUT_WAIT, connections.wait()).await.is_err() {
        tracing::warn!("a handler blocks its thread and cannot be cut");
    }
    count
}
