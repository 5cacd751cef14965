//! The server that says hello.

use std::convert::Infallible;
use std::process::ExitCode;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use axum::{Router, routing::get};
use pulsar::http::HttpServer;
use pulsar::prelude::*;

use super::Application;
use crate::client;
use crate::order::{Order, Reading, Work};

pub(super) const APPLICATION: &str = "pulsar_http";

/// Workers of every server that is measured; [`FLAGS`] says the same.
const WORKERS: usize = 2;

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

/// What the site answers, to the byte, by a service without routes.
async fn hello(_request: Request<Body>) -> std::result::Result<Response<Body>, Infallible> {
    let mut response = Response::new(Body::from("Hello World!"));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

pub(super) async fn run(order: &Order) -> ExitCode {
    match order.work {
        Work::HttpService => {
            let service = |_: Worker| async { Ok(tower::service_fn(hello)) };
            HttpServer::new("hello", service).run().await
        }
        _ => HttpServer::new("hello", site).run().await,
    }
}

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    let mut server = Application::start(order, APPLICATION, FLAGS)?;
    let address = server.line_after("listening on http://")?;
    client::load(order, WORKERS, address.parse()?, server.pid())
}
