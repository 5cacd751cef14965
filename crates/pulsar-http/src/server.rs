//! What all connections of one server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::counters::Counters;
use crate::deadlines::Deadlines;
use crate::serve::ServeOptions;

/// What all connections of one server share.
pub(crate) struct Server {
    pub(crate) deadlines: Deadlines,
    pub(crate) counters: Arc<Counters>,
    pub(crate) http: auto::Builder<TokioExecutor>,
    stage: AtomicU8,
    stage_changed: Notify,
}

/// How far the server has come. It only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
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
            stage: AtomicU8::new(Stage::Serving as u8),
            stage_changed: Notify::new(),
        }
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
        self.stage_changed.notify_waiters();
    }

    pub(crate) fn stage(&self) -> Stage {
        const STAGES: [Stage; 4] = [Stage::Serving, Stage::Draining, Stage::Closing, Stage::Cut];
        STAGES[usize::from(self.stage.load(Ordering::Acquire)) % STAGES.len()]
    }

    /// Ready when the server has entered a stage since this call. Whoever asks for the stage between this call and the await
    /// misses none.
    pub(crate) fn stage_changed(&self) -> Notified<'_> {
        // It is told of what is notified after it was made, polled or not.
        self.stage_changed.notified()
    }

    /// Waits until all connections are to be closed.
    pub(crate) async fn cut(&self) {
        loop {
            let changed = self.stage_changed();
            if self.stage() == Stage::Cut {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.stage() > Stage::Serving
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn each_stage_is_seen_and_told_of() {
        let server = Server::new(&ServeOptions::default());
        assert_eq!(
            (server.stage(), server.is_draining()),
            (Stage::Serving, false)
        );
        for stage in [Stage::Draining, Stage::Closing, Stage::Cut] {
            // Also where nobody has polled it before.
            let changed = server.stage_changed();
            server.enter(stage);
            assert_eq!((server.stage(), server.is_draining()), (stage, true));
            let mut cx = Context::from_waker(Waker::noop());
            assert_eq!(pin!(changed).poll(&mut cx), Poll::Ready(()));
            assert_eq!(pin!(server.stage_changed()).poll(&mut cx), Poll::Pending);
        }
    }
}
