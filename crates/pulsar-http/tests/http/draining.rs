//! The drain, with real clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::{CONNECTION, UPGRADE};
use http::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use pulsar_http::{Drained, ServeOptions};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

use crate::support::{Client, Server, listener};

/// A router with `/`, and with `/slow`, which tells when it is entered and waits to be released.
struct Slow {
    entered: mpsc::UnboundedReceiver<()>,
    release: Arc<Notify>,
    router: Router,
}

impl Slow {
    fn new() -> Self {
        let (sender, entered) = mpsc::unbounded_channel();
        let release = Arc::new(Notify::new());
        let wait = release.clone();
        let slow = move || async move {
            sender.send(()).expect("the test waits");
            wait.notified().await;
            "slow"
        };
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/slow", get(slow));
        Self {
            entered,
            release,
            router,
        }
    }
}

fn with_grace(drain_grace: Duration) -> ServeOptions {
    ServeOptions {
        drain_grace,
        ..ServeOptions::default()
    }
}

const NO_GRACE: Duration = Duration::ZERO;
const LONG_GRACE: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_server_without_connections_stops_at_once_and_refuses_new_ones() {
    let server = Server::start(Slow::new().router, with_grace(LONG_GRACE));
    let address = server.address.clone();
    let start = Instant::now();
    assert_eq!(
        server.stop().await,
        Drained {
            finished: 0,
            cut: 0
        }
    );
    assert!(start.elapsed() < LONG_GRACE / 2);
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn a_request_in_flight_is_answered_and_its_connection_closed() {
    let mut slow = Slow::new();
    let server = Server::start(slow.router, with_grace(NO_GRACE));
    let mut client = Client::connect(&server.address).await;
    client.request("/slow").await;
    slow.entered.recv().await.unwrap();
    server.begin_stop().await;
    slow.release.notify_one();
    let response = client.response().await;
    assert_eq!((response.status, response.body.as_str()), (200, "slow"));
    assert!(response.closes());
    assert_eq!(client.closed().await, "");
    assert_eq!(
        server.stop().await,
        Drained {
            finished: 1,
            cut: 0
        }
    );
}

#[tokio::test]
async fn a_request_that_waits_in_the_queue_is_answered() {
    let listener = listener();
    let mut client = Client::connect(&listener.address().to_string()).await;
    client.request("/").await;
    let options = with_grace(LONG_GRACE);
    let server = Server::start_on(listener, Slow::new().router, options, LONG_GRACE * 2);
    // The server has not run yet: its first turn is its stop.
    let stopping = tokio::spawn(server.stop());
    let response = client.response().await;
    assert_eq!((response.body.as_str(), response.closes()), ("hello", true));
    assert_eq!(
        stopping.await.unwrap(),
        Drained {
            finished: 1,
            cut: 0
        }
    );
}

#[tokio::test]
async fn an_idle_connection_has_its_next_request_answered_and_is_then_closed() {
    let server = Server::start(Slow::new().router, with_grace(LONG_GRACE));
    let mut client = Client::connect(&server.address).await;
    assert!(!client.get("/").await.closes());
    server.begin_stop().await;
    let response = client.get("/").await;
    assert_eq!((response.body.as_str(), response.closes()), ("hello", true));
    let start = Instant::now();
    assert_eq!(client.closed().await, "");
    assert_eq!(server.stop().await.cut, 0);
    assert!(
        start.elapsed() < LONG_GRACE / 2,
        "it ends before the grace does"
    );
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_grace() {
    let grace = Duration::from_millis(100);
    let server = Server::start(Slow::new().router, with_grace(grace));
    let mut idle = Client::connect(&server.address).await;
    idle.get("/").await;
    let mut fresh = Client::connect(&server.address).await;
    server.open_connections_become(2).await;
    let start = Instant::now();
    assert_eq!(
        server.stop().await,
        Drained {
            finished: 2,
            cut: 0
        }
    );
    assert!(start.elapsed() >= grace, "{:?}", start.elapsed());
    assert_eq!(idle.closed().await, "");
    assert_eq!(fresh.closed().await, "");
}

#[tokio::test]
async fn a_grace_as_long_as_the_deadline_is_halved_so_that_idle_connections_are_not_cut() {
    let time = Duration::from_millis(600);
    let server = Server::start_on(listener(), Slow::new().router, with_grace(time), time);
    let mut idle = Client::connect(&server.address).await;
    idle.get("/").await;
    let start = Instant::now();
    assert_eq!(
        server.stop().await,
        Drained {
            finished: 1,
            cut: 0
        }
    );
    assert!(start.elapsed() < time, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_header_that_has_begun_when_idle_connections_are_closed_is_answered() {
    let server = Server::start(Slow::new().router, with_grace(NO_GRACE));
    let mut half = Client::connect(&server.address).await;
    half.get("/").await;
    half.send("GET / HTTP/1.1\r\nHo").await;
    // The system reports sockets in the order in which they became ready: with this answer the half header has been read.
    let mut witness = Client::connect(&server.address).await;
    witness.get("/").await;
    server.begin_stop().await;
    witness.closed().await;
    half.send("st: test\r\n\r\n").await;
    let response = half.response().await;
    assert_eq!((response.body.as_str(), response.closes()), ("hello", true));
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn a_request_that_outlasts_the_deadline_is_cut_and_counted() {
    let mut slow = Slow::new();
    let deadline = Duration::from_millis(100);
    let server = Server::start_on(listener(), slow.router, with_grace(NO_GRACE), deadline);
    let mut idle = Client::connect(&server.address).await;
    idle.get("/").await;
    let mut client = Client::connect(&server.address).await;
    client.request("/slow").await;
    slow.entered.recv().await.unwrap();
    let counters = server.counters.clone();
    let start = Instant::now();
    assert_eq!(
        server.stop().await,
        Drained {
            finished: 1,
            cut: 1
        }
    );
    assert!(start.elapsed() >= deadline);
    assert_eq!(client.closed().await, "");
    assert_eq!(counters.open(), 0);
}

/// Switches to a protocol in which the server sends back what it gets.
async fn echo(mut request: Request<Body>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut io = TokioIo::new(upgrade.await.expect("an upgrade"));
        let (mut reader, mut writer) = tokio::io::split(&mut io);
        _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "echo")
        .body(Body::empty())
        .expect("a valid response")
}

const UPGRADE_REQUEST: &str =
    "GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

#[tokio::test]
async fn an_upgraded_connection_is_open_until_it_is_closed() {
    let server = Server::start(Router::new().route("/", get(echo)), with_grace(NO_GRACE));
    let mut client = Client::connect(&server.address).await;
    client.send(UPGRADE_REQUEST).await;
    assert_eq!(client.response().await.status, 101);
    client.send("ping").await;
    assert_eq!(client.read(4).await, "ping");
    assert_eq!(server.counters.open(), 1);
    server.begin_stop().await;
    client.send("pong").await;
    assert_eq!(client.read(4).await, "pong");
    drop(client);
    assert_eq!(
        server.stop().await,
        Drained {
            finished: 1,
            cut: 0
        }
    );
}

#[tokio::test]
async fn an_upgrade_during_the_drain_keeps_its_header() {
    let server = Server::start(Router::new().route("/", get(echo)), with_grace(LONG_GRACE));
    let mut client = Client::connect(&server.address).await;
    server.open_connections_become(1).await;
    server.begin_stop().await;
    client.send(UPGRADE_REQUEST).await;
    let response = client.response().await;
    assert_eq!((response.status, response.closes()), (101, false));
}

#[tokio::test]
async fn an_upgraded_connection_is_cut_at_the_deadline() {
    let router = Router::new().route("/", get(echo));
    let deadline = Duration::from_millis(100);
    let server = Server::start_on(listener(), router, with_grace(NO_GRACE), deadline);
    let mut client = Client::connect(&server.address).await;
    client.send(UPGRADE_REQUEST).await;
    assert_eq!(client.response().await.status, 101);
    client.send("ping").await;
    assert_eq!(client.read(4).await, "ping");
    assert_eq!(
        server.stop().await,
        Drained {
            finished: 0,
            cut: 1
        }
    );
    assert_eq!(client.closed().await, "");
}
