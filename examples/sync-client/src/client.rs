//! A client of a service that answers each line with a line.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use pulsar::{AsyncObject, EventLoop, task};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

/// A client of one server. It connects with its first line. Clones are the same client.
#[derive(Clone)]
pub(crate) struct Client(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    event_loop: EventLoop,
    connection: Mutex<Connection>,
}

#[derive(Default)]
struct Connection {
    stream: Option<BufReader<TcpStream>>,
    lines: usize,
}

impl AsyncObject for Client {
    fn event_loop(&self) -> EventLoop {
        self.0.event_loop.clone()
    }
}

impl Client {
    /// A client that works on this loop.
    pub(crate) fn new(address: SocketAddr, event_loop: EventLoop) -> Self {
        Self(Arc::new(Inner {
            address,
            event_loop,
            connection: Mutex::default(),
        }))
    }

    /// Sends a line and gives the server's answer.
    #[task]
    pub(crate) async fn echo(&self, line: String) -> io::Result<String> {
        let mut connection = self.0.connection.lock().await;
        let stream = match &mut connection.stream {
            Some(stream) => stream,
            none => none.insert(BufReader::new(TcpStream::connect(self.0.address).await?)),
        };
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        if stream.read_line(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        connection.lines += 1;
        Ok(answer.trim_end().to_owned())
    }

    /// How many lines were answered.
    #[task]
    pub(crate) async fn count(&self) -> usize {
        self.0.connection.lock().await.lines
    }
}
