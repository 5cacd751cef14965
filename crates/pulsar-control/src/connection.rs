//! One connection of a control server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::line::{LineError, LineReader};
use crate::protocol::{self, MAX_LINE, TIMEOUT, TOO_LARGE};
use crate::{ActorRow, Backend, Failure, Greeting, Outcome, Request, Response};

/// The most rows of `ps` in one line. Far from [`MAX_LINE`] unless a row has thousands of bytes, and the
/// event loop gets its turn between two lines.
const ROWS_PER_PART: usize = 512;

/// How long the parts of a conversation may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From one answer to the end of the next request.
    pub(crate) idle: Duration,
    /// For the backend to answer.
    pub(crate) request: Duration,
    /// For the backend to stop an actor.
    pub(crate) stop: Duration,
    /// For the peer to take a line.
    pub(crate) write: Duration,
}

/// Answers the requests of one client, one after the other.
#[derive(Debug)]
pub(crate) struct Connection<B> {
    backend: Arc<B>,
    closing: CancellationToken,
    patience: Patience,
    reader: LineReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl<B: Backend> Connection<B> {
    /// When `closing` is cancelled the connection ends, a request that is being answered first.
    pub(crate) fn new(
        stream: UnixStream,
        backend: Arc<B>,
        closing: CancellationToken,
        patience: Patience,
    ) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            backend,
            closing,
            patience,
            reader: LineReader::new(reader, MAX_LINE),
            writer,
        }
    }

    /// Serves until the client leaves, is silent or stalls for too long, breaks the framing, or the server
    /// closes.
    pub(crate) async fn serve(mut self, greeting: Arc<Greeting>) {
        // A client that leaves early, as one that only looks whether someone listens, is nothing to report.
        if let Err(error) = self.converse(&greeting).await {
            tracing::debug!(%error, "a control connection ended early");
        }
    }

    async fn converse(&mut self, greeting: &Greeting) -> io::Result<()> {
        self.write(greeting).await?;
        while let Some(line) = self.next_line().await? {
            match Request::parse(&line) {
                Ok(request) => self.answer(&request).await?,
                Err(refusal) => self.write(&refusal).await?,
            }
        }
        Ok(())
    }

    async fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let read = tokio::select! {
            biased;
            () = self.closing.cancelled() => return Ok(None),
            read = timeout(self.patience.idle, self.reader.next()) => read,
        };
        match read {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(LineError::Io(error))) => Err(error),
            Ok(Err(error @ LineError::TooLong { .. })) => {
                self.write(&Response::refusal(None, TOO_LARGE, error.to_string()))
                    .await?;
                Ok(None)
            }
            Err(_elapsed) => Ok(None),
        }
    }

    async fn answer(&mut self, request: &Request) -> io::Result<()> {
        if request.op == "ps" {
            let rows = self.backend.ps();
            return self.write_rows(request.id, &rows).await;
        }
        let limit = match request.op.as_str() {
            // Workers drain, for as long as they may.
            "stop" | "scale" => self.patience.stop,
            _ => self.patience.request,
        };
        let outcome = match timeout(limit, dispatch(&*self.backend, request)).await {
            Ok(Ok(value)) => Outcome::Ok(value),
            Ok(Err(failure)) => Outcome::Error(failure),
            Err(_elapsed) => {
                let message = format!("no answer within {} s", limit.as_secs_f64());
                Outcome::Error(Failure::new(TIMEOUT, message))
            }
        };
        self.write(&Response::new(request.id, outcome)).await
    }

    /// The rows in parts, the last of which may be empty.
    async fn write_rows(&mut self, id: u64, rows: &[ActorRow]) -> io::Result<()> {
        let last = rows.len().saturating_sub(1) / ROWS_PER_PART * ROWS_PER_PART;
        for part in rows[..last].chunks(ROWS_PER_PART) {
            self.write(&Response::new(id, Outcome::Part(part))).await?;
        }
        self.write(&Response::new(id, Outcome::Ok(&rows[last..])))
            .await
    }

    async fn write(&mut self, message: &(impl Serialize + Identified)) -> io::Result<()> {
        let line = match protocol::line(message) {
            Ok(line) => line,
            Err(failure) => apology(message.id(), failure)?,
        };
        timeout(self.patience.write, self.writer.write_all(&line)).await?
    }
}

async fn dispatch<B: Backend>(
    backend: &B,
    request: &Request,
) -> Result<serde_json::Value, Failure> {
    match request.op.as_str() {
        "info" => backend.info(request.text("target")?).await,
        "send" => {
            backend
                .send(
                    request.text("target")?,
                    request.text("command")?,
                    request.list("args")?,
                )
                .await
        }
        "stop" => backend.stop(request.optional_text("target")?).await,
        op => backend.operate(op, &request.fields).await,
    }
}

/// The line in place of one that cannot be sent.
fn apology(id: Option<u64>, failure: Failure) -> io::Result<Vec<u8>> {
    let response: Response = Response {
        v: protocol::VERSION,
        id,
        outcome: Outcome::Error(failure),
    };
    protocol::line(&response).map_err(io::Error::other)
}

/// A message that may belong to a request.
trait Identified {
    fn id(&self) -> Option<u64>;
}

impl Identified for Greeting {
    fn id(&self) -> Option<u64> {
        None
    }
}

impl<T> Identified for Response<T> {
    fn id(&self) -> Option<u64> {
        self.id
    }
}
