//! The arbiter's end of the control socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::claim::Seat;
use crate::client::STOP_LIMIT;
use crate::connection::{Connection, Patience};
use crate::protocol::{self, BUSY, VERSION};
use crate::{Backend, Claim, Greeting, Response, peer};

/// The most connections at once: more than one user's tools need, and a bound on memory and descriptors.
const MAX_CONNECTIONS: usize = 64;

/// Time between two tries when no connection can be accepted, as when descriptors run out.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// What a request that is being answered still gets when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// A forgotten connection goes after five minutes; a request may take as long as the client waits, a bit
/// less; and a peer that does not take a line for ten seconds reads no more.
const PATIENCE: Patience = Patience {
    idle: Duration::from_secs(300),
    request: Duration::from_secs(60),
    // An actor may be given a day to stop, and its monitor half of that more.
    stop: STOP_LIMIT,
    write: Duration::from_secs(10),
};

/// A running control server.
///
/// It runs until its token is cancelled. Dropping this handle does not stop it.
#[derive(Debug)]
pub struct Server {
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `backend` on the claimed socket, on the current tokio runtime, until `stop` is cancelled. Then
    /// the socket is removed and the name freed first, idle connections are closed, and one whose request is
    /// being answered has up to one second left.
    ///
    /// # Errors
    ///
    /// If the runtime cannot watch the socket.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    pub fn start<B: Backend>(
        claim: Claim,
        backend: Arc<B>,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        Self::start_with(claim, backend, stop, PATIENCE)
    }

    /// Resolves when the server has stopped and all its connections are closed.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            report(&error);
        }
    }

    fn start_with<B: Backend>(
        claim: Claim,
        backend: Arc<B>,
        stop: CancellationToken,
        patience: Patience,
    ) -> io::Result<Self> {
        let (listener, seat) = claim.into_parts();
        let listener = UnixListener::from_std(listener)?;
        let greeting = Arc::new(Greeting {
            pulsar: env!("CARGO_PKG_VERSION").to_owned(),
            v: VERSION,
            name: seat.name().to_string(),
            pid: std::process::id(),
        });
        let closing = CancellationToken::new();
        let door = Door {
            backend,
            greeting,
            closing,
            patience,
            connections: JoinSet::new(),
        };
        Ok(Self {
            task: tokio::spawn(door.run(listener, seat, stop)),
        })
    }
}

/// Lets connections in and keeps count of them.
struct Door<B> {
    backend: Arc<B>,
    greeting: Arc<Greeting>,
    closing: CancellationToken,
    patience: Patience,
    connections: JoinSet<()>,
}

impl<B: Backend> Door<B> {
    async fn run(mut self, listener: UnixListener, seat: Seat, stop: CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.accept(&listener) => {}
        }
        // The socket goes before the connections are told: a client that sees its connection end may rely on
        // the name being free.
        drop(listener);
        drop(seat);
        self.closing.cancel();
        let _ = timeout(STOP_GRACE, async {
            while let Some(ended) = self.connections.join_next().await {
                note(ended);
            }
        })
        .await;
        self.connections.shutdown().await;
    }

    /// Accepts for ever. Cancel safe: a connection is spawned in the same step in which it is accepted.
    async fn accept(&mut self, listener: &UnixListener) {
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                biased;
                Some(ended) = self.connections.join_next() => {
                    note(ended);
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    failing = false;
                    self.admit(stream);
                }
                Err(error) => {
                    // Once for a run of failures: without descriptors there would be ten lines a second.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "failed to accept a control connection; trying again");
                    }
                    sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }

    fn admit(&mut self, stream: UnixStream) {
        if let Err(error) = peer::check(&stream) {
            tracing::warn!(%error, "refused a control connection");
            return;
        }
        if self.connections.len() >= MAX_CONNECTIONS {
            refuse_busy(&stream);
            return;
        }
        let connection = Connection::new(
            stream,
            self.backend.clone(),
            self.closing.clone(),
            self.patience,
        );
        self.connections
            .spawn(connection.serve(self.greeting.clone()));
    }
}

/// Says that there is no room. A new socket has room for this one line, so nothing has to wait.
fn refuse_busy(stream: &UnixStream) {
    let message = format!("there are already {MAX_CONNECTIONS} connections; try again later");
    if let Ok(line) = protocol::line(&Response::refusal(None, BUSY, message)) {
        let _ = stream.try_write(&line);
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        report(&error);
    }
}

fn report(error: &JoinError) {
    if error.is_panic() {
        tracing::error!(%error, "a task of the control server panicked");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{ActorRow, Client, ClientError, ControlDirectory, Failure};

    /// Answers `info` with a text of as many bytes as the target says; `never` gets no answer.
    struct Slow;

    impl Backend for Slow {
        fn ps(&self) -> Vec<ActorRow> {
            Vec::new()
        }

        async fn info(&self, target: &str) -> Result<Value, Failure> {
            match target.parse() {
                Ok(length) => Ok(json!("x".repeat(length))),
                Err(_) => std::future::pending().await,
            }
        }

        async fn send(&self, _: &str, _: &str, args: Vec<Value>) -> Result<Value, Failure> {
            Ok(args.into())
        }

        async fn stop(&self, _: Option<&str>) -> Result<Value, Failure> {
            Ok(Value::Null)
        }
    }

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(50);
    const PATIENT: Patience = Patience {
        idle: LONG,
        request: LONG,
        stop: LONG,
        write: LONG,
    };

    fn serve(patience: Patience) -> (tempfile::TempDir, ControlDirectory) {
        let temp = tempfile::tempdir().unwrap();
        let directory = ControlDirectory::at(temp.path().join("pulsar"));
        let claim = directory.claim(&"slow".parse().unwrap()).unwrap();
        Server::start_with(claim, Arc::new(Slow), CancellationToken::new(), patience).unwrap();
        (temp, directory)
    }

    async fn raw(directory: &ControlDirectory) -> UnixStream {
        UnixStream::connect(directory.socket_path(&"slow".parse().unwrap()))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed() {
        let (_temp, directory) = serve(Patience {
            idle: SHORT,
            ..PATIENT
        });
        let mut stream = raw(&directory).await;
        stream.write_all(b"{\"v\":1,\"half").await.unwrap();
        let mut all = String::new();
        timeout(LONG, stream.read_to_string(&mut all))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(all.lines().count(), 1, "only the greeting: {all}");
    }

    #[tokio::test]
    async fn a_request_without_answer_fails_in_time_and_the_next_is_served() {
        let (_temp, directory) = serve(Patience {
            request: SHORT,
            stop: SHORT,
            ..PATIENT
        });
        let mut client = Client::connect(&directory, Some("slow")).await.unwrap();
        let error = client.info("never").await.unwrap_err();
        assert!(
            matches!(&error, ClientError::Failed(failure) if failure.kind == protocol::TIMEOUT),
            "{error}"
        );
        assert_eq!(client.info("2").await.unwrap(), json!("xx"));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_dropped() {
        let (_temp, directory) = serve(Patience {
            write: SHORT,
            ..PATIENT
        });
        let mut stream = raw(&directory).await;
        stream
            .write_all(b"{\"v\":1,\"id\":1,\"op\":\"info\",\"target\":\"4000000\"}\n")
            .await
            .unwrap();
        // The connection is closed on that side only when the server gave up: writing then fails.
        let refused = async {
            while stream.write_all(b"\n").await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, refused).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.len() < 4_000_000, "the answer was cut off");
    }

    #[test]
    fn the_real_bounds_leave_the_server_the_first_word() {
        assert!(PATIENCE.request < Duration::from_secs(65) && PATIENCE.idle > PATIENCE.request);
    }
}
