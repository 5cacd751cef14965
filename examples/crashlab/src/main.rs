//! A server that fails in every way a process can, for demonstrations and tests.
//!
//! `cargo run --release -p crashlab`, then `curl http://127.0.0.1:8060/crash/segv`: that
//! connection breaks, others go on, and another worker takes the place of the dead one.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::extract::Path;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use pulsar::http::HttpServer;
use pulsar::prelude::*;
use pulsar_testkit::Fault;

#[pulsar::main]
async fn main() -> ExitCode {
    HttpServer::new("crashlab", laboratory).run().await
}

async fn laboratory(_worker: Worker) -> Result<Router> {
    Ok(Router::new()
        .route("/", get(|| async { "ok" }))
        .route("/pid", get(|| async { std::process::id().to_string() }))
        .route("/sleep/{ms}", get(sleep))
        .route("/burn/{ms}", get(burn))
        .route("/crash/{how}", get(crash))
        .route("/leak/{mb}", get(leak)))
}

/// Takes its time, and leaves the worker's loop to others.
async fn sleep(Path(ms): Path<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    "slept"
}

/// Takes its time, and holds the worker's loop.
async fn burn(Path(ms): Path<u64>) -> &'static str {
    let end = Instant::now() + Duration::from_millis(ms);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    "burnt"
}

/// Fails as it is told.
async fn crash(Path(how): Path<String>) -> (StatusCode, String) {
    match how.parse::<Fault>() {
        Ok(fault) => fault.commit(),
        Err(unknown) => (StatusCode::NOT_FOUND, unknown.to_string()),
    }
}

/// Takes memory and keeps it.
async fn leak(Path(mb): Path<usize>) -> (StatusCode, &'static str) {
    static LEAKED: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    const MAX_MB: usize = 1024;
    if mb > MAX_MB {
        return (StatusCode::BAD_REQUEST, "at most 1024 MB at once");
    }
    // Written to: memory that is only asked for takes none.
    let block = vec![1; mb << 20];
    if let Ok(mut leaked) = LEAKED.lock() {
        leaked.push(block);
    }
    (StatusCode::OK, "leaked")
}
