//! Clients that servers are measured with.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use pulsar_bench_raw::fork;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::order::{Order, Reading};
use crate::process::{cpu_time, family};
use crate::samples::{Samples, per_second};

/// Bytes of an echo.
const ECHO: usize = 64;
/// Connections of the HTTP client, each with one request in flight.
const CONNECTIONS: usize = 64;
/// Servers under load are measured so much longer than asks: processor time is counted, and it comes in slices.
const LONGER: u32 = 2;
/// The longest response that is understood.
const LONGEST_RESPONSE: usize = 4096;
/// A server that has said that it listens and refuses for longer is broken.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const CONNECT_PAUSE: Duration = Duration::from_millis(5);

/// Round trips to an echo, one after the other.
pub(crate) fn echoes(mut stream: TcpStream, order: &Order) -> anyhow::Result<Samples> {
    stream.set_nodelay(true)?;
    let (sent, mut received) = ([7; ECHO], [0; ECHO]);
    Samples::of(order, || {
        stream.write_all(&sent)?;
        stream.read_exact(&mut received)?;
        anyhow::ensure!(received == sent, "another echo came back");
        Ok(())
    })
}

/// Loads a server that runs in a process of its own, or in children of that, and never returns; as [`load`].
pub(crate) fn load_forked(
    order: &Order,
    serve: impl FnOnce(&TcpListener) -> anyhow::Result<()>,
) -> anyhow::Result<Reading> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = fork(|| i32::from(serve(&listener).is_err()))?;
    drop(listener);
    load(order, address, server.pid().as_raw_pid().unsigned_abs())
}

/// Loads a server with requests; how many it answered a second, and the processor time of one, in all processes of the
/// server: that of `root` and its descendants.
pub(crate) fn load(order: &Order, address: SocketAddr, root: u32) -> anyhow::Result<Reading> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        requests(address, order.warm_up() * LONGER).await?;
        let pids = family(root)?;
        let cpu = || {
            pids.iter()
                .map(|pid| cpu_time(*pid))
                .sum::<anyhow::Result<Duration>>()
        };
        let (begun, before) = (Instant::now(), cpu()?);
        let count = requests(address, order.effort * LONGER).await?;
        let (span, used) = (begun.elapsed(), cpu()? - before);
        Ok(Reading::from([
            ("cpu_us".to_owned(), 1e6 * used.as_secs_f64() / count as f64),
            ("per_s".to_owned(), per_second(count, span)),
        ]))
    })
}

async fn requests(address: SocketAddr, span: Duration) -> anyhow::Result<u64> {
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let stream = connect(address).await?;
        connections.spawn(ask_again_and_again(stream, Instant::now() + span));
    }
    let mut count = 0;
    while let Some(done) = connections.join_next().await {
        count += done??;
    }
    Ok(count)
}

async fn connect(address: SocketAddr) -> anyhow::Result<tokio::net::TcpStream> {
    let begun = Instant::now();
    loop {
        match tokio::net::TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if begun.elapsed() > CONNECT_LIMIT => return Err(error.into()),
            Err(_) => tokio::time::sleep(CONNECT_PAUSE).await,
        }
    }
}

async fn ask_again_and_again(
    mut stream: tokio::net::TcpStream,
    end: Instant,
) -> anyhow::Result<u64> {
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut buffer = [0; LONGEST_RESPONSE];
    let mut count = 0;
    while Instant::now() < end {
        stream.write_all(REQUEST).await?;
        let mut length = 0;
        while !is_whole(&buffer[..length])? {
            match stream.read(&mut buffer[length..]).await? {
                0 => bail!("the server closed a connection, or its response is too long"),
                more => length += more,
            }
        }
        count += 1;
    }
    Ok(count)
}

/// Whether a response is complete.
fn is_whole(response: &[u8]) -> anyhow::Result<bool> {
    let text = std::str::from_utf8(response)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Ok(false);
    };
    anyhow::ensure!(
        head.starts_with("HTTP/1.1 200"),
        "the server answers {head:?}"
    );
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim())
    });
    let length: usize = length.context("no content-length")?.parse()?;
    Ok(body.len() >= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_whole_when_its_body_is_there() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for length in 0..whole.len() {
            assert!(!is_whole(&whole[..length]).unwrap(), "{length}");
        }
        assert!(is_whole(whole).unwrap());
        assert!(is_whole(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n").is_err());
        assert!(is_whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
