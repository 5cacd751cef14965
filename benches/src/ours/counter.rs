//! The actor that is measured.

use std::fmt;

use pulsar::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::ask::ask_on;
use crate::cores;
use crate::message::{Ledger, Message};
use crate::order::{Order, Reading};

/// Counts messages.
#[derive(Default)]
pub(super) struct Counter {
    ledger: Ledger,
}

/// What went wrong in another process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failed(pub(super) String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

#[pulsar::actor]
impl Counter {
    /// On a core of its own, if it is given one.
    pub(super) async fn start(_cx: Context, core: Option<usize>) -> Result<Self> {
        cores::keep(core).map_err(|error| Error::msg(error.to_string()))?;
        Ok(Self::default())
    }

    /// Counts a message; the sum so far.
    #[command]
    pub(super) fn count(&mut self, message: Message) -> u64 {
        self.ledger.enter(&message)
    }

    /// Counts a message.
    #[command(no_ack)]
    pub(super) fn note(&mut self, message: Message) {
        self.ledger.enter(&message);
    }

    /// The sum so far.
    #[command]
    pub(super) fn total(&mut self) -> u64 {
        self.ledger.total()
    }

    /// Asks another, as the order says.
    #[command]
    pub(super) async fn ask_other(
        &mut self,
        other: Proxy<Self>,
        order: Order,
    ) -> Result<Reading, Failed> {
        let reading = ask_on(&other, &order).await;
        reading.map_err(|error| Failed(format!("{error:#}")))
    }

    /// The first and the last byte, added up.
    #[command]
    pub(super) fn ends(&mut self, bytes: SharedBytes) -> u64 {
        let ends = [bytes.first(), bytes.last()];
        ends.into_iter().flatten().copied().map(u64::from).sum()
    }

    /// Serves an echo on this actor's loop; at which port of the loopback.
    #[command]
    pub(super) async fn serve_echo(&mut self, cx: Context) -> Result<u16, Failed> {
        let failed = |error: std::io::Error| Failed(error.to_string());
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        cx.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // It ends when the client does.
                let _ = echo(stream).await;
            }
        });
        Ok(port)
    }
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}
