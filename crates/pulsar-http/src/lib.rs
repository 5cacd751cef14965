//! HTTP servers: any tower service or axum router.
//!
//! # Layout
//!
//! - [`HttpServer`]: an application whose workers serve HTTP; [`HttpSettings`]
//! - [`serve`]: serves on listeners until told to stop, then drains; [`ServeOptions`], [`Deadlines`], [`Drained`]
//! - [`Counters`]: what a server has done so far
//!
//! Inside, `connection` runs one connection from its accept to its end; `handler` is the user's service as hyper calls it;
//! `activity` knows what a connection is doing, from what `socket` reads and from where the bodies of requests and responses are;
//! `bell` wakes its task for its deadlines and for the stages of the `server`.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//!
//! use axum::{Router, routing::get};
//! use pulsar_http::{ServeOptions, serve};
//! use pulsar_net::{DEFAULT_BACKLOG, Listener};
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = Listener::bind(&"127.0.0.1:0".parse()?, DEFAULT_BACKLOG)?;
//! let router = Router::new().route("/", get(|| async { "hello" }));
//! let stop = CancellationToken::new();
//! # stop.cancel();
//! let drained = serve(vec![listener], router, ServeOptions::default(), stop, Duration::from_secs(10)).await?;
//! assert_eq!(drained.cut, 0);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod activity;
mod bell;
mod connection;
mod counters;
mod deadlines;
mod handler;
mod http_server;
mod panic;
mod request_body;
mod request_guard;
mod response_body;
mod serve;
mod server;
mod shared;
mod socket;

pub use counters::Counters;
pub use deadlines::Deadlines;
pub use http_server::{HttpServer, HttpSettings};
pub use serve::{Drained, ServeOptions, serve};
