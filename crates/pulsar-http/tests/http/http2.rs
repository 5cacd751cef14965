//! HTTP/2 without TLS, by prior knowledge.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pulsar_http::{Deadlines, Drained, ServeOptions};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::support::{Server, within};

/// A client, and its connection, which ends with what the server's closing it looked like.
async fn connect(address: &str) -> (SendRequest<Body>, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(address)
        .await
        .expect("the server listens");
    let io = TokioIo::new(stream);
    let (client, connection) = handshake(TokioExecutor::new(), io).await.expect("HTTP/2");
    (client, tokio::spawn(connection))
}

async fn request(client: &mut SendRequest<Body>, path: &str) -> (StatusCode, String) {
    let uri = format!("http://test{path}");
    let request = Request::get(uri)
        .body(Body::empty())
        .expect("a valid request");
    let response = within(client.send_request(request))
        .await
        .expect("a response");
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

fn crash() -> std::future::Ready<()> {
    panic!("a handler's own fault");
}

fn hello() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/crash", get(crash))
}

fn with_grace(drain_grace: Duration) -> ServeOptions {
    ServeOptions {
        drain_grace,
        ..ServeOptions::default()
    }
}

const LONG_GRACE: Duration = Duration::from_secs(15);

#[tokio::test]
async fn http2_is_served_by_prior_knowledge_and_survives_a_panic() {
    let server = Server::start(hello(), ServeOptions::default());
    let (mut client, _connection) = connect(&server.address).await;
    assert_eq!(
        request(&mut client, "/").await,
        (StatusCode::OK, "hello".to_owned())
    );
    assert_eq!(
        request(&mut client, "/crash").await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(request(&mut client, "/").await.1, "hello");
    assert_eq!(
        (server.counters.accepted(), server.counters.requests()),
        (1, 3)
    );
}

#[tokio::test]
async fn a_stop_sends_goaway_at_once() {
    let server = Server::start(hello(), with_grace(LONG_GRACE));
    let (mut client, connection) = connect(&server.address).await;
    request(&mut client, "/").await;
    // Nothing was asked for on this one yet.
    let (_fresh, fresh_connection) = connect(&server.address).await;
    server.open_connections_become(2).await;
    let start = Instant::now();
    assert_eq!(
        server.stop().await,
        Drained {
            finished: 2,
            cut: 0
        }
    );
    assert!(start.elapsed() < LONG_GRACE / 2, "{:?}", start.elapsed());
    within(connection).await.unwrap().unwrap();
    within(fresh_connection).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_in_flight_is_answered_during_the_drain() {
    let (sender, mut entered) = mpsc::unbounded_channel();
    let release = Arc::new(Notify::new());
    let wait = release.clone();
    let slow = get(move || async move {
        sender.send(()).unwrap();
        wait.notified().await;
        "slow"
    });
    let server = Server::start(Router::new().route("/", slow), with_grace(Duration::ZERO));
    let (mut client, connection) = connect(&server.address).await;
    let answered = tokio::spawn(async move { request(&mut client, "/").await });
    entered.recv().await.unwrap();
    server.begin_stop().await;
    release.notify_one();
    assert_eq!(answered.await.unwrap(), (StatusCode::OK, "slow".to_owned()));
    assert_eq!(
        server.stop().await,
        Drained {
            finished: 1,
            cut: 0
        }
    );
    within(connection).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_connection_gets_goaway_at_its_deadline() {
    let (header, idle) = (Duration::from_millis(100), Duration::from_millis(300));
    let deadlines = Deadlines {
        header,
        idle,
        ..Deadlines::default()
    };
    let server = Server::start(
        hello(),
        ServeOptions {
            deadlines,
            ..ServeOptions::default()
        },
    );
    let (mut client, connection) = connect(&server.address).await;
    request(&mut client, "/").await;
    let start = Instant::now();
    within(connection).await.unwrap().unwrap();
    assert!(start.elapsed() >= idle / 2, "{:?}", start.elapsed());
    server.open_connections_become(0).await;
}
