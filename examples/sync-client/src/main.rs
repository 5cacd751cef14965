//! One client, two ways to use it: awaited on an actor's event loop, and waited for in synchronous
//! code, where it brings a loop of its own.
//!
//! `cargo run -p sync-client`
#![forbid(unsafe_code)]

mod client;
mod server;

use std::net::SocketAddr;

use pulsar::EventLoop;
use pulsar::prelude::*;

use client::Client;
use server::EchoServer;

#[pulsar::main]
async fn main() -> Result<()> {
    let server = EchoServer::spawn().await?;
    let address = server.address().await?;

    // Here the client lives on the loop that runs this code: it is awaited.
    let client = Client::new(address, EventLoop::current()?);
    println!("awaited: {}", client.echo("hello".to_owned()).await?);
    // To wait would hold this loop, and the client would wait for ever: that is an error.
    if let Err(error) = client.echo("hello".to_owned()).wait() {
        println!("refused: {error}");
    }

    // What blocks runs in the executor. It may wait for a client on a loop of its own as well as
    // for the one above, whose loop goes on meanwhile.
    let main = get_actor().ok_or_else(|| Error::msg("main runs as the arbiter"))?;
    let executor = main.executor();
    let lines = executor.run(move || synchronously(address)).await??;
    println!("waited for: {}", lines.join(", "));
    let echo = client.echo("again".to_owned());
    let line = executor.run(move || echo.wait()).await???;
    println!("waited for elsewhere: {line}");
    Ok(())
}

/// Code that knows nothing of async: a library's, a script's.
fn synchronously(address: SocketAddr) -> Result<Vec<String>> {
    let client = Client::new(address, EventLoop::new()?);
    let mut lines = Vec::new();
    for line in ["one", "two"] {
        lines.push(client.echo(line.to_owned()).wait()??);
    }
    let count = client.count().wait()?;
    lines.push(format!("{count} lines in all"));
    Ok(lines)
}
