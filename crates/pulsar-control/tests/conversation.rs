//! Server and client over real sockets, with a fake arbiter behind them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use pulsar_control::protocol::{
    BUSY, MALFORMED, MAX_LINE, TOO_LARGE, UNSUPPORTED, VERSION_MISMATCH,
};
use pulsar_control::{
    ActorRow, Backend, Client, ClientError, ControlDirectory, Failure, InstanceName, Placement,
    Role, Server, State,
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what must happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

struct Fake {
    rows: usize,
    stop: CancellationToken,
    asked: Notify,
    answer: Notify,
}

impl Backend for Fake {
    fn ps(&self) -> Vec<ActorRow> {
        (0..self.rows).map(row).collect()
    }

    async fn info(&self, target: &str) -> Result<Value, Failure> {
        match target {
            "gated" => {
                self.asked.notify_one();
                self.answer.notified().await;
                Ok(json!("at last"))
            }
            "never" => {
                self.asked.notify_one();
                std::future::pending().await
            }
            "huge" => Ok(json!("x".repeat(MAX_LINE))),
            "bomb" => panic!("deliberate"),
            "web" => Ok(json!({"actor": {"name": "web"}})),
            _ => Err(Failure::new("unknown_actor", format!("no actor {target}"))),
        }
    }

    async fn send(&self, target: &str, command: &str, args: Vec<Value>) -> Result<Value, Failure> {
        Ok(json!({"target": target, "command": command, "args": args}))
    }

    async fn stop(&self, target: Option<&str>) -> Result<Value, Failure> {
        if target.is_none() {
            self.stop.cancel();
        }
        Ok(json!({"stopped": target}))
    }
}

fn row(number: usize) -> ActorRow {
    ActorRow {
        aid: format!("a{number}"),
        name: String::new(),
        role: Role::Actor,
        placement: Placement::Task,
        pid: Some(7),
        state: State::Running,
        monitor: Some("m1".into()),
        uptime_s: 1.5,
        incarnation: 1,
        generation: 0,
        restarts: 0,
        last_exit: None,
        rss_bytes: None,
        cpu_percent: None,
        mailbox_depth: number as u64,
    }
}

struct House {
    directory: ControlDirectory,
    fake: Arc<Fake>,
    stop: CancellationToken,
    server: Option<Server>,
    _temp: TempDir,
}

impl House {
    fn new(rows: usize) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let directory = ControlDirectory::at(temp.path().join("pulsar"));
        let stop = CancellationToken::new();
        let fake = Arc::new(Fake {
            rows,
            stop: stop.clone(),
            asked: Notify::new(),
            answer: Notify::new(),
        });
        let claim = directory.claim(&web()).unwrap();
        let server = Some(Server::start(claim, fake.clone(), stop.clone()).unwrap());
        Self {
            directory,
            fake,
            stop,
            server,
            _temp: temp,
        }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.directory, Some("web")).await.unwrap()
    }

    async fn raw(&self) -> Raw {
        Raw::connect(&self.directory).await
    }

    async fn stopped(&mut self) {
        soon(self.server.take().unwrap().stopped()).await;
    }
}

/// A connection without the client's manners.
struct Raw {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

impl Raw {
    async fn connect(directory: &ControlDirectory) -> Self {
        let stream = UnixStream::connect(directory.socket_path(&web()))
            .await
            .unwrap();
        let (reader, writer) = stream.into_split();
        Self {
            lines: BufReader::new(reader).lines(),
            writer,
        }
    }

    /// The next line; `None` when the server has closed, orderly or not.
    async fn line(&mut self) -> Option<Value> {
        let line = soon(self.lines.next_line()).await.ok().flatten()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    async fn ask(&mut self, line: &str) -> Option<Value> {
        self.writer.write_all(line.as_bytes()).await.unwrap();
        self.writer.write_all(b"\n").await.unwrap();
        self.line().await
    }
}

fn web() -> InstanceName {
    "web".parse().unwrap()
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("this must not take long")
}

fn kind(error: &ClientError) -> &str {
    let ClientError::Failed(failure) = error else {
        panic!("{error}")
    };
    &failure.kind
}

#[tokio::test]
async fn the_server_greets_first() {
    let house = House::new(0);
    let greeting = house.raw().await.line().await.unwrap();
    let expected = json!({"pulsar": env!("CARGO_PKG_VERSION"), "v": 1, "name": "web", "pid": std::process::id()});
    assert_eq!(greeting, expected);
}

#[tokio::test]
async fn each_operation_reaches_the_backend_and_its_answer_the_client() {
    let house = House::new(2);
    let mut client = house.client().await;
    assert_eq!(client.greeting().name, "web");
    assert_eq!(client.ps().await.unwrap(), [row(0), row(1)]);
    assert_eq!(client.info("web").await.unwrap()["actor"]["name"], "web");
    let reply = client
        .send("web", "add", vec![json!(1), json!("two")])
        .await
        .unwrap();
    assert_eq!(
        reply,
        json!({"target": "web", "command": "add", "args": [1, "two"]})
    );
    assert_eq!(
        client.stop(Some("w1")).await.unwrap(),
        json!({"stopped": "w1"})
    );
    let error = client.info("ghost").await.unwrap_err();
    assert_eq!(
        (kind(&error), error.to_string().as_str()),
        ("unknown_actor", "no actor ghost")
    );
}

#[tokio::test]
async fn a_long_list_arrives_whole_in_several_lines() {
    for rows in [0, 1, 511, 512, 513, 1024, 20_000] {
        let house = House::new(rows);
        let mut client = house.client().await;
        let expected: Vec<ActorRow> = (0..rows).map(row).collect();
        assert_eq!(client.ps().await.unwrap(), expected, "{rows} rows");
        let value = client.request("ps", Map::new()).await.unwrap();
        assert_eq!(
            value,
            serde_json::to_value(&expected).unwrap(),
            "{rows} rows"
        );
    }
}

#[tokio::test]
async fn what_another_release_may_send_is_answered_by_an_error() {
    let house = House::new(0);
    let mut raw = house.raw().await;
    raw.line().await.unwrap();
    let answer = raw
        .ask(r#"{"v":1,"id":4,"op":"dance","to":"tango"}"#)
        .await
        .unwrap();
    assert_eq!(
        (&answer["id"], &answer["error"]["kind"]),
        (&json!(4), &json!(UNSUPPORTED))
    );
    let answer = raw.ask(r#"{"v":2,"id":5,"verb":"ps"}"#).await.unwrap();
    assert_eq!(
        (&answer["v"], &answer["error"]["kind"]),
        (&json!(1), &json!(VERSION_MISMATCH))
    );
    let answer = raw
        .ask(r#"{"v":1,"id":6,"op":"info","target":"web","colour":"blue"}"#)
        .await
        .unwrap();
    assert_eq!(answer["ok"]["actor"]["name"], "web");
}

#[tokio::test]
async fn malformed_lines_cost_only_themselves() {
    let house = House::new(1);
    let mut bystander = house.client().await;
    let mut raw = house.raw().await;
    raw.line().await.unwrap();
    for line in [
        "",
        "nonsense",
        "[1]",
        r#"{"v":1,"id":1}"#,
        r#"{"v":1,"id":2,"op":"info","target":7}"#,
        "\0",
    ] {
        assert_eq!(
            raw.ask(line).await.unwrap()["error"]["kind"],
            MALFORMED,
            "{line}"
        );
    }
    let answer = raw.ask(r#"{"v":1,"id":3,"op":"info"}"#).await.unwrap();
    assert_eq!(
        (&answer["id"], &answer["error"]["kind"]),
        (&json!(3), &json!(MALFORMED))
    );
    raw.writer.write_all(b"\xff\xfe\n").await.unwrap();
    assert_eq!(raw.line().await.unwrap()["error"]["kind"], MALFORMED);
    assert!(raw.ask(r#"{"v":1,"id":8,"op":"ps"}"#).await.unwrap()["ok"].is_array());
    assert_eq!(bystander.ps().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_request_may_come_one_byte_at_a_time() {
    let house = House::new(0);
    let mut raw = house.raw().await;
    raw.line().await.unwrap();
    for byte in b"{\"v\":1,\"id\":1,\"op\":\"info\",\"target\":\"web\"}\n" {
        raw.writer.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.line().await.unwrap()["ok"]["actor"]["name"], "web");
}

#[tokio::test]
async fn several_requests_in_one_write_are_answered_in_order() {
    let house = House::new(0);
    let mut raw = house.raw().await;
    raw.line().await.unwrap();
    let both = "{\"v\":1,\"id\":1,\"op\":\"ps\"}\n{\"v\":1,\"id\":2,\"op\":\"ps\"}";
    assert_eq!(raw.ask(both).await.unwrap()["id"], 1);
    assert_eq!(raw.line().await.unwrap()["id"], 2);
}

#[tokio::test]
async fn a_line_over_the_limit_closes_that_connection_only() {
    let house = House::new(1);
    let mut bystander = house.client().await;
    let mut raw = house.raw().await;
    raw.line().await.unwrap();
    let long = vec![b'x'; MAX_LINE + 1];
    // The server may close while the rest is still being written.
    let _ = soon(raw.writer.write_all(&long)).await;
    assert_eq!(raw.line().await.unwrap()["error"]["kind"], TOO_LARGE);
    assert_eq!(raw.line().await, None);
    assert_eq!(bystander.ps().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_line_of_exactly_the_limit_is_read() {
    let house = House::new(0);
    let mut raw = house.raw().await;
    raw.line().await.unwrap();
    let mut line = r#"{"v":1,"id":1,"op":"ps"}"#.to_owned();
    line.push_str(&" ".repeat(MAX_LINE - line.len()));
    assert_eq!(raw.ask(&line).await.unwrap()["ok"], json!([]));
}

#[tokio::test]
async fn an_answer_over_the_limit_becomes_an_error_and_the_connection_stays() {
    let house = House::new(0);
    let mut client = house.client().await;
    assert_eq!(kind(&client.info("huge").await.unwrap_err()), TOO_LARGE);
    client.info("web").await.unwrap();
    let args = vec![json!("x".repeat(MAX_LINE))];
    assert_eq!(
        kind(&client.send("web", "swallow", args).await.unwrap_err()),
        TOO_LARGE
    );
    client.info("web").await.unwrap();
}

#[tokio::test]
async fn the_65th_connection_is_told_that_the_server_is_busy() {
    let house = House::new(0);
    let mut clients = Vec::new();
    for _ in 0..64 {
        clients.push(house.client().await);
    }
    let error = Client::connect(&house.directory, Some("web"))
        .await
        .unwrap_err();
    assert_eq!(kind(&error), BUSY);
    assert!(
        house.directory.instances().await.unwrap().len() == 1,
        "busy is live"
    );
    clients[63].info("web").await.unwrap();
    clients.pop();
    // The server learns of the free place at its own pace.
    soon(async {
        while let Err(error) = Client::connect(&house.directory, Some("web")).await {
            assert_eq!(kind(&error), BUSY);
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_panic_of_the_backend_ends_that_connection_only() {
    let house = House::new(1);
    let mut bystander = house.client().await;
    let mut client = house.client().await;
    assert!(matches!(
        client.info("bomb").await,
        Err(ClientError::Closed)
    ));
    assert_eq!(bystander.ps().await.unwrap().len(), 1);
    house.client().await.info("web").await.unwrap();
}

#[tokio::test]
async fn the_answer_to_stop_arrives_and_then_the_socket_is_gone() {
    let mut house = House::new(0);
    let idle = house.client().await;
    let mut client = house.client().await;
    assert_eq!(client.stop(None).await.unwrap(), json!({"stopped": null}));
    client.closed(PATIENCE).await.unwrap();
    assert!(
        !house.directory.socket_path(&web()).exists(),
        "the end of the connection comes after the socket's"
    );
    house.directory.claim(&web()).unwrap();
    idle.closed(PATIENCE).await.unwrap();
    house.stopped().await;
}

#[tokio::test]
async fn a_request_under_way_is_answered_while_the_server_stops() {
    let mut house = House::new(0);
    let mut raw = house.raw().await;
    raw.line().await.unwrap();
    raw.writer
        .write_all(b"{\"v\":1,\"id\":1,\"op\":\"info\",\"target\":\"gated\"}\n")
        .await
        .unwrap();
    soon(house.fake.asked.notified()).await;
    let idle = house.client().await;
    house.stop.cancel();
    idle.closed(PATIENCE).await.unwrap();
    assert!(
        !house.directory.socket_path(&web()).exists(),
        "the name does not wait for the request"
    );
    house.fake.answer.notify_one();
    assert_eq!(raw.line().await.unwrap()["ok"], "at last");
    assert_eq!(raw.line().await, None);
    house.stopped().await;
}

#[tokio::test]
async fn a_request_without_end_does_not_hold_the_stop() {
    let mut house = House::new(0);
    let mut raw = house.raw().await;
    raw.line().await.unwrap();
    raw.writer
        .write_all(b"{\"v\":1,\"id\":1,\"op\":\"info\",\"target\":\"never\"}\n")
        .await
        .unwrap();
    soon(house.fake.asked.notified()).await;
    house.stop.cancel();
    house.stopped().await;
    assert_eq!(raw.line().await, None);
}

#[tokio::test]
async fn a_client_without_a_name_takes_the_only_instance() {
    let house = House::new(0);
    let stale = house.directory.claim(&"stale".parse().unwrap()).unwrap();
    // What a killed process leaves: a socket on which nobody listens.
    let left = house.directory.root().join("dead");
    std::fs::rename(stale.socket_path().parent().unwrap(), &left).unwrap();
    drop(stale);
    assert!(left.join("control.sock").exists());
    let client = Client::connect(&house.directory, None).await.unwrap();
    assert_eq!(client.greeting().name, "web");
    let error = Client::connect(&house.directory, Some("dead"))
        .await
        .unwrap_err();
    assert_eq!(
        (
            error.kind(),
            error.to_string().starts_with("--name dead: no pulsar")
        ),
        ("not_running", true)
    );
}

#[tokio::test]
async fn a_client_without_a_name_is_told_of_none_and_of_several() {
    let temp = tempfile::tempdir().unwrap();
    let directory = ControlDirectory::at(temp.path().join("pulsar"));
    let error = Client::connect(&directory, None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no pulsar instance of this user is running"
    );
    let _claims = ["b", "a"].map(|name| directory.claim(&name.parse().unwrap()).unwrap());
    let error = Client::connect(&directory, None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "several pulsar instances are running (a, b); choose one with --name"
    );
    let error = Client::connect(&directory, Some("../a")).await.unwrap_err();
    assert_eq!(error.kind(), "name");
}

#[tokio::test]
async fn a_client_does_not_trust_a_folder_that_is_open_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new(0);
    for folder in [
        house.directory.root().join("web"),
        house.directory.root().to_owned(),
    ] {
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
        let error = Client::connect(&house.directory, Some("web"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), "directory", "{error}");
    }
    assert_eq!(
        Client::connect(&house.directory, None)
            .await
            .unwrap_err()
            .kind(),
        "directory"
    );
}
