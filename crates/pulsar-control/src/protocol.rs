//! The lines on the wire.
//!
//! Both ways each line is one JSON object of at most [`MAX_LINE`] bytes. The server speaks first:
//!
//! ```text
//! server: {"pulsar":"0.1.0","v":1,"name":"hello","pid":41}
//! client: {"v":1,"id":1,"op":"info","target":"web"}
//! server: {"v":1,"id":1,"ok":{…}}
//! client: {"v":1,"id":2,"op":"dance"}
//! server: {"v":1,"id":2,"error":{"kind":"unsupported","message":"…"}}
//! ```
//!
//! Requests of a connection are answered one after the other. A long list comes in several lines: each but
//! the last has `part` in the place of `ok`, and the lists put together are the answer.
//!
//! So that programs one release apart work together: unknown fields are ignored, an unknown operation is
//! answered by an error of kind [`UNSUPPORTED`], and a request of another version by one of kind
//! [`VERSION_MISMATCH`], whose `v` is the server's. A server that has no room says so in the place of the
//! greeting, by an error of kind [`BUSY`]. An error that belongs to no request has the id null.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The version of the protocol spoken here.
pub const VERSION: u32 = 1;

/// The most bytes of a line, its newline not counted: room for a large message, and a bound on what a broken
/// peer can make us hold.
pub const MAX_LINE: usize = 4 * 1024 * 1024;

/// Kind of error: the line was no request, or a field is missing or of a wrong type.
pub const MALFORMED: &str = "malformed";
/// Kind of error: this server does not know the operation.
pub const UNSUPPORTED: &str = "unsupported";
/// Kind of error: the request is of a version that this server does not speak.
pub const VERSION_MISMATCH: &str = "version";
/// Kind of error: there are too many connections.
pub const BUSY: &str = "busy";
/// Kind of error: a line would be, or was, longer than [`MAX_LINE`].
pub const TOO_LARGE: &str = "too_large";
/// Kind of error: no answer in time.
pub const TIMEOUT: &str = "timeout";

/// The server's first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The release of the server.
    pub pulsar: String,
    /// The highest version of the protocol that the server speaks.
    pub v: u32,
    /// The name of the instance.
    pub name: String,
    /// The arbiter's process.
    pub pid: u32,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The version of the protocol.
    pub v: u32,
    /// Comes back in the response.
    pub id: u64,
    /// The operation.
    pub op: String,
    /// What the operation needs; none is called `v`, `id` or `op`.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Request {
    /// Reads a line, or says with which response to refuse it. The version is looked at first, as the rest
    /// may have another form in another version.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, Response> {
        let mut fields: Map<String, Value> = serde_json::from_slice(line).map_err(|error| {
            Response::refusal(None, MALFORMED, format!("not a JSON object: {error}"))
        })?;
        let id = fields.remove("id").and_then(|id| id.as_u64());
        let malformed = |what: &str| {
            Response::refusal(id, MALFORMED, format!("field {what} is missing or wrong"))
        };
        let v = fields
            .remove("v")
            .and_then(|v| v.as_u64())
            .ok_or_else(|| malformed("v"))?;
        if v != u64::from(VERSION) {
            let message = format!(
                "this server speaks version {VERSION} of the protocol, the request is version {v}"
            );
            return Err(Response::refusal(id, VERSION_MISMATCH, message));
        }
        let Some(Value::String(op)) = fields.remove("op") else {
            return Err(malformed("op"));
        };
        Ok(Self {
            v: VERSION,
            id: id.ok_or_else(|| malformed("id"))?,
            op,
            fields,
        })
    }

    /// The text field `key`.
    pub(crate) fn text(&self, key: &str) -> Result<&str, Failure> {
        self.optional_text(key)?
            .ok_or_else(|| Failure::new(MALFORMED, format!("field {key} is missing")))
    }

    /// The text field `key`; `None` if it is missing or null.
    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<&str>, Failure> {
        match self.fields.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::new(
                MALFORMED,
                format!("field {key} is not a string"),
            )),
        }
    }

    /// The list `key`; empty if it is missing.
    pub(crate) fn list(&self, key: &str) -> Result<Vec<Value>, Failure> {
        match self.fields.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => Ok(list.clone()),
            Some(_) => Err(Failure::new(
                MALFORMED,
                format!("field {key} is not a list"),
            )),
        }
    }
}

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    try_from = "Wire<T>",
    bound(serialize = "T: Serialize", deserialize = "T: DeserializeOwned")
)]
pub struct Response<T = Value> {
    /// The version of the protocol that the server speaks.
    pub v: u32,
    /// The id of the request; `None` if the line belongs to none.
    pub id: Option<u64>,
    /// The answer.
    #[serde(flatten)]
    pub outcome: Outcome<T>,
}

impl<T> Response<T> {
    pub(crate) const fn new(id: u64, outcome: Outcome<T>) -> Self {
        Self {
            v: VERSION,
            id: Some(id),
            outcome,
        }
    }
}

impl Response {
    pub(crate) fn refusal(id: Option<u64>, kind: &str, message: impl Into<String>) -> Self {
        Self {
            v: VERSION,
            id,
            outcome: Outcome::Error(Failure::new(kind, message)),
        }
    }
}

/// What a response says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome<T = Value> {
    /// The answer, or its last part.
    Ok(T),
    /// A part of the answer; more lines follow.
    Part(T),
    /// The request failed.
    Error(Failure),
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// One word for programs, such as `UnknownActor`.
    pub kind: String,
    /// One line for people.
    pub message: String,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            message: message.into(),
        }
    }

    /// The failure for an operation that this server does not know.
    #[must_use]
    pub fn unsupported(op: &str) -> Self {
        Self::new(
            UNSUPPORTED,
            format!("this arbiter does not know the operation {op:?}"),
        )
    }
}

/// A response as it is read. `ok` may be null and still be there, which an `Option` alone does not tell.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Wire<T> {
    v: u32,
    #[serde(default)]
    id: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    ok: Option<T>,
    #[serde(default, deserialize_with = "present")]
    part: Option<T>,
    #[serde(default)]
    error: Option<Failure>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    input: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(input).map(Some)
}

impl<T> TryFrom<Wire<T>> for Response<T> {
    type Error = serde_json::Error;

    fn try_from(wire: Wire<T>) -> Result<Self, serde_json::Error> {
        let outcome = match (wire.error, wire.ok, wire.part) {
            (Some(failure), _, _) => Outcome::Error(failure),
            (None, Some(value), _) => Outcome::Ok(value),
            (None, None, Some(value)) => Outcome::Part(value),
            (None, None, None) => {
                return Err(serde_json::Error::custom("neither ok, part nor error"));
            }
        };
        Ok(Self {
            v: wire.v,
            id: wire.id,
            outcome,
        })
    }
}

/// `value` as a line with its newline.
pub(crate) fn line(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut line = serde_json::to_vec(value)
        .map_err(|error| Failure::new(MALFORMED, format!("cannot be written as JSON: {error}")))?;
    if line.len() > MAX_LINE {
        let message = format!(
            "a line of {} bytes is over the limit of {MAX_LINE} bytes",
            line.len()
        );
        return Err(Failure::new(TOO_LARGE, message));
    }
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(line: &str) -> (Option<u64>, String) {
        match Request::parse(line.as_bytes()).unwrap_err() {
            Response {
                id,
                outcome: Outcome::Error(failure),
                ..
            } => (id, failure.kind),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_one_flat_object() {
        let fields = Map::from_iter([("target".to_owned(), json!("web"))]);
        let request = Request {
            v: 1,
            id: 7,
            op: "info".into(),
            fields,
        };
        let line = line(&request).unwrap();
        assert_eq!(
            line,
            b"{\"v\":1,\"id\":7,\"op\":\"info\",\"target\":\"web\"}\n"
        );
        assert_eq!(Request::parse(&line).unwrap(), request);
    }

    #[test]
    fn what_is_no_request_is_malformed() {
        for line in [
            "",
            "x",
            "[]",
            "{}",
            "7",
            "{\"v\":1}",
            "{\"v\":1,\"id\":1}",
            "{\"v\":\"1\"}",
            "\u{fffd}",
        ] {
            assert_eq!(refused(line).1, MALFORMED, "{line}");
        }
        assert_eq!(
            refused("{\"v\":1,\"id\":3,\"op\":4}"),
            (Some(3), MALFORMED.into())
        );
        assert_eq!(
            refused("{\"v\":1,\"id\":-3,\"op\":\"ps\"}"),
            (None, MALFORMED.into())
        );
        assert_eq!(refused(&"[".repeat(100_000)).1, MALFORMED);
    }

    #[test]
    fn another_version_is_refused_whatever_else_is_in_it() {
        assert_eq!(
            refused("{\"v\":2,\"id\":3,\"verb\":[]}"),
            (Some(3), VERSION_MISMATCH.into())
        );
        assert_eq!(refused("{\"v\":0}"), (None, VERSION_MISMATCH.into()));
    }

    #[test]
    fn the_three_outcomes_have_their_own_field() {
        let outcomes = [
            (
                Outcome::Ok(Value::Null),
                json!({"v": 1, "id": 2, "ok": null}),
            ),
            (
                Outcome::Part(json!([1])),
                json!({"v": 1, "id": 2, "part": [1]}),
            ),
            (
                Outcome::Error(Failure::new("k", "m")),
                json!({"v": 1, "id": 2, "error": {"kind": "k", "message": "m"}}),
            ),
        ];
        for (outcome, expected) in outcomes {
            let response = Response::new(2, outcome);
            assert_eq!(serde_json::to_value(&response).unwrap(), expected);
            assert_eq!(
                serde_json::from_value::<Response>(expected).unwrap(),
                response
            );
        }
        assert!(serde_json::from_value::<Response>(json!({"v": 1, "id": 2})).is_err());
    }
}
