//! A server with settings of its own, which reach the factory in each worker and may make it fail.
#![forbid(unsafe_code)]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use axum::{Router, routing::get};
use clap::{Args, ValueEnum};
use pulsar::http::HttpServer;
use pulsar::prelude::*;
use serde::{Deserialize, Serialize};

/// The settings of this application's own.
#[derive(Args, Clone, Serialize, Deserialize)]
struct Own {
    /// What it answers
    #[arg(long, env = "PULSAR_GREETING", default_value = "good day")]
    greeting: String,

    /// A file to which each boot of a worker adds a line: the time, in milliseconds
    #[arg(long)]
    boots: Option<PathBuf>,

    /// How the factory fails
    #[arg(long, value_enum)]
    failing: Option<Failing>,
}

/// A way in which a factory fails.
#[derive(Clone, Copy, ValueEnum, Serialize, Deserialize)]
enum Failing {
    Error,
    Panic,
    Hang,
    /// It ends the whole server.
    Halt,
}

#[pulsar::main]
async fn main() -> ExitCode {
    HttpServer::new("factory", site).run().await
}

async fn site(worker: Worker<Own>) -> Result<Router> {
    let own = worker.settings();
    if let Some(file) = &own.boots {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let mut boots = OpenOptions::new().create(true).append(true).open(file)?;
        writeln!(boots, "{}", now.as_millis())?;
    }
    match own.failing {
        Some(Failing::Error) => return Err(Error::msg("no database")),
        Some(Failing::Panic) => panic!("no database"),
        Some(Failing::Halt) => halt(7)?,
        Some(Failing::Hang) => std::future::pending().await,
        None => {}
    }
    let greeting = own.greeting.clone();
    let greet = move || async move { format!("{greeting} from {}", std::process::id()) };
    Ok(Router::new().route("/", get(greet)))
}
