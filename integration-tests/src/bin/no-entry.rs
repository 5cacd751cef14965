//! A program that forgot `#[pulsar::main]`: without an argument it spawns, with `start` it starts
//! the arbiter, with another it serves.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use axum::Router;
use pulsar::http::HttpServer;
use pulsar::prelude::*;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let code = match std::env::args().nth(1).as_deref() {
        Some("start") => match arbiter().start() {
            Ok(ended) => ended.code(),
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Some(_) => HttpServer::new("forgetful", site).run().await,
        None => match spawn().await {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
    };
    println!("{}", faults_of_ended_children());
    code
}

async fn site(_worker: Worker) -> Result<Router> {
    Ok(Router::new())
}

/// The page faults of the children that have been waited for: none, if there were none, since
/// each process has some.
fn faults_of_ended_children() -> String {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    fields.split(' ').nth(8).unwrap_or_default().to_owned()
}
