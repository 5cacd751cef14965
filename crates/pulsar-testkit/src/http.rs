//! A plain HTTP client, which shows what happens to a connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer of a test takes longer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest body that a test asks for.
const MAX_BODY_BYTES: usize = 16 << 20;

/// One kept-alive HTTP/1.1 connection.
#[derive(Debug)]
pub struct HttpConnection {
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    /// The body, as text.
    pub body: String,
    /// The server closes the connection after it.
    pub closes: bool,
}

/// One request on a connection of its own.
///
/// # Errors
///
/// As [`HttpConnection::get`].
pub fn http_get(address: SocketAddr, path: &str) -> io::Result<HttpReply> {
    HttpConnection::open(address)?.get(path)
}

impl HttpConnection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, READ_TIMEOUT)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends a GET and reads the answer.
    ///
    /// # Errors
    ///
    /// The connection's, among them `UnexpectedEof` if the server ends it; `InvalidData` if the
    /// answer is not HTTP.
    pub fn get(&mut self, path: &str) -> io::Result<HttpReply> {
        self.send(path)?;
        self.reply()
    }

    /// Sends a GET without waiting for the answer.
    ///
    /// # Errors
    ///
    /// The connection's.
    pub fn send(&mut self, path: &str) -> io::Result<()> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes())
    }

    /// Reads one answer.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn reply(&mut self) -> io::Result<HttpReply> {
        let status_line = self.line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok());
        let mut reply = HttpReply {
            status: status.ok_or_else(|| invalid("no status"))?,
            body: String::new(),
            closes: false,
        };
        let mut length = 0;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => {
                    length = value.parse().map_err(|_| invalid("bad length"))?;
                }
                Some(("connection", value)) => reply.closes = value == "close",
                Some(_) => {}
                None if line.is_empty() => break,
                None => return Err(invalid("bad header")),
            }
        }
        if length > MAX_BODY_BYTES {
            return Err(invalid("body too long"));
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        reply.body = String::from_utf8(body).map_err(|_| invalid("body is no text"))?;
        Ok(reply)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
