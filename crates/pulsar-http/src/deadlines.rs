//! How long a client may keep a connection waiting.

use std::time::Duration;

/// How long a client may keep a connection waiting. [`Duration::MAX`] means for ever.
///
/// They are kept by this crate and not by hyper: hyper's only deadline of this kind, its header timeout, runs as well while a
/// kept-alive HTTP/1 connection is idle, so that one value would have to serve for both; and it does not run at all before the
/// first bytes have told HTTP/1 from HTTP/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From the first byte of a request to the end of its header; on a new connection, also from the accept to the first byte.
    /// A client that takes longer is closed without an answer. An HTTP/2 connection has to open its first stream in this time.
    /// 10 seconds by default.
    pub header: Duration,
    /// How long a connection may have no request, before HTTP/1 is closed and HTTP/2 gets a `GOAWAY`. 75 seconds by default:
    /// longer than the 60 seconds after which usual proxies close, so that the proxy closes first and never sends into a closing
    /// connection. Kept to within 20 ms, never early.
    pub idle: Duration,
    /// How long a handler that reads its request's body waits for the next piece of it; the body then ends with an error of kind
    /// [`TimedOut`](std::io::ErrorKind::TimedOut). 30 seconds by default. A service with long-lived streams from its clients
    /// needs more.
    pub body: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            body: Duration::from_secs(30),
        }
    }
}
