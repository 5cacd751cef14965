//! An actor that serves.

use std::io;
use std::net::SocketAddr;

use pulsar::prelude::*;
use tokio::net::{TcpListener, TcpStream};

/// Gives back what it gets, on a port that the system chooses.
pub(crate) struct EchoServer {
    address: SocketAddr,
}

#[pulsar::actor]
impl EchoServer {
    pub(crate) async fn start(cx: Context) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        cx.spawn(serve(cx.clone(), listener));
        Ok(Self { address })
    }

    /// Where it listens.
    #[command]
    pub(crate) fn address(&mut self) -> SocketAddr {
        self.address
    }
}

/// Serves until the actor is asked to stop.
async fn serve(cx: Context, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = cx.stop_asked() => return Ok(()),
        };
        let stopped = cx.stop_token();
        cx.spawn(async move { stopped.run_until_cancelled(echo(stream)).await });
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<u64> {
    let (mut from, mut to) = stream.split();
    tokio::io::copy(&mut from, &mut to).await
}
