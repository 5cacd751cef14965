//! axum in one process, with as many threads as the others have processes: <https://crates.io/crates/axum>.

use std::net::TcpListener;

use axum::{Router, routing::get};
use tokio::runtime::Builder;

use crate::client;
use crate::order::{Order, Reading};

const THREADS: usize = 2;

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    client::load_forked(order, 1, serve)
}

fn serve(listener: &TcpListener) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
        let site = Router::new().route("/", get(|| async { "Hello World!" }));
        Ok(axum::serve(listener, site).await?)
    })
}
