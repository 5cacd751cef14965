//! actix-web in one process, with as many workers as the others have processes: <https://crates.io/crates/actix-web>.

use std::net::TcpListener;

use actix_web::{App, HttpServer, web};
use pulsar_bench_raw::fork;

use crate::client;
use crate::order::{Order, Reading};

const WORKERS: usize = 2;

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = fork(|| i32::from(serve(&listener).is_err()))?;
    drop(listener);
    client::load(order, address, server.pid().as_raw_pid().unsigned_abs())
}

fn serve(listener: &TcpListener) -> anyhow::Result<()> {
    let site = || App::new().route("/", web::get().to(|| async { "Hello World!" }));
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(site).workers(WORKERS);
        Ok(server.listen(listener.try_clone()?)?.run().await?)
    })
}
