//! What one would write by hand: a Unix socket between two loops of tokio's, frames with a length, request ids, postcard.

use std::collections::HashMap;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use pulsar_bench_raw::{Child, fork};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::asking::SILENCE;
use crate::cores;
use crate::message::{Ledger, Message, check};
use crate::order::{Order, Reading, Work, reading};
use crate::samples::{Course, per_second};

type Wire = Framed<UnixStream, LengthDelimitedCodec>;

/// Asks that wait for the writer.
const CAPACITY: usize = 1024;
const BATCH: u64 = 256;

#[derive(Serialize, Deserialize)]
enum Request {
    Count(u64, Message),
    Note(Message),
    Total(u64),
}

#[derive(Serialize, Deserialize)]
struct Response {
    id: u64,
    total: u64,
}

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    let places = order.cores.places()?;
    let (ours, theirs) = StdStream::pair()?;
    let callee = fork(|| {
        let served = cores::keep(places.callee).and_then(|()| on_loop(|| serve(theirs)));
        i32::from(served.is_err())
    })?;
    cores::keep(places.caller)?;
    on_loop(|| work(order.clone(), ours, callee))
}

fn on_loop<T, F>(work: impl FnOnce() -> F) -> anyhow::Result<T>
where
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let work = work();
    runtime.block_on(async { tokio::spawn(work).await? })
}

async fn work(order: Order, stream: StdStream, _callee: Child) -> anyhow::Result<Reading> {
    let wire = wire(stream)?;
    match order.work {
        Work::Ask => ask(&order, wire, None).await,
        Work::ColdAsk => ask(&order, wire, Some(SILENCE)).await,
        Work::AsksInFlight(asks) => in_flight(&order, wire, asks).await,
        Work::Tell => tell(&order, wire).await,
        work => anyhow::bail!("it is not made for {work:?}"),
    }
}

fn wire(stream: StdStream) -> anyhow::Result<Wire> {
    stream.set_nonblocking(true)?;
    let stream = UnixStream::from_std(stream)?;
    Ok(Framed::new(stream, LengthDelimitedCodec::new()))
}

fn frame(value: &impl Serialize) -> anyhow::Result<Bytes> {
    Ok(postcard::to_stdvec(value)?.into())
}

async fn next<T: DeserializeOwned>(wire: &mut Wire) -> anyhow::Result<T> {
    let frame = wire.next().await.context("the other side has ended")??;
    Ok(postcard::from_bytes(&frame)?)
}

/// Answers; what it writes leaves when no further request is there.
async fn serve(stream: StdStream) -> anyhow::Result<()> {
    let mut wire = wire(stream)?;
    let mut ledger = Ledger::default();
    loop {
        let request = match next(&mut wire).now_or_never() {
            Some(request) => request?,
            None => {
                SinkExt::<Bytes>::flush(&mut wire).await?;
                next(&mut wire).await?
            }
        };
        let id = match request {
            Request::Count(id, message) => {
                ledger.enter(&message);
                id
            }
            Request::Note(message) => {
                ledger.enter(&message);
                continue;
            }
            Request::Total(id) => id,
        };
        let total = ledger.total();
        wire.feed(frame(&Response { id, total })?).await?;
    }
}

/// One after the other: whoever asks writes and reads by itself.
async fn ask(order: &Order, mut wire: Wire, silence: Option<Duration>) -> anyhow::Result<Reading> {
    let mut course = Course::begin(order);
    let (mut number, mut total) = (0, 0);
    while course.goes_on() {
        if let Some(silence) = silence {
            sleep(silence).await;
            course.skip();
        }
        let request = Request::Count(number, Message::new(number, order.payload));
        wire.send(frame(&request)?).await?;
        let response: Response = next(&mut wire).await?;
        anyhow::ensure!(response.id == number, "an answer to another");
        total = response.total;
        number += 1;
        course.lap();
    }
    check(total, number, order.payload)?;
    Ok(course.end().reading(""))
}

/// Many: a task writes, another reads and hands out the answers.
async fn in_flight(order: &Order, wire: Wire, asks: usize) -> anyhow::Result<Reading> {
    let (sender, queue) = mpsc::channel(CAPACITY);
    tokio::spawn(carry(wire, queue));
    let next = Arc::new(AtomicU64::new(0));
    let mut rate = 0.0;
    for span in [order.warm_up(), order.effort] {
        let (first, begun) = (next.load(Ordering::Relaxed), Instant::now());
        let mut tasks = JoinSet::new();
        for _ in 0..asks {
            let (sender, next, payload) = (sender.clone(), next.clone(), order.payload);
            tasks.spawn(async move {
                while begun.elapsed() < span {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let message = Message::new(number, payload);
                    answered(&sender, Request::Count(number, message)).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        rate = per_second(next.load(Ordering::Relaxed) - first, begun.elapsed());
    }
    let total = answered(&sender, Request::Total(u64::MAX)).await?;
    check(total, next.load(Ordering::Relaxed), order.payload)?;
    Ok(reading("per_s", rate))
}

type Ask = (Request, oneshot::Sender<u64>);

async fn answered(queue: &mpsc::Sender<Ask>, request: Request) -> anyhow::Result<u64> {
    let (reply, answer) = oneshot::channel();
    let sent = queue.send((request, reply)).await;
    sent.ok().context("the connection has ended")?;
    Ok(answer.await?)
}

async fn carry(wire: Wire, mut queue: mpsc::Receiver<Ask>) -> anyhow::Result<()> {
    let (mut sink, mut stream) = wire.split();
    let mut waiting = HashMap::new();
    let mut asks = Vec::with_capacity(CAPACITY);
    loop {
        tokio::select! {
            count = queue.recv_many(&mut asks, CAPACITY) => {
                anyhow::ensure!(count > 0, "nobody asks any longer");
                for (request, reply) in asks.drain(..) {
                    if let Request::Count(id, _) | Request::Total(id) = &request {
                        waiting.insert(*id, reply);
                    }
                    sink.feed(frame(&request)?).await?;
                }
                sink.flush().await?;
            }
            frame = stream.next() => {
                let frame = frame.context("the other side has ended")??;
                let response: Response = postcard::from_bytes(&frame)?;
                let reply = waiting.remove(&response.id).context("an answer to nobody")?;
                // A caller that has gone wants no answer.
                let _ = reply.send(response.total);
            }
        }
    }
}

/// One way, buffered.
async fn tell(order: &Order, mut wire: Wire) -> anyhow::Result<Reading> {
    let (mut number, mut rate) = (0, 0.0);
    for span in [order.warm_up(), order.effort] {
        let (first, begun) = (number, Instant::now());
        while begun.elapsed() < span {
            for _ in 0..BATCH {
                let note = Request::Note(Message::new(number, order.payload));
                wire.feed(frame(&note)?).await?;
                number += 1;
            }
        }
        wire.send(frame(&Request::Total(number))?).await?;
        let response: Response = next(&mut wire).await?;
        check(response.total, number, order.payload)?;
        rate = per_second(number - first, begun.elapsed());
    }
    Ok(reading("per_s", rate))
}
