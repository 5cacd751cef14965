//! The address to listen on, as the user writes it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::bind_list::MAX_BINDS;

/// An address to listen on: `HOST:PORT`, `:PORT` (all interfaces), `[IPV6]:PORT` or `unix:PATH`.
///
/// Port 0 means any free port. In settings and on the wire it is a string.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Bind {
    /// Host (a name or an address, an IPv6 address without brackets; empty for all interfaces) and port.
    Tcp(String, u16),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// Why a text is not an address to listen on. The message fits after `--bind VALUE: `.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BindParseError {
    /// The text has none of the accepted forms.
    #[error("not an address; give HOST:PORT, :PORT, [IPV6]:PORT or unix:PATH")]
    Form,
    /// What stands after the last colon is no port.
    #[error(
        "\"{0}\" is not a port from 0 to 65535; give HOST:PORT, :PORT, [IPV6]:PORT or unix:PATH"
    )]
    Port(String),
    /// An IPv6 address stands there without brackets, or with something else in them.
    #[error("an IPv6 address stands in brackets; give HOST:PORT, :PORT, [IPV6]:PORT or unix:PATH")]
    Brackets,
    /// Nothing follows `unix:`.
    #[error("unix: needs a path; give HOST:PORT, :PORT, [IPV6]:PORT or unix:PATH")]
    Path,
    /// A list holds more than [`MAX_BINDS`] addresses.
    #[error("{0} addresses are more than the {MAX_BINDS} that one server listens on")]
    TooMany(usize),
}

impl FromStr for Bind {
    type Err = BindParseError;

    fn from_str(text: &str) -> Result<Self, BindParseError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(BindParseError::Path),
                path => Ok(Self::Unix(path.into())),
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or(BindParseError::Form)?;
        let host = parse_host(host)?;
        // `u16::from_str` takes a leading plus sign, which is no port.
        let port = (!port.starts_with('+'))
            .then(|| port.parse().ok())
            .flatten()
            .ok_or_else(|| BindParseError::Port(port.to_owned()))?;
        Ok(Self::Tcp(host, port))
    }
}

fn parse_host(host: &str) -> Result<String, BindParseError> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(BindParseError::Brackets)?;
        let address: std::net::Ipv6Addr = inner.parse().map_err(|_| BindParseError::Brackets)?;
        return Ok(address.to_string());
    }
    if host.contains(':') {
        // `http://…` is a slip of another kind than an address without brackets.
        return Err(if host.contains('/') {
            BindParseError::Form
        } else {
            BindParseError::Brackets
        });
    }
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || "/[],".contains(c)) {
        return Err(BindParseError::Form);
    }
    Ok(host.to_owned())
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl TryFrom<String> for Bind {
    type Error = BindParseError;

    fn try_from(text: String) -> Result<Self, BindParseError> {
        text.parse()
    }
}

impl From<Bind> for String {
    fn from(bind: Bind) -> Self {
        bind.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Bind {
        Bind::Tcp(host.to_owned(), port)
    }

    #[test]
    fn every_accepted_form_parses_and_prints_back() {
        let cases = [
            ("127.0.0.1:8060", tcp("127.0.0.1", 8060)),
            ("localhost:0", tcp("localhost", 0)),
            (":8060", tcp("", 8060)),
            ("[::1]:65535", tcp("::1", 65535)),
            ("unix:/run/hello.sock", Bind::Unix("/run/hello.sock".into())),
            (
                "unix:relative:with:colons",
                Bind::Unix("relative:with:colons".into()),
            ),
        ];
        for (text, bind) in cases {
            assert_eq!(text.parse(), Ok(bind.clone()), "{text}");
            assert_eq!(bind.to_string(), text);
        }
    }

    #[test]
    fn a_wrong_address_is_refused_with_its_reason() {
        let port = |text: &str| BindParseError::Port(text.to_owned());
        let cases = [
            ("", BindParseError::Form),
            ("8060", BindParseError::Form),
            ("a host:80", BindParseError::Form),
            ("http://localhost:80", BindParseError::Form),
            ("localhost:", port("")),
            ("localhost:http", port("http")),
            ("localhost:65536", port("65536")),
            ("localhost:-1", port("-1")),
            ("localhost:+1", port("+1")),
            ("::1:8060", BindParseError::Brackets),
            ("[::1:8060", BindParseError::Brackets),
            ("[localhost]:8060", BindParseError::Brackets),
            ("unix:", BindParseError::Path),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Bind>(), Err(error), "{text}");
        }
    }

    #[test]
    fn every_parse_error_names_the_accepted_forms() {
        for text in ["8060", "a:b", "::1:80", "unix:"] {
            let message = text.parse::<Bind>().unwrap_err().to_string();
            assert!(
                message.ends_with("give HOST:PORT, :PORT, [IPV6]:PORT or unix:PATH"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_bind_is_a_string_in_settings() {
        let bind: Bind = serde_json::from_str("\"[::1]:80\"").unwrap();
        assert_eq!(bind, tcp("::1", 80));
        assert_eq!(serde_json::to_string(&bind).unwrap(), "\"[::1]:80\"");
        let error = serde_json::from_str::<Bind>("\"80\"")
            .unwrap_err()
            .to_string();
        assert!(error.contains("give HOST:PORT"), "{error}");
    }
}
