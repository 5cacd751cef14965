//! A server in this process.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use pulsar_http::{Counters, Drained, ServeOptions, serve};
use pulsar_net::{Bind, DEFAULT_BACKLOG, Listener};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Far longer than anything here takes; a test that hangs fails with it.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    timeout(LIMIT, future).await.expect("it happens in time")
}

pub(crate) fn listener() -> Listener {
    let bind = Bind::Tcp("127.0.0.1".to_owned(), 0);
    Listener::bind(&bind, DEFAULT_BACKLOG).expect("a free port")
}

pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) counters: Arc<Counters>,
    stop: CancellationToken,
    task: JoinHandle<io::Result<Drained>>,
}

impl Server {
    pub(crate) fn start<S>(service: S, options: ServeOptions) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
    {
        Self::start_on(listener(), service, options, Duration::from_secs(60))
    }

    pub(crate) fn start_on<S>(
        listener: Listener,
        service: S,
        options: ServeOptions,
        drain_deadline: Duration,
    ) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
    {
        let address = listener.address().to_string();
        let counters = options.counters.clone();
        let stop = CancellationToken::new();
        let served = serve(
            vec![listener],
            service,
            options,
            stop.clone(),
            drain_deadline,
        );
        Self {
            address,
            counters,
            stop,
            task: tokio::spawn(served),
        }
    }

    /// Begins the stop; returns when the server has stopped accepting, and so has begun to drain.
    pub(crate) async fn begin_stop(&self) {
        self.stop.cancel();
        // The listener is closed, and the drain begun, in one turn of the server's task. To bind the address shows it without
        // a connection, which the server would count.
        let bind = self.address.parse().expect("an address");
        within(async {
            while Listener::bind(&bind, DEFAULT_BACKLOG).is_err() {
                yield_now().await;
            }
        })
        .await;
    }

    pub(crate) async fn stop(self) -> Drained {
        self.stop.cancel();
        within(self.task)
            .await
            .expect("no panic")
            .expect("a clean end")
    }

    pub(crate) async fn open_connections_become(&self, count: u64) {
        within(async {
            while self.counters.open() != count {
                yield_now().await;
            }
        })
        .await;
    }
}
