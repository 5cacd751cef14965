//! Lines on the control socket, to a real server.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::sync::Arc;

use pulsar_control::{
    ActorRow, Backend, ControlDirectory, Failure, Greeting, Outcome, Response, Server,
};
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::Seed;

/// The bytes are what a client writes before it reads. The server greets it, answers each whole line once, in order and
/// by the line's own id, and closes the connection behind the last.
///
/// # Panics
///
/// If it does not.
pub fn control_line(input: &[u8]) {
    let mut answers = HOUSE
        .with(|house| house.get_or_init(House::open).converse(input))
        .into_iter();
    let greeting = answers.next().expect("the server speaks first");
    let greeting: Greeting = serde_json::from_slice(&greeting).expect("a greeting");
    assert_eq!(greeting.pid, std::process::id());
    let lines = input.split_inclusive(|byte| *byte == b'\n');
    for line in lines.filter(|line| line.ends_with(b"\n")) {
        let answer = answers.next().expect("each line is answered");
        let answer: Response = serde_json::from_slice(&answer).expect("a response");
        check(line, &answer);
    }
    assert_eq!(answers.next(), None, "nothing is answered twice");
}

/// An answer belongs to its line: it has its id, and only a whole request of this version is carried out.
fn check(line: &[u8], answer: &Response) {
    let request: Option<Map<String, Value>> = serde_json::from_slice(line).ok();
    let field = |name| request.as_ref().and_then(|request| request.get(name));
    let id = field("id").and_then(Value::as_u64);
    assert_eq!((answer.v, answer.id), (1, id));
    let version = field("v").and_then(Value::as_u64);
    let is_request =
        version == Some(1) && id.is_some() && field("op").is_some_and(Value::is_string);
    match &answer.outcome {
        Outcome::Ok(_) => assert!(is_request, "carried out what is no request"),
        Outcome::Error(failure) => assert!(!failure.kind.is_empty()),
        Outcome::Part(_) => panic!("two rows come in one line"),
    }
}

thread_local! {
    /// One server for all inputs of a thread.
    static HOUSE: OnceCell<House> = const { OnceCell::new() };
}

/// A server, the loop that it runs on, and its folder.
struct House {
    runtime: Runtime,
    socket: PathBuf,
    _folder: TempDir,
}

impl House {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a loop can be made");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let directory = ControlDirectory::at(folder.path().join("pulsar"));
        let name = "fuzzed".parse().expect("a name");
        let claim = directory.claim(&name).expect("nobody else has the name");
        let socket = claim.socket_path();
        let _in_runtime = runtime.enter();
        let server = Server::start(claim, Arc::new(Ready), CancellationToken::new());
        drop(server.expect("the socket can be watched"));
        drop(_in_runtime);
        Self {
            runtime,
            socket,
            _folder: folder,
        }
    }

    /// Says it all, and then hears all that is answered, line by line.
    fn converse(&self, input: &[u8]) -> Vec<Vec<u8>> {
        let answer = self.runtime.block_on(async {
            let stream = UnixStream::connect(&self.socket).await;
            let (mut reader, mut writer) = stream.expect("the server listens").into_split();
            let write = async move {
                writer.write_all(input).await.expect("the server reads on");
                drop(writer);
            };
            let mut answer = Vec::new();
            let ((), read) = tokio::join!(write, reader.read_to_end(&mut answer));
            read.expect("the server closes in order");
            answer
        });
        let lines = answer.split_inclusive(|byte| *byte == b'\n');
        lines.map(<[u8]>::to_vec).collect()
    }
}

/// Answers at once.
struct Ready;

impl Backend for Ready {
    fn ps(&self) -> Vec<ActorRow> {
        Vec::new()
    }

    async fn info(&self, target: &str) -> Result<Value, Failure> {
        Ok(target.into())
    }

    async fn send(&self, target: &str, command: &str, args: Vec<Value>) -> Result<Value, Failure> {
        Ok(Value::Array(
            [vec![target.into(), command.into()], args].concat(),
        ))
    }

    async fn stop(&self, target: Option<&str>) -> Result<Value, Failure> {
        Ok(target.into())
    }
}

/// Lists within lists, deeper than any reader should follow.
fn nested(depth: usize) -> Vec<u8> {
    let args = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    format!(
        "{{\"v\":1,\"id\":8,\"op\":\"send\",\"target\":\"a\",\"command\":\"b\",\"args\":{args}}}\n"
    )
    .into_bytes()
}

pub(crate) fn seeds() -> Vec<Seed> {
    let info = "{\"v\":1,\"id\":1,\"op\":\"info\",\"target\":\"web\"}\n";
    let send = "{\"v\":1,\"id\":2,\"op\":\"send\",\"target\":\"web\",\"command\":\"echo\",\"args\":[\"x\",null,1.5]}\n";
    let texts = [
        ("empty", ""),
        ("info", info),
        ("send", send),
        ("ps", "{\"v\":1,\"id\":3,\"op\":\"ps\"}\n"),
        ("stop_all", "{\"v\":1,\"id\":4,\"op\":\"stop\"}\n"),
        (
            "stop_one",
            "{\"v\":1,\"id\":4,\"op\":\"stop\",\"target\":\"web\"}\n",
        ),
        ("unknown_operation", "{\"v\":1,\"id\":5,\"op\":\"dance\"}\n"),
        (
            "unknown_field",
            "{\"v\":1,\"id\":6,\"op\":\"ps\",\"when\":[]}\n",
        ),
        ("another_version", "{\"v\":2,\"id\":7,\"verb\":\"ps\"}\n"),
        ("version_of_text", "{\"v\":\"1\",\"id\":7,\"op\":\"ps\"}\n"),
        ("no_version", "{\"id\":7,\"op\":\"ps\"}\n"),
        ("no_id", "{\"v\":1,\"op\":\"ps\"}\n"),
        ("negative_id", "{\"v\":1,\"id\":-1,\"op\":\"ps\"}\n"),
        (
            "largest_id",
            "{\"v\":1,\"id\":18446744073709551615,\"op\":\"ps\"}\n",
        ),
        (
            "id_over_64_bits",
            "{\"v\":1,\"id\":18446744073709551616,\"op\":\"ps\"}\n",
        ),
        ("operation_of_a_number", "{\"v\":1,\"id\":1,\"op\":1}\n"),
        (
            "target_of_a_number",
            "{\"v\":1,\"id\":1,\"op\":\"info\",\"target\":1}\n",
        ),
        ("target_missing", "{\"v\":1,\"id\":1,\"op\":\"info\"}\n"),
        (
            "args_that_are_no_list",
            "{\"v\":1,\"id\":1,\"op\":\"send\",\"target\":\"a\",\"command\":\"b\",\"args\":{}}\n",
        ),
        ("field_twice", "{\"v\":1,\"id\":1,\"id\":2,\"op\":\"ps\"}\n"),
        ("empty_lines", "\n\n\r\n"),
        ("a_list", "[]\n"),
        ("a_number", "7\n"),
        ("half_an_object", "{\"v\":1,\n"),
        ("without_its_end", "{\"v\":1,\"id\":1,\"op\":\"ps\"}"),
        (
            "escapes",
            "{\"v\":1,\"id\":1,\"op\":\"info\",\"target\":\"\\u001b[2J\\ud83d\\ude00\"}\n",
        ),
        (
            "half_a_surrogate",
            "{\"v\":1,\"id\":1,\"op\":\"info\",\"target\":\"\\ud83d\"}\n",
        ),
        ("huge_number", "{\"v\":1,\"id\":1e400,\"op\":\"ps\"}\n"),
        ("http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ];
    let mut seeds: Vec<Seed> = texts
        .into_iter()
        .map(|(name, text)| (name, text.as_bytes().to_vec()))
        .collect();
    seeds.extend([
        ("several", [info, send, "\n", info].concat().into_bytes()),
        ("not_text", b"\xff\xfe{}\n".to_vec()),
        ("with_zeros", b"{\"v\":1,\0\"id\":1}\n\0\n".to_vec()),
        ("nested", nested(20)),
        ("deeply_nested", nested(2_000)),
        ("hundred_lines", info.repeat(100).into_bytes()),
    ]);
    seeds
}
