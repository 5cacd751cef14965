//! Serving, with real clients.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use http::{Request, Response};
use http_body::Frame;
use pulsar_http::{Deadlines, ServeOptions, serve};
use pulsar_net::{Bind, DEFAULT_BACKLOG, Listener};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::{Client, Server};

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

fn with_deadlines(deadlines: Deadlines) -> ServeOptions {
    ServeOptions {
        deadlines,
        ..ServeOptions::default()
    }
}

#[tokio::test]
async fn a_router_answers_again_and_again_on_one_connection() {
    let server = Server::start(hello(), ServeOptions::default());
    let mut client = Client::connect(&server.address).await;
    for _ in 0..3 {
        let response = client.get("/").await;
        assert_eq!((response.status, response.body.as_str()), (200, "hello"));
        assert!(!response.closes());
    }
    assert_eq!(client.get("/nowhere").await.status, 404);
    let counters = &server.counters;
    assert_eq!((counters.accepted(), counters.open()), (1, 1));
    assert_eq!((counters.requests(), counters.panics()), (4, 0));
    drop(client);
    server.open_connections_become(0).await;
}

#[tokio::test]
async fn any_tower_service_answers() {
    let echo = tower::service_fn(|request: Request<Body>| async move {
        Ok::<_, Infallible>(Response::new(Body::from(request.uri().path().to_owned())))
    });
    let server = Server::start(echo, ServeOptions::default());
    let mut client = Client::connect(&server.address).await;
    assert_eq!(client.get("/abc").await.body, "/abc");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(hello(), ServeOptions::default());
    let mut client = Client::connect(&server.address).await;
    let request = |path| format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
    client
        .send(&[request("/"), request("/nowhere"), request("/")].concat())
        .await;
    for status in [200, 404, 200] {
        assert_eq!(client.response().await.status, status);
    }
}

#[tokio::test]
async fn a_handler_knows_the_clients_address() {
    let peer = |ConnectInfo(address): ConnectInfo<SocketAddr>| async move { address.to_string() };
    let server = Server::start(Router::new().route("/", get(peer)), ServeOptions::default());
    let stream = tokio::net::TcpStream::connect(&server.address)
        .await
        .unwrap();
    let address = stream.local_addr().unwrap().to_string();
    assert_eq!(Client::new(stream).get("/").await.body, address);
}

#[tokio::test]
async fn a_unix_socket_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let listener = Listener::bind(&Bind::Unix(path.clone()), DEFAULT_BACKLOG).unwrap();
    let options = ServeOptions::default();
    let server = Server::start_on(listener, hello(), options, Duration::from_secs(60));
    let mut client = Client::new(UnixStream::connect(path).await.unwrap());
    assert_eq!(client.get("/").await.body, "hello");
    drop(client);
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn a_panic_is_500_and_the_connection_goes_on() {
    async fn late() {
        tokio::task::yield_now().await;
        panic!("too late");
    }
    let server = Server::start(hello().route("/late", get(late)), ServeOptions::default());
    let mut client = Client::connect(&server.address).await;
    let response = client.get("/late").await;
    assert_eq!(response.status, 500);
    assert_eq!(response.body, "internal server error\n");
    assert_eq!(client.get("/").await.body, "hello");
    assert_eq!(server.counters.panics(), 1);
}

#[tokio::test]
async fn a_panic_in_the_call_itself_is_500() {
    let service = tower::service_fn(|request: Request<Body>| {
        assert_ne!(request.uri().path(), "/crash", "a wrong path");
        async { Ok::<_, Infallible>(Response::new(Body::from("well"))) }
    });
    let server = Server::start(service, ServeOptions::default());
    let mut client = Client::connect(&server.address).await;
    assert_eq!(client.get("/crash").await.status, 500);
    assert_eq!(client.get("/").await.body, "well");
}

/// Ready when it was asked so many times; it has to be woken for each.
#[derive(Clone)]
struct Hesitant(usize);

impl tower::Service<Request<Body>> for Hesitant {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.0 == 0 {
            return Poll::Ready(Ok(()));
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert_eq!(self.0, 0, "called before it was ready");
        let path = request.uri().path().to_owned();
        std::future::ready(Ok(Response::new(Body::from(path))))
    }
}

#[tokio::test]
async fn a_service_is_called_once_it_is_ready() {
    for hesitation in 0..4 {
        let server = Server::start(Hesitant(hesitation), ServeOptions::default());
        let mut client = Client::connect(&server.address).await;
        for path in ["/abc", "/def"] {
            assert_eq!(client.get(path).await.body, path, "{hesitation}");
        }
    }
}

#[tokio::test]
async fn a_response_of_any_length_arrives_whole() {
    let text = |length| "0123456789abcdef".chars().cycle().take(length);
    let sized = move |request: Request<Body>| async move {
        let length = request.uri().path()[1..].parse().unwrap();
        text(length).collect::<String>()
    };
    let router = Router::new().fallback(sized);
    let server = Server::start(router, ServeOptions::default());
    let mut client = Client::connect(&server.address).await;
    // Around what is written in one piece, header and body together, and far beyond.
    for length in (0..700).chain([4_096, 100_000, 3_000_000]) {
        let body = client.get(&format!("/{length}")).await.body;
        assert!(text(length).eq(body.chars()), "{length}");
    }
}

/// A body whose second piece is a panic.
struct Crashing(bool);

impl http_body::Body for Crashing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        assert!(!std::mem::replace(&mut self.0, true), "the second piece");
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"first")))))
    }
}

#[tokio::test]
async fn a_panic_in_a_body_breaks_its_connection_alone() {
    let crashing = get(|| async { Body::new(Crashing(false)) });
    let server = Server::start(hello().route("/body", crashing), ServeOptions::default());
    let mut client = Client::connect(&server.address).await;
    let mut other = Client::connect(&server.address).await;
    client.request("/body").await;
    let text = client.closed().await;
    assert!(
        !text.ends_with("0\r\n\r\n"),
        "the body looks complete: {text:?}"
    );
    assert_eq!(server.counters.panics(), 1);
    assert_eq!(other.get("/").await.body, "hello");
}

#[tokio::test]
async fn a_header_that_does_not_come_in_time_closes_the_connection() {
    let header = Duration::from_millis(100);
    let server = Server::start(
        hello(),
        with_deadlines(Deadlines {
            header,
            ..Deadlines::default()
        }),
    );
    // Nothing; what could still become HTTP/2; HTTP/1; HTTP/2 without a request.
    for text in [
        "",
        "PRI",
        "GET / HTTP/1.1\r\nHos",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let start = Instant::now();
        let mut client = Client::connect(&server.address).await;
        client.send(text).await;
        client.closed().await;
        assert!(start.elapsed() >= header, "{text:?}: {:?}", start.elapsed());
    }
    // And on a kept-alive connection, whose idle deadline is far.
    let mut client = Client::connect(&server.address).await;
    client.get("/").await;
    client.send("GET / HTTP/1.1\r\n").await;
    assert_eq!(client.closed().await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_its_own_deadline_and_not_at_that_of_headers() {
    let (header, idle) = (Duration::from_millis(20), Duration::from_millis(300));
    let deadlines = Deadlines {
        header,
        idle,
        ..Deadlines::default()
    };
    let server = Server::start(hello(), with_deadlines(deadlines));
    let mut client = Client::connect(&server.address).await;
    client.get("/").await;
    let start = Instant::now();
    client.closed().await;
    // The response ended a little before the client had it.
    assert!(start.elapsed() >= idle / 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_busy_connection_has_no_deadline() {
    let short = Duration::from_millis(20);
    let deadlines = Deadlines {
        header: short,
        idle: short,
        body: short,
    };
    let slow = get(|| async {
        // Not to synchronise: this is the handler's work, many deadlines long.
        tokio::time::sleep(Duration::from_millis(200)).await;
        "done"
    });
    let server = Server::start(Router::new().route("/", slow), with_deadlines(deadlines));
    let mut client = Client::connect(&server.address).await;
    assert_eq!(client.get("/").await.body, "done");
}

#[tokio::test]
async fn a_body_that_stops_coming_fails_in_the_handler() {
    let (sender, mut errors) = mpsc::unbounded_channel();
    let read = post(move |body: Body| async move {
        let error = axum::body::to_bytes(body, 100).await.err();
        sender.send(error).unwrap();
        "read"
    });
    let deadlines = Deadlines {
        body: Duration::from_millis(50),
        ..Deadlines::default()
    };
    let server = Server::start(Router::new().route("/", read), with_deadlines(deadlines));
    let mut client = Client::connect(&server.address).await;
    let head = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\n";
    client.send(&format!("{head}abcdef")).await;
    assert_eq!(client.response().await.status, 200);
    assert!(
        errors.recv().await.unwrap().is_none(),
        "a whole body is read"
    );
    client.send(&format!("{head}abc")).await;
    assert_eq!(client.response().await.status, 200);
    let error = errors.recv().await.unwrap().unwrap();
    let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source());
    let late = causes.any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
    });
    assert!(late, "{error:?}");
    client.closed().await;
}

#[tokio::test]
async fn a_connection_beyond_the_limit_is_served_when_another_ends() {
    let options = ServeOptions {
        max_connections: 1,
        ..ServeOptions::default()
    };
    let server = Server::start(hello(), options);
    let mut first = Client::connect(&server.address).await;
    first.get("/").await;
    let mut second = Client::connect(&server.address).await;
    second.request("/").await;
    // A whole exchange on the first, while the second waits in the queue.
    first.get("/").await;
    assert_eq!(server.counters.accepted(), 1);
    drop(first);
    assert_eq!(second.response().await.body, "hello");
}

#[tokio::test]
async fn a_server_without_a_listener_is_refused() {
    let (stop, wait) = (CancellationToken::new(), Duration::ZERO);
    let served = serve(Vec::new(), hello(), ServeOptions::default(), stop, wait).await;
    assert_eq!(served.unwrap_err().kind(), io::ErrorKind::InvalidInput);
}
