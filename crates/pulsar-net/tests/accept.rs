//! Accepting, with real clients.

use std::sync::Arc;

use pulsar_net::{Bind, DEFAULT_BACKLOG, Listener, Peer, Stream, accept};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

type Accepted = (Stream, OwnedSemaphorePermit);

struct Server {
    stop: CancellationToken,
    limit: Arc<Semaphore>,
    accepted: mpsc::UnboundedReceiver<Accepted>,
    loops: Vec<JoinHandle<std::io::Result<()>>>,
}

impl Server {
    fn start(listeners: Vec<Listener>, limit: usize) -> Self {
        let (sender, accepted) = mpsc::unbounded_channel();
        let (stop, limit) = (CancellationToken::new(), Arc::new(Semaphore::new(limit)));
        let start = |listener| {
            let sender = sender.clone();
            tokio::spawn(accept(
                listener,
                stop.clone(),
                limit.clone(),
                move |stream, permit| _ = sender.send((stream, permit)),
            ))
        };
        let loops = listeners.into_iter().map(start).collect();
        Self {
            stop,
            limit,
            accepted,
            loops,
        }
    }

    async fn stop(self) -> Vec<Accepted> {
        self.stop.cancel();
        for accepting in self.loops {
            accepting.await.expect("no panic").expect("a clean stop");
        }
        let mut left = Vec::new();
        let mut accepted = self.accepted;
        while let Ok(connection) = accepted.try_recv() {
            left.push(connection);
        }
        left
    }
}

fn listener() -> (Listener, String) {
    let listener = Listener::bind(&Bind::Tcp("127.0.0.1".to_owned(), 0), DEFAULT_BACKLOG)
        .expect("a free port");
    let address = listener.address().to_string();
    (listener, address)
}

async fn echo_one_byte(mut client: impl AsyncReadExt + AsyncWriteExt + Unpin, mut server: Stream) {
    client.write_all(b"x").await.expect("sent");
    assert_eq!(server.read_u8().await.expect("open"), b'x');
    server.write_all(b"y").await.expect("open");
    assert_eq!(client.read_u8().await.expect("open"), b'y');
}

#[tokio::test]
async fn a_tcp_connection_carries_bytes_without_delay_and_knows_its_peer() {
    let (listener, address) = listener();
    let mut server = Server::start(vec![listener], 2);
    let client = TcpStream::connect(address).await.unwrap();
    let (stream, _permit) = server.accepted.recv().await.unwrap();
    assert_eq!(stream.peer(), Peer::Tcp(client.local_addr().unwrap()));
    let Stream::Tcp(tcp, _) = &stream else {
        panic!("{stream:?}")
    };
    assert!(tcp.nodelay().unwrap());
    echo_one_byte(client, stream).await;
    server.stop().await;
}

#[tokio::test]
async fn a_unix_connection_carries_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let listener = Listener::bind(&Bind::Unix(path.clone()), DEFAULT_BACKLOG).unwrap();
    let mut server = Server::start(vec![listener], 2);
    let client = UnixStream::connect(path).await.unwrap();
    let (stream, _permit) = server.accepted.recv().await.unwrap();
    assert_eq!(stream.peer().to_string(), "unix");
    echo_one_byte(client, stream).await;
    server.stop().await;
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_until_another_ends() {
    let (listener, address) = listener();
    let mut server = Server::start(vec![listener], 1);
    let _first = TcpStream::connect(&address).await.unwrap();
    let (_, permit) = server.accepted.recv().await.unwrap();
    let second = TcpStream::connect(&address).await.unwrap();
    // Several turns of the loop, in which a loop that ignored the limit would have accepted.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    server.accepted.try_recv().unwrap_err();
    drop(permit);
    let (stream, _permit) = server.accepted.recv().await.unwrap();
    assert_eq!(stream.peer(), Peer::Tcp(second.local_addr().unwrap()));
    server.stop().await;
}

#[tokio::test]
async fn an_idle_listener_does_not_keep_the_last_permit_from_another() {
    let ((idle, _), (busy, address)) = (listener(), listener());
    let mut server = Server::start(vec![idle, busy], 1);
    for _ in 0..3 {
        let _client = TcpStream::connect(&address).await.unwrap();
        let _connection = server.accepted.recv().await.unwrap();
    }
    server.stop().await;
}

#[tokio::test]
async fn stopping_takes_what_waits_in_the_queue_and_closes_the_listener() {
    let (listener, address) = listener();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(TcpStream::connect(&address).await.unwrap());
    }
    let server = Server::start(vec![listener], 8);
    // The loop has not run yet: all five are taken by the stop.
    assert_eq!(server.stop().await.len(), 5);
    TcpStream::connect(&address).await.unwrap_err();
}

#[tokio::test]
async fn stopping_takes_no_more_than_the_free_permits() {
    let (listener, address) = listener();
    let shared = listener.try_clone().unwrap();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(TcpStream::connect(&address).await.unwrap());
    }
    let server = Server::start(vec![listener], 3);
    let limit = server.limit.clone();
    assert_eq!(server.stop().await.len(), 3);
    assert_eq!(
        limit.available_permits(),
        3,
        "the permits ended with their connections"
    );
    // The other two still wait in the queue that another worker shares.
    let mut other = Server::start(vec![shared], 8);
    let _first = other.accepted.recv().await.unwrap();
    let _second = other.accepted.recv().await.unwrap();
    other.stop().await;
}

#[tokio::test]
async fn a_loop_without_permits_stops_at_once() {
    let (listener, address) = listener();
    let mut server = Server::start(vec![listener], 1);
    let _first = TcpStream::connect(&address).await.unwrap();
    let held = server.accepted.recv().await.unwrap();
    let _second = TcpStream::connect(&address).await.unwrap();
    assert!(server.stop().await.is_empty());
    drop(held);
}

#[tokio::test]
async fn two_workers_share_a_listener_and_each_connection_is_taken_once() {
    let (listener, address) = listener();
    let mut workers = [
        Server::start(vec![listener.try_clone().unwrap()], 64),
        Server::start(vec![listener], 64),
    ];
    let mut clients = Vec::new();
    let mut peers = Vec::new();
    let [first, second] = &mut workers;
    for _ in 0..32 {
        let client = TcpStream::connect(&address).await.unwrap();
        let (stream, _) = tokio::select! { taken = first.accepted.recv() => taken, taken = second.accepted.recv() => taken }.unwrap();
        peers.push(stream.peer());
        clients.push(client);
    }
    let expected: Vec<_> = clients
        .iter()
        .map(|client| Peer::Tcp(client.local_addr().unwrap()))
        .collect();
    assert_eq!(peers, expected);
    for worker in workers {
        assert!(worker.stop().await.is_empty());
    }
}
