//! The tool's end of the control socket.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{sleep, timeout};

use crate::line::{LineError, LineReader};
use crate::peer;
use crate::protocol::{self, MAX_LINE, VERSION};
use crate::{
    ActorRow, ControlDirectory, DirectoryError, Failure, Greeting, InstanceName, NameError,
    Outcome, PeerError, Request, Response,
};

/// To find the instance, connect and be greeted.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// For one answer: a bit more than the server gives itself, so that its own word on a timeout arrives.
const REQUEST_LIMIT: Duration = Duration::from_secs(65);

/// The longest that a stop may take: an actor may be given a day to stop, and its monitor half of that more.
pub const STOP_LIMIT: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// Time between two tries while the server's queue of connections is full.
const CONNECT_RETRY: Duration = Duration::from_millis(20);

/// The most bytes of an answer in parts: a million rows, and a bound on what a broken server makes us hold.
const MAX_REPLY: usize = 256 * 1024 * 1024;

/// A connection to a running arbiter. Requests go one after the other, and each wait is bounded.
///
/// After an error that is not [`ClientError::Failed`] the connection may be out of step: make a new one.
#[derive(Debug)]
pub struct Client {
    greeting: Greeting,
    reader: LineReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    last_id: u64,
}

impl Client {
    /// Connects to the instance called `name`, or to the only one that runs. Takes at most 5 s.
    ///
    /// # Errors
    ///
    /// [`ClientError`]: none or several run, the folders or the server are not this user's own, or the
    /// server does not answer or is busy.
    pub async fn connect(
        directory: &ControlDirectory,
        name: Option<&str>,
    ) -> Result<Self, ClientError> {
        bounded("connect", CONNECT_LIMIT, Self::open(directory, name)).await
    }

    /// What the server said of itself.
    #[must_use]
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Asks for `op` with its fields and waits for the answer, at most 65 s; for a stop and a scale
    /// [`STOP_LIMIT`].
    ///
    /// # Errors
    ///
    /// [`ClientError::Failed`] with what the server says, or another if no proper answer came.
    pub async fn request(
        &mut self,
        op: &str,
        fields: Map<String, Value>,
    ) -> Result<Value, ClientError> {
        let (parts, last) = self.exchange::<Value>(op, fields).await?;
        join(parts, last)
    }

    /// All actors.
    ///
    /// # Errors
    ///
    /// As [`Client::request`].
    pub async fn ps(&mut self) -> Result<Vec<ActorRow>, ClientError> {
        let (mut parts, last) = self.exchange::<Vec<ActorRow>>("ps", Map::new()).await?;
        parts.push(last);
        Ok(parts.into_iter().flatten().collect())
    }

    /// The info object of an actor.
    ///
    /// # Errors
    ///
    /// As [`Client::request`].
    pub async fn info(&mut self, target: &str) -> Result<Value, ClientError> {
        self.request("info", fields([("target", json!(target))]))
            .await
    }

    /// Sends a command to an actor and gives its reply.
    ///
    /// # Errors
    ///
    /// As [`Client::request`].
    pub async fn send(
        &mut self,
        target: &str,
        command: &str,
        args: Vec<Value>,
    ) -> Result<Value, ClientError> {
        let fields = fields([
            ("target", json!(target)),
            ("command", json!(command)),
            ("args", args.into()),
        ]);
        self.request("send", fields).await
    }

    /// Stops an actor, or the whole arbiter where `target` is `None`. For the end of an arbiter see
    /// [`Client::closed`].
    ///
    /// # Errors
    ///
    /// As [`Client::request`].
    pub async fn stop(&mut self, target: Option<&str>) -> Result<Value, ClientError> {
        self.request(
            "stop",
            target
                .map(|target| fields([("target", json!(target))]))
                .unwrap_or_default(),
        )
        .await
    }

    /// Waits until the server has closed the connection; by then its name is free.
    ///
    /// # Errors
    ///
    /// [`ClientError::Timeout`] if it is still open after `limit`.
    pub async fn closed(mut self, limit: Duration) -> Result<(), ClientError> {
        let end = async {
            while let Ok(Some(_)) = self.reader.next().await {}
            Ok(())
        };
        bounded("see the end of the instance", limit, end).await
    }

    async fn open(directory: &ControlDirectory, name: Option<&str>) -> Result<Self, ClientError> {
        let name = match name {
            Some(name) => InstanceName::new(name)?,
            None => only_instance(directory).await?,
        };
        match directory.check(&name) {
            Err(error) if error.is_missing() => return Err(ClientError::NotRunning { name }),
            checked => checked?,
        }
        let stream = dial(&name, &directory.socket_path(&name)).await?;
        peer::check(&stream)?;
        let (reader, writer) = stream.into_split();
        let mut reader = LineReader::new(reader, MAX_LINE);
        let greeting = greeted(&next_line(&mut reader).await?)?;
        Ok(Self {
            greeting,
            reader,
            writer,
            last_id: 0,
        })
    }

    /// One request and all the parts of its answer.
    async fn exchange<T: DeserializeOwned>(
        &mut self,
        op: &str,
        fields: Map<String, Value>,
    ) -> Result<(Vec<T>, T), ClientError> {
        self.last_id += 1;
        let id = self.last_id;
        let line = protocol::line(&Request {
            v: VERSION,
            id,
            op: op.to_owned(),
            fields,
        })?;
        let limit = match op {
            "stop" | "scale" => STOP_LIMIT + REQUEST_LIMIT,
            _ => REQUEST_LIMIT,
        };
        bounded("get an answer", limit, async {
            // A server that has no more room for us says why before it closes: the answer is read even if
            // the request could not be written.
            let written = self.writer.write_all(&line).await;
            let answer = self.collect(id).await;
            match (written, answer) {
                (Err(error), Err(ClientError::Closed)) => Err(ClientError::Io(error)),
                (_, answer) => answer,
            }
        })
        .await
    }

    async fn collect<T: DeserializeOwned>(&mut self, id: u64) -> Result<(Vec<T>, T), ClientError> {
        let mut parts = Vec::new();
        let mut size = 0;
        loop {
            let line = next_line(&mut self.reader).await?;
            size += line.len();
            if size > MAX_REPLY {
                return Err(ClientError::Protocol(format!(
                    "an answer is over the limit of {MAX_REPLY} bytes"
                )));
            }
            let response: Response<T> =
                serde_json::from_slice(&line).map_err(|error| unreadable(&error))?;
            match response.outcome {
                Outcome::Error(failure) if response.id.is_none_or(|of| of == id) => {
                    return Err(failure.into());
                }
                // The late answer to an earlier request that was given up.
                _ if response.id != Some(id) => {}
                Outcome::Ok(value) => return Ok((parts, value)),
                Outcome::Part(value) => parts.push(value),
                Outcome::Error(failure) => return Err(failure.into()),
            }
        }
    }
}

/// Why there is no connection or no answer. Each message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The name is not well formed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The folders of the sockets are not safe or not readable.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Nothing runs.
    #[error("no pulsar instance of this user is running")]
    NoneRunning,
    /// Nothing runs under that name.
    #[error("--name {name}: no pulsar instance of this name is running")]
    NotRunning {
        /// The name.
        name: InstanceName,
    },
    /// Several run and no name was given.
    #[error("several pulsar instances are running ({}); choose one with --name", list(.names))]
    Several {
        /// Their names, sorted.
        names: Vec<InstanceName>,
    },
    /// The socket is there but cannot be connected to.
    #[error("failed to connect to {}: {source}", crate::printable(&.path.to_string_lossy()))]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The process that listens is not this user's.
    #[error("the control socket is not to be trusted: {0}")]
    Peer(#[from] PeerError),
    /// A bounded wait came to its end.
    #[error("failed to {doing} within {} s", .limit.as_secs_f64())]
    Timeout {
        /// What was waited for, in words that follow "failed to".
        doing: &'static str,
        /// The bound.
        limit: Duration,
    },
    /// The server closed the connection before it had answered.
    #[error("the arbiter closed the connection before it answered")]
    Closed,
    /// The server sent what is no answer.
    #[error("the arbiter sent an answer that cannot be read: {0}")]
    Protocol(String),
    /// The connection failed.
    #[error("the connection to the arbiter failed: {0}")]
    Io(#[source] io::Error),
    /// The server answered that the request failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl ClientError {
    /// One word for programs: the kind of the server's [`Failure`], or one for what went wrong on this side.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Name(_) => "name",
            Self::Directory(_) => "directory",
            Self::NoneRunning | Self::NotRunning { .. } => "not_running",
            Self::Several { .. } => "several",
            Self::Connect { .. } => "connect",
            Self::Peer(_) => "peer",
            Self::Timeout { .. } => protocol::TIMEOUT,
            Self::Closed | Self::Io(_) => "closed",
            Self::Protocol(_) => "protocol",
            Self::Failed(failure) => &failure.kind,
        }
    }
}

async fn bounded<T>(
    doing: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    timeout(limit, work)
        .await
        .unwrap_or(Err(ClientError::Timeout { doing, limit }))
}

async fn only_instance(directory: &ControlDirectory) -> Result<InstanceName, ClientError> {
    let mut names: Vec<_> = directory
        .instances()
        .await?
        .into_iter()
        .map(|instance| instance.name)
        .collect();
    match names.pop() {
        None => Err(ClientError::NoneRunning),
        Some(only) if names.is_empty() => Ok(only),
        Some(last) => {
            names.push(last);
            Err(ClientError::Several { names })
        }
    }
}

/// Connects; the caller bounds the time.
async fn dial(name: &InstanceName, path: &Path) -> Result<UnixStream, ClientError> {
    loop {
        match UnixStream::connect(path).await {
            Ok(stream) => return Ok(stream),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => sleep(CONNECT_RETRY).await,
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    return Err(ClientError::NotRunning { name: name.clone() });
                }
                _ => {
                    return Err(ClientError::Connect {
                        path: path.to_owned(),
                        source: error,
                    });
                }
            },
        }
    }
}

async fn next_line(reader: &mut LineReader<OwnedReadHalf>) -> Result<Vec<u8>, ClientError> {
    match reader.next().await {
        Ok(Some(line)) => Ok(line),
        Ok(None) => Err(ClientError::Closed),
        // A server that closes with unread input in its buffer resets the connection.
        Err(LineError::Io(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
            Err(ClientError::Closed)
        }
        Err(LineError::Io(error)) => Err(ClientError::Io(error)),
        Err(error @ LineError::TooLong { .. }) => Err(ClientError::Protocol(error.to_string())),
    }
}

/// Reads the first line: a greeting, or why there is none.
fn greeted(line: &[u8]) -> Result<Greeting, ClientError> {
    serde_json::from_slice(line).map_err(|error| match serde_json::from_slice(line) {
        Ok(Response::<Value> {
            outcome: Outcome::Error(failure),
            ..
        }) => failure.into(),
        _ => unreadable(&error),
    })
}

fn join(parts: Vec<Value>, last: Value) -> Result<Value, ClientError> {
    if parts.is_empty() {
        return Ok(last);
    }
    let mut whole = Vec::new();
    for part in parts.into_iter().chain([last]) {
        let Value::Array(part) = part else {
            return Err(ClientError::Protocol("a part is not a list".to_owned()));
        };
        whole.extend(part);
    }
    Ok(Value::Array(whole))
}

fn fields<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn list(names: &[InstanceName]) -> String {
    names
        .iter()
        .map(InstanceName::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

fn unreadable(error: &serde_json::Error) -> ClientError {
    ClientError::Protocol(error.to_string())
}
