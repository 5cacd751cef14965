//! The smallest Pulsar server: an axum application in supervised worker processes.
//!
//! `cargo run --release -p hello`, then `curl http://127.0.0.1:8060`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use axum::{Router, routing::get};
use pulsar::http::HttpServer;
use pulsar::prelude::*;

/// Builds the router, once in each worker.
async fn site(_worker: Worker) -> Result<Router> {
    Ok(Router::new().route("/", get(|| async { "Hello World!" })))
}

#[pulsar::main]
async fn main() -> ExitCode {
    HttpServer::new("hello", site).run().await
}
