//! The server that says hello.

use std::process::ExitCode;

use axum::{Router, routing::get};
use pulsar::http::HttpServer;
use pulsar::prelude::*;

use super::Application;
use crate::client;
use crate::order::{Order, Reading};

pub(super) const APPLICATION: &str = "pulsar_http";

/// Workers of every server that is measured.
const FLAGS: &[&str] = &[
    "--bind",
    "127.0.0.1:0",
    "--workers",
    "2",
    "--name",
    "bench-http",
    "--log-level",
    "warn",
];

async fn site(_worker: Worker) -> Result<Router> {
    Ok(Router::new().route("/", get(|| async { "Hello World!" })))
}

pub(super) async fn run() -> ExitCode {
    HttpServer::new("hello", site).run().await
}

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    let mut server = Application::start(order, APPLICATION, FLAGS)?;
    let address = server.line_after("listening on http://")?;
    client::load(order, address.parse()?, server.pid())
}
