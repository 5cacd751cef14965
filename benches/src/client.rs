//! Clients that servers are measured with.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use pulsar_bench_raw::fork;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::order::{Order, Reading};
use crate::process::{cpu_time, family, sockets};
use crate::samples::{Samples, per_second};
use crate::stats::median;

/// Bytes of an echo.
const ECHO: usize = 64;
/// Connections of the HTTP client, each with one request in flight.
const CONNECTIONS: usize = 64;
/// Servers under load are measured so much longer than asks: processor time is counted, and it comes in slices.
const LONGER: u32 = 2;
/// A reading is the median of so many, one after the other: what else the machine does comes in bursts.
const SLICES: u32 = 8;
/// A server that has answered everything is at rest well before.
const SETTLING: Duration = Duration::from_millis(2);
/// The longest response that is understood.
const LONGEST_RESPONSE: usize = 4096;
/// A server that has said that it listens and refuses for longer is broken.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// To spread the connections takes some milliseconds.
const SPREAD_LIMIT: Duration = Duration::from_secs(10);
const CONNECT_PAUSE: Duration = Duration::from_millis(5);

/// Round trips to an echo, one after the other.
pub(crate) fn echoes(mut stream: std::net::TcpStream, order: &Order) -> anyhow::Result<Samples> {
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
    processes: usize,
    serve: impl FnOnce(&TcpListener) -> anyhow::Result<()>,
) -> anyhow::Result<Reading> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = fork(|| i32::from(serve(&listener).is_err()))?;
    drop(listener);
    let root = server.pid().as_raw_pid().unsigned_abs();
    load(order, processes, address, root)
}

/// Loads a server with requests; how many it answered a second, and the processor time of one, in all processes of the
/// server: that of `root` and its descendants. So many of them serve, each as many connections as the others.
pub(crate) fn load(
    order: &Order,
    processes: usize,
    address: SocketAddr,
    root: u32,
) -> anyhow::Result<Reading> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut streams = spread(address, root, CONNECTIONS / processes).await?;
        requests(&mut streams, order.warm_up() * LONGER).await?;
        let pids = family(root)?;
        let (mut cpu_us, mut per_s) = (Vec::new(), Vec::new());
        for _ in 0..SLICES {
            let before = settled_cpu(&pids).await?;
            let begun = Instant::now();
            let count = requests(&mut streams, order.effort * LONGER / SLICES).await?;
            let span = begun.elapsed();
            let used = settled_cpu(&pids).await? - before;
            cpu_us.push(1e6 * used.as_secs_f64() / count as f64);
            per_s.push(per_second(count, span));
        }
        let middle = |values: &[f64]| median(values).context("no slices");
        Ok(Reading::from([
            ("cpu_us".to_owned(), middle(&cpu_us)?),
            ("per_s".to_owned(), middle(&per_s)?),
        ]))
    })
}

/// The processor time of these processes, once they are at rest: of one that runs, the system counts it up to its last
/// tick only.
async fn settled_cpu(pids: &[u32]) -> anyhow::Result<Duration> {
    tokio::time::sleep(SETTLING).await;
    pids.iter().map(|pid| cpu_time(*pid)).sum()
}

/// So many connections to each process that serves. Left to themselves, all may be taken by whoever wakes first, and what
/// a request costs depends on how many of them a process finds ready at a time.
async fn spread(address: SocketAddr, root: u32, each: usize) -> anyhow::Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    // Who has taken each of them.
    let mut takers = Vec::new();
    let deadline = Instant::now() + SPREAD_LIMIT;
    while streams.len() < CONNECTIONS {
        anyhow::ensure!(
            Instant::now() < deadline,
            "the connections cannot be spread"
        );
        let pids = family(root)?;
        let before = pids.iter().map(|pid| sockets(*pid)).collect::<Vec<_>>();
        let mut stream = connect(address).await?;
        // Once it is answered it has been taken.
        ask(&mut stream, &mut [0; LONGEST_RESPONSE]).await?;
        let taker = pids
            .iter()
            .zip(&before)
            .find(|(pid, before)| sockets(**pid) > **before);
        let Some((taker, _)) = taker else {
            // A process that has begun to serve only now.
            continue;
        };
        let taken = takers.iter().filter(|pid| *pid == taker).count();
        if taken < each {
            takers.push(*taker);
            streams.push(stream);
        }
        if taken + 1 >= each && streams.len() < CONNECTIONS {
            // The rest is for the others.
            pause(*taker, Signal::STOP)?;
        }
    }
    takers
        .iter()
        .try_for_each(|pid| pause(*pid, Signal::CONT))?;
    Ok(streams)
}

fn pause(pid: u32, signal: Signal) -> anyhow::Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?).context("no pid")?;
    Ok(kill_process(pid, signal)?)
}

async fn requests(streams: &mut Vec<TcpStream>, span: Duration) -> anyhow::Result<u64> {
    let mut connections = JoinSet::new();
    let end = Instant::now() + span;
    for stream in streams.drain(..) {
        connections.spawn(ask_again_and_again(stream, end));
    }
    let mut count = 0;
    while let Some(done) = connections.join_next().await {
        let (stream, answered) = done??;
        streams.push(stream);
        count += answered;
    }
    Ok(count)
}

async fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let begun = Instant::now();
    loop {
        match TcpStream::connect(address).await {
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
    mut stream: TcpStream,
    end: Instant,
) -> anyhow::Result<(TcpStream, u64)> {
    let mut buffer = [0; LONGEST_RESPONSE];
    let mut count = 0;
    while Instant::now() < end {
        ask(&mut stream, &mut buffer).await?;
        count += 1;
    }
    Ok((stream, count))
}

async fn ask(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<()> {
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(REQUEST).await?;
    let mut length = 0;
    while !is_whole(&buffer[..length])? {
        match stream.read(&mut buffer[length..]).await? {
            0 => bail!("the server closed a connection, or its response is too long"),
            more => length += more,
        }
    }
    Ok(())
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
