//! Where a listener is bound.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use socket2::SockAddr;

/// The address that a listener is really bound to: with the port that the system chose, where port 0 was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// An address and port, displayed as `127.0.0.1:8060`.
    Tcp(SocketAddr),
    /// The path of a Unix socket, displayed as `unix:PATH`.
    Unix(PathBuf),
}

impl ListenAddress {
    /// The address as a client would be told: `SCHEME://127.0.0.1:8060`, or `unix:PATH` whatever the scheme.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        match self {
            Self::Tcp(address) => format!("{scheme}://{address}"),
            Self::Unix(_) => self.to_string(),
        }
    }

    pub(crate) fn of(address: &SockAddr) -> io::Result<Self> {
        if let Some(address) = address.as_socket() {
            return Ok(Self::Tcp(address));
        }
        match address.as_pathname() {
            Some(path) => Ok(Self::Unix(path.to_owned())),
            None => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the socket is neither TCP nor a Unix socket with a path",
            )),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tcp_url_has_the_scheme_and_a_unix_one_the_path() {
        let tcp = ListenAddress::Tcp("[::1]:8060".parse().unwrap());
        assert_eq!(tcp.to_string(), "[::1]:8060");
        assert_eq!(tcp.url("https"), "https://[::1]:8060");
        let unix = ListenAddress::Unix("/run/a.sock".into());
        assert_eq!(unix.url("http"), "unix:/run/a.sock");
    }
}
