//! A client that writes HTTP/1.1 by hand, so that a test sees what is on the wire.

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream,
};
use tokio::net::TcpStream;

use crate::support::within;

pub(crate) struct Client<S>(BufStream<S>);

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// In lower case, a line each.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn closes(&self) -> bool {
        self.head.contains("connection: close")
    }
}

impl Client<TcpStream> {
    pub(crate) async fn connect(address: &str) -> Self {
        Self::new(
            TcpStream::connect(address)
                .await
                .expect("the server listens"),
        )
    }
}

impl<S> Client<S>
where
    BufStream<S>: AsyncBufRead + AsyncWrite + Unpin,
    S: tokio::io::AsyncRead + AsyncWrite,
{
    pub(crate) fn new(stream: S) -> Self {
        Self(BufStream::new(stream))
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0
            .write_all(text.as_bytes())
            .await
            .expect("an open connection");
        self.0.flush().await.expect("an open connection");
    }

    pub(crate) async fn request(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
            .await;
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response {
        self.request(path).await;
        self.response().await
    }

    /// The next response; its body must have a `Content-Length`, or be none.
    pub(crate) async fn response(&mut self) -> Response {
        within(async {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                let read = self.0.read_line(&mut head).await.expect("a response");
                assert_ne!(read, 0, "closed after {head:?}");
            }
            let head = head.to_lowercase();
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |text| text.parse().expect("a number"));
            let body = self.read(length).await;
            Response {
                status: status.expect("a status line"),
                head,
                body,
            }
        })
        .await
    }

    pub(crate) async fn read(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.0
            .read_exact(&mut bytes)
            .await
            .expect("the promised bytes");
        String::from_utf8(bytes).expect("text")
    }

    /// Waits until the server has closed; returns what came before, which need not be text.
    pub(crate) async fn closed(&mut self) -> String {
        within(async {
            let mut text = Vec::new();
            // A reset is an end as well.
            _ = self.0.read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).into_owned()
        })
        .await
    }
}
