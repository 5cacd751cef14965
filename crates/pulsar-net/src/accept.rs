//! Takes connections from one listener until told to stop.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::address::ListenAddress;
use crate::backoff::{Backoff, Verdict};
use crate::listener::Listener;
use crate::stream::Stream;

/// Takes connections from `listener` until `stop` fires, and gives each to `on_connection` with the permit that it costs.
///
/// While `limit` has no permit left nothing is accepted: connections wait in the queue, where another worker may take them. An
/// idle loop holds no permit, so several listeners share one limit fairly. When descriptors or memory run out the loop waits, 10 ms
/// doubling to 1 s, and logs it once. When `stop` fires it takes what waits in the queue already, as far as there are permits,
/// and closes its descriptor of the listener. Other processes may accept from the same socket at any time.
///
/// Must run within a tokio runtime with I/O and time.
///
/// # Errors
///
/// The listener cannot be registered with the runtime, or is no listening socket any more.
pub async fn accept(
    listener: Listener,
    stop: CancellationToken,
    limit: Arc<Semaphore>,
    on_connection: impl FnMut(Stream, OwnedSemaphorePermit),
) -> io::Result<()> {
    AcceptLoop::new(listener, limit, Socket::accept, on_connection)?
        .run(&stop)
        .await
}

struct AcceptLoop<A, F> {
    socket: AsyncFd<Socket>,
    limit: Arc<Semaphore>,
    accept: A,
    on_connection: F,
    backoff: Backoff,
    address: ListenAddress,
}

/// What to await before the next accept.
#[derive(Clone, Copy, Debug)]
enum Next {
    Ready,
    Delay(Duration),
}

impl<A, F> AcceptLoop<A, F>
where
    A: FnMut(&Socket) -> io::Result<Stream>,
    F: FnMut(Stream, OwnedSemaphorePermit),
{
    fn new(
        listener: Listener,
        limit: Arc<Semaphore>,
        accept: A,
        on_connection: F,
    ) -> io::Result<Self> {
        let address = listener.address().clone();
        let socket = register(Socket::from(listener))?;
        Ok(Self {
            socket,
            limit,
            accept,
            on_connection,
            backoff: Backoff::default(),
            address,
        })
    }

    async fn run(mut self, stop: &CancellationToken) -> io::Result<()> {
        let mut next = Next::Ready;
        // `step` may be dropped at each of its awaits: it holds no connection across one.
        while let Some(step) = stop.run_until_cancelled(self.step(next)).await {
            next = step?;
        }
        self.empty_queue()
    }

    /// Waits, then accepts at most one connection.
    ///
    /// Readiness comes before the permit: a permit held while waiting for a first client would be lost to the other listeners.
    /// Between the two another process may empty the queue, which accept then reports.
    async fn step(&mut self, next: Next) -> io::Result<Next> {
        if let Next::Delay(delay) = next {
            tokio::time::sleep(delay).await;
        }
        let mut ready = self.socket.readable().await?;
        let Ok(permit) = self.limit.clone().acquire_owned().await else {
            // A closed limit admits nobody ever again; the loop then waits for its stop.
            std::future::pending::<()>().await;
            return Ok(Next::Ready);
        };
        match (self.accept)(self.socket.get_ref()) {
            Ok(stream) => {
                self.take(stream, permit);
                Ok(Next::Ready)
            }
            Err(error) => match Verdict::of(&error) {
                Verdict::Empty => {
                    // The guard remembers the event that it saw: one that came since is not cleared.
                    ready.clear_ready();
                    Ok(Next::Ready)
                }
                Verdict::Next => Ok(Next::Ready),
                Verdict::Wait => Ok(self.delay(&error)),
                Verdict::Fatal => Err(error),
            },
        }
    }

    fn take(&mut self, stream: Stream, permit: OwnedSemaphorePermit) {
        if self.backoff.reset() {
            tracing::info!(address = %self.address, "accepting again");
        }
        (self.on_connection)(stream, permit);
    }

    fn delay(&mut self, error: &io::Error) -> Next {
        let (delay, first) = self.backoff.next();
        if first {
            tracing::warn!(address = %self.address, %error, "cannot accept connections; trying again until it works");
        }
        Next::Delay(delay)
    }

    /// What the clients of a listener that closes have done already counts: their connections are made.
    fn empty_queue(&mut self) -> io::Result<()> {
        // Each round takes a permit, or passes over one failed connection; a queue is no longer than its backlog, and a flood
        // of failing connections must not hold up the stop.
        let mut failures = 0;
        while failures < MAX_FAILURES_AT_STOP
            && let Ok(permit) = self.limit.clone().try_acquire_owned()
        {
            match (self.accept)(self.socket.get_ref()) {
                Ok(stream) => self.take(stream, permit),
                Err(error) => match Verdict::of(&error) {
                    Verdict::Next => failures += 1,
                    Verdict::Empty | Verdict::Wait => break,
                    Verdict::Fatal => return Err(error),
                },
            }
        }
        Ok(())
    }
}

#[expect(
    deprecated,
    reason = "the successor is unsafe, because a type's AsRawFd may lie; Socket owns its one descriptor until it is dropped"
)]
fn register(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    AsyncFd::with_interest(socket, Interest::READABLE)
}

/// Failed connections passed over when stopping; a queue seldom holds one.
const MAX_FAILURES_AT_STOP: u32 = 64;

/// The listening socket as the standard library knows it.
#[derive(Debug)]
enum Socket {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Socket {
    fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => listener
                .accept()
                .and_then(|(stream, peer)| Stream::from_tcp(stream, peer)),
            Self::Unix(listener) => listener
                .accept()
                .and_then(|(stream, _)| Stream::from_unix(stream)),
        }
    }
}

impl From<Listener> for Socket {
    fn from(listener: Listener) -> Self {
        match listener.address() {
            ListenAddress::Tcp(_) => Self::Tcp(listener.into_fd().into()),
            ListenAddress::Unix(_) => Self::Unix(listener.into_fd().into()),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(listener) => listener.as_raw_fd(),
            Self::Unix(listener) => listener.as_raw_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;
    use tokio::net::TcpStream;
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;
    use crate::{Bind, DEFAULT_BACKLOG};

    fn listener() -> (Listener, String) {
        let listener =
            Listener::bind(&Bind::Tcp("127.0.0.1".to_owned(), 0), DEFAULT_BACKLOG).unwrap();
        let address = listener.address().to_string();
        (listener, address)
    }

    /// Runs a loop whose accepts first fail with these errors; returns how long the first connection took and the accepts done.
    async fn accept_after(errors: Vec<Errno>) -> (Duration, usize) {
        let (listener, address) = listener();
        let mut errors = errors.into_iter();
        let mut accepts = 0;
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let accept = |socket: &Socket| {
            accepts += 1;
            errors
                .next()
                .map_or_else(|| socket.accept(), |errno| Err(errno.into()))
        };
        let on_connection = |stream, permit| _ = sender.send((stream, permit));
        let looped =
            AcceptLoop::new(listener, Arc::new(Semaphore::new(1)), accept, on_connection).unwrap();
        let stop = CancellationToken::new();
        let start = Instant::now();
        let client = async {
            let _client = TcpStream::connect(address).await.unwrap();
            let _connection = receiver.recv().await.unwrap();
            stop.cancel();
            start.elapsed()
        };
        let (ended, took) = tokio::join!(looped.run(&stop), client);
        ended.unwrap();
        (took, accepts)
    }

    #[tokio::test]
    async fn exhausted_descriptors_are_waited_for_without_spinning() {
        let (took, accepts) = accept_after(vec![Errno::MFILE, Errno::NFILE, Errno::NOBUFS]).await;
        assert!(
            took >= Duration::from_millis(70),
            "10 + 20 + 40 ms, not {took:?}"
        );
        // Three failures, the connection, and at most one look at the empty queue before the stop and one at it.
        assert!((4..=6).contains(&accepts), "{accepts}");
    }

    #[tokio::test]
    async fn an_aborted_connection_is_passed_over_at_once() {
        let (_, accepts) = accept_after(vec![Errno::CONNABORTED; 3]).await;
        assert!((4..=6).contains(&accepts), "{accepts}");
    }

    #[tokio::test]
    async fn a_queue_emptied_by_another_process_is_waited_for_again() {
        // The edge that came with the connection is gone; only the second client's connection wakes the loop.
        let (listener, address) = listener();
        let mut accepts = 0;
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let (missed, mut has_missed) = mpsc::unbounded_channel();
        let accept = |socket: &Socket| {
            accepts += 1;
            if accepts == 1 {
                socket.accept().unwrap();
                missed.send(()).unwrap();
            }
            socket.accept()
        };
        let on_connection = |stream: Stream, _| _ = sender.send(stream.peer());
        let looped =
            AcceptLoop::new(listener, Arc::new(Semaphore::new(1)), accept, on_connection).unwrap();
        let stop = CancellationToken::new();
        let client = async {
            let _taken = TcpStream::connect(&address).await.unwrap();
            has_missed.recv().await.unwrap();
            let second = TcpStream::connect(&address).await.unwrap();
            let peer = receiver.recv().await.unwrap();
            assert_eq!(peer.to_string(), second.local_addr().unwrap().to_string());
            stop.cancel();
        };
        let (ended, ()) = tokio::join!(looped.run(&stop), client);
        ended.unwrap();
        // The first client, the second, and a look at the empty queue after each and at the stop.
        assert!(accepts <= 5, "{accepts}");
    }

    #[tokio::test]
    async fn a_useless_socket_ends_the_loop_with_its_error() {
        let (listener, address) = listener();
        let accept = |_: &Socket| Err(Errno::INVAL.into());
        let looped =
            AcceptLoop::new(listener, Arc::new(Semaphore::new(1)), accept, |_, _| {}).unwrap();
        let stop = CancellationToken::new();
        let (ended, client) = tokio::join!(looped.run(&stop), TcpStream::connect(address));
        client.unwrap();
        assert_eq!(
            Errno::from_io_error(&ended.unwrap_err()),
            Some(Errno::INVAL)
        );
    }
}
