//! One connection, from its accept to its end.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use http::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use pulsar_net::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};
use tower::Service;

use crate::activity::Activity;
use crate::bell::Bell;
use crate::counters::OpenConnection;
use crate::handler::Handler;
use crate::server::{Server, Stage};
use crate::shared::Shared;
use crate::socket::Socket;

/// Serves one connection until its end, and past an upgrade until its socket is closed. The permit lasts as long.
pub(crate) async fn serve_connection<S>(
    server: Arc<Server>,
    stream: Stream,
    _permit: OwnedSemaphorePermit,
    service: S,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let _open = OpenConnection::new(&server.counters);
    let peer = stream.peer();
    let activity = Activity::new();
    let shared = Arc::new(Shared { server, activity });
    let handler = Handler {
        service,
        shared: shared.clone(),
        peer,
    };
    let io = TokioIo::new(Socket::new(stream, shared.clone()));
    serve_http(&shared, io, handler).await;
    // The connection of hyper is dropped here: whoever still has the socket got it by an upgrade.
    tokio::select! {
        biased;
        () = shared.activity.socket_closed() => {}
        () = shared.server.cut() => shared.activity.cut(),
    }
}

async fn serve_http<S>(shared: &Arc<Shared>, io: TokioIo<Socket>, handler: Handler<S>)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let server = &*shared.server;
    let connection = pin!(server.http.serve_connection_with_upgrades(io, handler));
    let alarm = pin!(sleep_until(first_look(server)));
    let changed = pin!(server.stage_changed());
    let mut course = Course {
        connection,
        bell: Bell::new(alarm, changed, shared),
        server,
        activity: &shared.activity,
        shut: false,
        farewell: None,
    };
    poll_fn(|cx| course.poll(cx)).await;
}

/// A busy connection is looked at again after this long, so that the end of a response needs not wake its timer. No deadline
/// that begins meanwhile is shorter.
fn first_look(server: &Server) -> Instant {
    let deadlines = &server.deadlines;
    later(Instant::now(), deadlines.header.min(deadlines.idle))
}

/// A connection on its way to its end.
struct Course<'a, 's, C> {
    connection: Pin<&'a mut C>,
    bell: Bell<'a, 's>,
    server: &'s Server,
    activity: &'s Activity,
    /// The graceful shutdown has begun.
    shut: bool,
    /// When a client that was told to go has to have gone.
    farewell: Option<Instant>,
}

impl<C> Course<'_, '_, C>
where
    C: GracefulConnection,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.bell.heed(cx);
            if self.bell.stage() == Stage::Cut {
                return Poll::Ready(());
            }
            if let Poll::Ready(end) = self.connection.as_mut().poll(cx) {
                log_end(end);
                return Poll::Ready(());
            }
            if self.has_to_shut() {
                self.shut();
                continue;
            }
            ready!(self.poll_deadline());
            if self.shut || !self.activity.is_http2() {
                tracing::debug!("a client kept the connection waiting for too long");
                return Poll::Ready(());
            }
            self.farewell = Some(later(Instant::now(), self.server.deadlines.header));
            self.shut();
        }
    }

    fn shut(&mut self) {
        self.shut = true;
        self.connection.as_mut().graceful_shutdown();
    }

    fn has_to_shut(&self) -> bool {
        let time_has_come = match self.bell.stage() {
            Stage::Serving => false,
            // A client that has sent a request meanwhile learns from the GOAWAY whether it was taken.
            Stage::Draining => self.activity.is_http2(),
            Stage::Closing | Stage::Cut => true,
        };
        time_has_come && !self.shut && self.activity.may_shut()
    }

    /// Ready when the client has done nothing for longer than it may.
    ///
    /// The alarm never rings later than a deadline that begins after it was set, but for that of a header: the others are looked
    /// at only when it has rung, which spares each request the clock.
    fn poll_deadline(&mut self) -> Poll<()> {
        if !self.bell.has_rung() && !self.activity.is_in_head() {
            return Poll::Pending;
        }
        loop {
            let due = self.activity.due(&self.server.deadlines);
            let due = due.map(|due| self.farewell.map_or(due, |farewell| due.max(farewell)));
            if let Some(due) = due
                && due < self.bell.time()
            {
                self.bell.set(due);
            }
            if !self.bell.has_rung() {
                return Poll::Pending;
            }
            let now = Instant::now();
            match due {
                Some(due) if due <= now => return Poll::Ready(()),
                // No idle time that begins meanwhile is shorter.
                Some(due) => self
                    .bell
                    .set(due.min(later(now, self.server.deadlines.idle))),
                None => self.bell.set(first_look(self.server)),
            }
        }
    }
}

fn log_end<E: Into<Box<dyn Error + Send + Sync>>>(end: Result<(), E>) {
    // Clients break connections all the time; nothing is wrong with the server.
    if let Err(error) = end {
        let error: Box<dyn Error + Send + Sync> = error.into();
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// That much later, or so late that nobody will see it, where the clock does not reach so far.
fn later(now: Instant, wait: std::time::Duration) -> Instant {
    const FAR: std::time::Duration = std::time::Duration::from_secs(86_400 * 365);
    now + wait.min(FAR)
}
