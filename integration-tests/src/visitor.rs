//! A connection to a server under test.

use std::io;
use std::net::SocketAddr;

use pulsar_testkit::{HttpConnection, HttpReply};

/// A kept-alive connection, and the worker that answers there: a connection stays with the
/// worker that has accepted it.
#[derive(Debug)]
pub struct Visitor {
    connection: HttpConnection,
    pid: u32,
}

impl Visitor {
    /// Connects to a `crashlab` and asks who answers.
    ///
    /// # Panics
    ///
    /// If nobody does.
    pub fn at(address: SocketAddr) -> Self {
        let opened = HttpConnection::open(address);
        let mut connection = opened.unwrap_or_else(|error| panic!("{address}: {error}"));
        let pid = ask(&mut connection);
        Self {
            connection,
            pid: pid.unwrap_or_else(|error| panic!("{address}: {error}")),
        }
    }

    /// The process that has answered.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Asks again who answers.
    ///
    /// # Errors
    ///
    /// The connection's; `InvalidData` if the answer is no pid.
    pub fn ask_pid(&mut self) -> io::Result<u32> {
        ask(&mut self.connection)
    }

    /// Sends a GET and reads the answer.
    ///
    /// # Errors
    ///
    /// The connection's.
    pub fn get(&mut self, path: &str) -> io::Result<HttpReply> {
        self.connection.get(path)
    }

    /// Sends a GET, and leaves it in flight.
    ///
    /// # Panics
    ///
    /// If the connection is broken.
    pub fn send(&mut self, path: &str) {
        let sent = self.connection.send(path);
        sent.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Reads the answer to what is in flight.
    ///
    /// # Errors
    ///
    /// The connection's.
    pub fn reply(&mut self) -> io::Result<HttpReply> {
        self.connection.reply()
    }
}

fn ask(connection: &mut HttpConnection) -> io::Result<u32> {
    let reply = connection.get("/pid")?;
    let pid = reply.body.parse().ok().filter(|_| reply.status == 200);
    pid.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{reply:?}")))
}
