//! A server each of whose workers dies soon after it is ready.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use axum::Router;
use pulsar::http::HttpServer;
use pulsar::prelude::*;
use pulsar_testkit::Fault;

/// Far longer than from here to being ready, far shorter than what counts as healthy.
const LIFE: Duration = Duration::from_millis(200);

#[pulsar::main]
async fn main() -> ExitCode {
    HttpServer::new("crash-loop", doomed).run().await
}

async fn doomed(_worker: Worker) -> Result<Router> {
    thread::spawn(|| {
        thread::sleep(LIFE);
        Fault::Abort.commit()
    });
    Ok(Router::new())
}
