//! Applications on Pulsar actors: a name, settings, hooks, and supervised workers that run them.
//!
//! An [`Application`] says what its monitor prepares and what its workers do; [`run`] does the
//! rest: it reads the command line, claims the control socket, starts the workers, obeys
//! signals, and ends with the exit code that operators expect.
//!
//! # Layout
//!
//! * [`Application`]: the trait; [`Worker`]: what its hooks get in a worker.
//! * [`Settings`]: what every application can be told; [`NoSettings`] for those that have none of
//!   their own.
//! * [`run`]: from the command line to the exit code.
//! * [`Preparation`]: what the monitor gives its workers.
//! * `operations`: what the control socket can do; `signals`: what operators send.
//!
//! # Example
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! # mod pulsar {
//! #     pub use pulsar_app as app;
//! #     pub use pulsar_core::{Result, main, __private};
//! # }
//! use pulsar::app::{Application, NoSettings, Worker, run};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Ticker;
//!
//! impl Application for Ticker {
//!     type Settings = NoSettings;
//!
//!     fn name(&self) -> &str {
//!         "ticker"
//!     }
//!
//!     async fn worker_start(&self, worker: Worker) -> pulsar::Result<()> {
//!         println!("{} ticks", worker.context().name());
//!         Ok(())
//!     }
//! }
//!
//! # /*
//! #[pulsar::main]
//! # */
//! async fn main_() -> ExitCode {
//!     run(Ticker).await
//! }
//! # fn main() {}
//! ```
#![forbid(unsafe_code)]

mod application;
mod command_line;
mod operations;
mod preparation;
mod run;
mod settings;
mod signals;
mod worker;

pub use application::{Application, ConfigError};
pub use preparation::Preparation;
pub use run::run;
pub use settings::{Concurrency, NoSettings, Settings};
pub use worker::Worker;
