//! Bare hyper: two processes that accept from one listener.

use std::convert::Infallible;
use std::net::TcpListener;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use pulsar_bench_raw::fork;
use tokio::runtime::Builder;

use crate::client;
use crate::order::{Order, Reading};

const PROCESSES: usize = 2;

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    client::load_forked(order, PROCESSES, |listener| {
        let workers = (0..PROCESSES).map(|_| fork(|| i32::from(serve(listener).is_err())));
        let mut workers = workers.collect::<Result<Vec<_>, _>>()?;
        workers.iter_mut().for_each(|worker| drop(worker.wait()));
        Ok(())
    })
}

fn serve(listener: &TcpListener) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(hello));
            // It ends when the client does, or with the client's mistake.
            tokio::spawn(async move { drop(connection.await) });
        }
    })
}

/// What axum answers, to the byte.
async fn hello(_request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("Hello World!"));
    let text = hyper::header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}
