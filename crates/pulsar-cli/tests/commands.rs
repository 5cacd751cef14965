//! The real binary against a real control server with a fake arbiter behind it.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use pulsar_control::{
    ActorRow, Backend, ControlDirectory, Failure, LastExit, Placement, Role, Server, State,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

struct Fake {
    stop: CancellationToken,
}

impl Backend for Fake {
    fn ps(&self) -> Vec<ActorRow> {
        rows()
    }

    async fn info(&self, target: &str) -> Result<Value, Failure> {
        match target {
            "web" => {
                Ok(json!({"actor": {"name": "web", "state": "running"}, "mailbox": {"depth": 3}}))
            }
            _ => Err(Failure::new(
                "unknown_actor",
                format!("no actor is called {target}"),
            )),
        }
    }

    async fn send(&self, target: &str, command: &str, args: Vec<Value>) -> Result<Value, Failure> {
        match command {
            "greet" => Ok(json!("Hello\u{1b}[31m")),
            _ => Ok(json!({"target": target, "command": command, "args": args})),
        }
    }

    async fn stop(&self, target: Option<&str>) -> Result<Value, Failure> {
        if target.is_none() {
            self.stop.cancel();
        }
        Ok(json!({"stopped": target.map(|_| "w1")}))
    }
}

fn row(aid: &str, name: &str, role: Role, monitor: Option<&str>) -> ActorRow {
    ActorRow {
        aid: aid.into(),
        name: name.into(),
        role,
        placement: Placement::Process,
        pid: Some(100),
        state: State::Running,
        monitor: monitor.map(Into::into),
        uptime_s: 90.0,
        incarnation: 1,
        generation: 2,
        restarts: 0,
        last_exit: None,
        rss_bytes: Some(3 << 20),
        cpu_percent: Some(12.34),
        mailbox_depth: 5,
    }
}

fn rows() -> Vec<ActorRow> {
    let detail = json!({"signal": 9, "core_dumped": false});
    let restarting = ActorRow {
        pid: None,
        state: State::Restarting,
        last_exit: Some(LastExit {
            cause: "Signal".into(),
            detail,
            pid: Some(99),
            stderr: Vec::new(),
        }),
        rss_bytes: None,
        cpu_percent: None,
        ..row("w1", "web.1\u{1b}[2J", Role::Worker, Some("m1"))
    };
    vec![
        restarting,
        row("a0", "arbiter", Role::Arbiter, None),
        row("m1", "web", Role::Monitor, Some("a0")),
    ]
}

/// A runtime directory with the given instances, served by a thread.
struct House {
    temp: TempDir,
    stops: Vec<CancellationToken>,
    threads: Vec<JoinHandle<()>>,
}

impl House {
    fn with(names: &[&str]) -> Self {
        let mut house = Self {
            temp: tempfile::tempdir().unwrap(),
            stops: Vec::new(),
            threads: Vec::new(),
        };
        for name in names {
            house.serve(name);
        }
        house
    }

    fn directory(&self) -> ControlDirectory {
        ControlDirectory::at(self.temp.path().join("pulsar"))
    }

    fn serve(&mut self, name: &str) {
        // Claimed here, so that the instance is live when this returns.
        let claim = self.directory().claim(&name.parse().unwrap()).unwrap();
        let stop = CancellationToken::new();
        self.stops.push(stop.clone());
        self.threads.push(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let backend = Arc::new(Fake { stop: stop.clone() });
                Server::start(claim, backend, stop).unwrap().stopped().await;
            });
        }));
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pulsar"));
        command
            .args(args)
            .env("XDG_RUNTIME_DIR", self.temp.path())
            .env_remove("PULSAR_NAME")
            .stdin(Stdio::null());
        command
    }

    fn pulsar(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).output().unwrap())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for stop in &self.stops {
            stop.cancel();
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    fn stdout(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""));
        self.stdout
    }

    fn json(self) -> Value {
        let stdout = self.stdout();
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        serde_json::from_str(&stdout).unwrap()
    }

    /// The one line on stderr of a failed run.
    fn failure(self) -> String {
        assert_eq!(
            (self.code, self.stdout.as_str()),
            (Some(1), ""),
            "{}",
            self.stderr
        );
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        self.stderr.trim_end().to_owned()
    }

    fn error_kind(self) -> String {
        let error: Value = serde_json::from_str(&self.failure()).unwrap();
        assert!(error["error"]["message"].is_string());
        error["error"]["kind"].as_str().unwrap().to_owned()
    }
}

#[test]
fn ps_with_json_prints_the_rows() {
    let house = House::with(&["web"]);
    let expected = serde_json::to_value(rows()).unwrap();
    assert_eq!(house.pulsar(&["ps", "--json"]).json(), expected);
    assert_eq!(
        house.pulsar(&["--json", "--name", "web", "ps"]).json(),
        expected
    );
}

#[test]
fn ps_prints_an_aligned_table_with_workers_below_their_monitor() {
    let stdout = House::with(&["web"]).pulsar(&["ps"]).stdout();
    let lines: Vec<_> = stdout.lines().collect();
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let heads =
        "AID NAME ROLE PLACEMENT PID STATE MONITOR UPTIME INC GEN RESTARTS LAST EXIT RSS CPU% MBOX";
    assert_eq!(words(lines[0]), words(heads));
    assert_eq!(words(lines[1])[..2], ["a0", "arbiter"]);
    assert_eq!(
        words(lines[2]),
        words("m1 web monitor process 100 running a0 1m30s 1 2 0 - 3.0M 12.3 5")
    );
    let worker = "w1 web.1\\u{1b}[2J worker process - restarting m1 1m30s 1 2 0 Signal(9) - - 5";
    assert_eq!(words(lines[3]), words(worker));
    let column = |line: &str, word: &str| line.find(word).unwrap();
    assert_eq!(column(lines[0], "ROLE"), column(lines[3], "worker"));
    assert_eq!(column(lines[2], "web") - column(lines[1], "arbiter"), 2);
    assert_eq!(column(lines[3], "web.1") - column(lines[2], "web"), 2);
    assert_eq!(lines.len(), 4);
    assert!(!stdout.contains('\u{1b}'));
}

#[test]
fn info_prints_an_outline_or_the_object() {
    let house = House::with(&["web"]);
    assert_eq!(
        house.pulsar(&["info", "web"]).stdout(),
        "actor\n  name   web\n  state  running\nmailbox\n  depth  3\n"
    );
    assert_eq!(
        house.pulsar(&["info", "web", "--json"]).json()["mailbox"]["depth"],
        3
    );
}

#[test]
fn send_reads_arguments_as_json_or_words() {
    let house = House::with(&["web"]);
    let expected =
        json!({"target": "w1", "command": "add", "args": [1, -2, "three", {"four": [null]}]});
    let args = ["send", "w1", "add", "1", "-2", "three", "{\"four\":[null]}"];
    assert_eq!(
        house.pulsar(&[&args[..], &["--json"]].concat()).json(),
        expected
    );
    let pretty = house.pulsar(&args).stdout();
    assert!(pretty.lines().count() > 4, "{pretty}");
    assert_eq!(serde_json::from_str::<Value>(&pretty).unwrap(), expected);
}

#[test]
fn a_string_reply_is_bare_and_has_no_escapes() {
    let house = House::with(&["web"]);
    assert_eq!(
        house.pulsar(&["send", "w1", "greet"]).stdout(),
        "Hello\\u{1b}[31m\n"
    );
    assert_eq!(
        house.pulsar(&["send", "w1", "greet", "--json"]).json(),
        "Hello\u{1b}[31m"
    );
}

#[test]
fn stop_of_an_actor_names_it() {
    let house = House::with(&["web"]);
    assert_eq!(
        house.pulsar(&["stop", "web.1", "--json"]).json(),
        json!({"stopped": "w1"})
    );
    assert_eq!(house.pulsar(&["stop", "web.1"]).stdout(), "stopped w1\n");
}

#[test]
fn stop_of_the_instance_returns_when_its_name_is_free() {
    let house = House::with(&["web", "api"]);
    assert_eq!(
        house.pulsar(&["--name", "web", "stop", "--json"]).json(),
        json!({"stopped": "web"})
    );
    house.directory().claim(&"web".parse().unwrap()).unwrap();
    assert_eq!(house.pulsar(&["stop"]).stdout(), "stopped api\n");
    assert!(
        house
            .pulsar(&["stop"])
            .failure()
            .ends_with("no pulsar instance of this user is running")
    );
}

#[test]
fn a_failure_is_one_line_and_exit_code_1() {
    let house = House::with(&["web"]);
    assert_eq!(
        house.pulsar(&["info", "ghost"]).failure(),
        "pulsar: no actor is called ghost"
    );
    assert_eq!(
        house.pulsar(&["info", "ghost\n\u{1b}[2J"]).failure(),
        "pulsar: no actor is called ghost\\n\\u{1b}[2J"
    );
    assert_eq!(
        house.pulsar(&["info", "ghost", "--json"]).error_kind(),
        "unknown_actor"
    );
    assert_eq!(
        house
            .pulsar(&["--name", "ghost", "ps", "--json"])
            .error_kind(),
        "not_running"
    );
}

#[test]
fn several_instances_are_listed() {
    let house = House::with(&["web", "api"]);
    let line = house.pulsar(&["ps"]).failure();
    assert_eq!(
        line,
        "pulsar: several pulsar instances are running (api, web); choose one with --name"
    );
    assert_eq!(house.pulsar(&["ps", "--json"]).error_kind(), "several");
    let run = Run::of(
        house
            .command(&["ps"])
            .env("PULSAR_NAME", "api")
            .output()
            .unwrap(),
    );
    run.stdout();
}

#[test]
fn none_running_is_said() {
    let house = House::with(&[]);
    assert_eq!(
        house.pulsar(&["ps"]).failure(),
        "pulsar: no pulsar instance of this user is running"
    );
    assert_eq!(house.pulsar(&["ps", "--json"]).error_kind(), "not_running");
}

#[test]
fn bad_usage_has_exit_code_2() {
    let house = House::with(&[]);
    for args in [
        &["dance"][..],
        &[],
        &["info"],
        &["ps", "--colour"],
        &["--name", "a/b", "ps"],
    ] {
        let run = house.pulsar(args);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(2), ""),
            "{args:?}: {}",
            run.stderr
        );
        assert!(!run.stderr.is_empty());
    }
}

#[test]
fn a_reader_that_has_left_is_no_failure() {
    let house = House::with(&["web"]);
    for args in [&["ps"][..], &["ps", "--json"], &["info", "web"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = Run::of(house.command(args).stdout(writer).output().unwrap());
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}
