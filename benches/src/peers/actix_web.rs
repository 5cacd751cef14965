//! actix-web in one process, with as many workers as the others have processes: <https://crates.io/crates/actix-web>.

use std::net::TcpListener;

use actix_web::{App, HttpServer, web};

use crate::client;
use crate::order::{Order, Reading};

const WORKERS: usize = 2;

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    client::load_forked(order, 1, serve)
}

fn serve(listener: &TcpListener) -> anyhow::Result<()> {
    let site = || App::new().route("/", web::get().to(|| async { "Hello World!" }));
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(site).workers(WORKERS);
        Ok(server.listen(listener.try_clone()?)?.run().await?)
    })
}
