//! What all connections of one server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::watch;

use crate::counters::Counters;
use crate::deadlines::Deadlines;
use crate::serve::ServeOptions;

/// What all connections of one server share.
pub(crate) struct Server {
    pub(crate) deadlines: Deadlines,
    pub(crate) counters: Arc<Counters>,
    pub(crate) http: auto::Builder<TokioExecutor>,
    stage: watch::Sender<Stage>,
    /// The same as a stage beyond the first; cheaper to ask at each response.
    draining: AtomicBool,
}

/// How far the server has come. It only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Serving,
    /// HTTP/2 says `GOAWAY`; HTTP/1 says `Connection: close` with its next response.
    Draining,
    /// Connections without a request are closed.
    Closing,
    /// All are closed.
    Cut,
}

impl Server {
    pub(crate) fn new(options: &ServeOptions) -> Self {
        Self {
            deadlines: options.deadlines,
            counters: options.counters.clone(),
            http: http(&options.deadlines),
            stage: watch::Sender::new(Stage::Serving),
            draining: AtomicBool::new(false),
        }
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.draining
            .store(stage > Stage::Serving, Ordering::Release);
        self.stage.send_replace(stage);
    }

    pub(crate) fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

fn http(deadlines: &Deadlines) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Off, because it would run on idle connections too; `Deadlines` says more.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        // A client that has vanished while it waits for a response is found out by a ping.
        .keep_alive_interval(Some(deadlines.idle))
        // WebSockets over HTTP/2.
        .enable_connect_protocol();
    builder
}
