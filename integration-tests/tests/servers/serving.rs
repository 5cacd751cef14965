//! What a server prints and serves.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use integration_tests::Laboratory;
use pulsar_testkit::{Cli, Program, http_get, wait_until};
use rustix::process::Signal;

use crate::BINARIES;

fn start(args: &[&str]) -> Program {
    Program::start(BINARIES.crashlab, args)
}

fn http_address(line: &str) -> SocketAddr {
    let address = line.strip_prefix("crashlab listening on http://");
    address.unwrap_or_else(|| panic!("{line}")).parse().unwrap()
}

/// The whole answer to one GET on a Unix socket.
fn unix_get(path: &Path, target: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_first_and_only_line_on_stdout_says_where_it_listens() {
    let program = start(&["--bind", "127.0.0.1:0"]);
    let address = http_address(&program.line().unwrap());
    assert!(address.ip().is_loopback() && address.port() != 0);
    // The line means that it serves: the first request is answered.
    let reply = http_get(address, "/").unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
    program.signal(Signal::TERM).unwrap();
    let outcome = program.outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, Vec::<String>::new());
}

#[test]
fn each_of_two_workers_serves_its_share() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
    for pid in laboratory.worker_pids(2) {
        assert_eq!(laboratory.visitor_of(pid).ask_pid().unwrap(), pid);
    }
    laboratory.stop(Signal::TERM);
}

#[test]
fn each_of_several_binds_has_its_line_and_serves() {
    let program = start(&["--bind", "127.0.0.1:0,127.0.0.1:0,unix:three.sock"]);
    let addresses = [(); 2].map(|()| http_address(&program.line().unwrap()));
    assert_ne!(addresses[0], addresses[1]);
    assert_eq!(
        program.line().as_deref(),
        Some("crashlab listening on unix:three.sock")
    );
    for address in addresses {
        assert_eq!(http_get(address, "/").unwrap().body, "ok");
    }
    let answer = unix_get(&program.runtime_dir().join("three.sock"), "/");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}

#[test]
fn a_unix_socket_serves_and_its_file_goes_with_the_server() {
    let mut program = start(&["--bind", "unix:server.sock"]);
    let file = program.runtime_dir().join("server.sock");
    assert_eq!(
        program.line().as_deref(),
        Some("crashlab listening on unix:server.sock")
    );
    let answer = unix_get(&file, "/");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    program.signal(Signal::TERM).unwrap();
    assert_eq!(program.wait().code(), Some(0), "{}", program.stderr());
    assert!(!file.exists());
}

#[test]
fn a_stale_unix_socket_is_taken_over() {
    let mut first = start(&["--bind", "unix:server.sock"]);
    first.line().unwrap();
    let tree = first.tree();
    first.signal(Signal::KILL).unwrap();
    first.wait();
    // A worker that is about to end with its arbiter still has the socket.
    tree.gone_within(Duration::from_secs(5)).unwrap();
    let file = first.runtime_dir().join("server.sock");
    assert!(file.exists());
    let mut command = std::process::Command::new(BINARIES.crashlab);
    command.args(["--bind", "unix:server.sock"]);
    let second = first.beside(command);
    second
        .line()
        .unwrap_or_else(|| panic!("{}", second.stderr()));
    assert!(unix_get(&file, "/").ends_with("\r\n\r\nok"));
}

#[test]
fn threads_serve_in_the_process_of_the_arbiter() {
    let laboratory = Laboratory::open(BINARIES, &["--concurrency", "thread", "--workers", "2"]);
    let arbiter = u32::try_from(laboratory.program.pid().as_raw()).unwrap();
    assert_eq!(laboratory.worker_pids(2), [arbiter; 2]);
    for _ in 0..8 {
        assert_eq!(laboratory.visitor().pid(), arbiter);
    }
    for row in laboratory.cli.workers(&laboratory.program) {
        assert_eq!(row["placement"], "thread", "{row}");
    }
    assert_eq!(laboratory.program.tree().actors().len(), 0);
    laboratory.stop(Signal::TERM);
}

#[test]
fn a_panic_in_a_handler_costs_that_request_alone() {
    for concurrency in ["process", "thread"] {
        let args = ["--workers", "1", "--concurrency", concurrency];
        let laboratory = Laboratory::open(BINARIES, &args);
        let mut visitor = laboratory.visitor();
        for _ in 0..3 {
            assert_eq!(laboratory.get("/crash/panic").unwrap().status, 500);
        }
        assert_eq!(visitor.ask_pid().unwrap(), visitor.pid());
        assert_eq!(laboratory.visitor().pid(), visitor.pid());
        let rows = laboratory.cli.workers(&laboratory.program);
        assert_eq!(rows[0]["incarnation"], 1, "{rows:?}");
        assert_eq!(rows[0]["last_exit"], serde_json::Value::Null, "{rows:?}");
        laboratory.stop(Signal::TERM);
    }
}

/// A crashlab with some of its output sent where writing fails.
fn with_output_lost(redirection: &str) -> Program {
    let mut command = std::process::Command::new("sh");
    let script = format!("exec \"$0\" \"$@\" {redirection}");
    command.args(["-c", &script, BINARIES.crashlab]);
    command.args(["--workers", "1", "--bind", "127.0.0.1:0"]);
    Program::launch(command)
}

#[test]
fn a_log_that_nobody_can_read_changes_nothing() {
    let laboratory = Laboratory::of(BINARIES, with_output_lost("2>/dev/full"));
    let reply = laboratory.get("/crash/panic").unwrap();
    assert_eq!(reply.status, 500);
    assert_eq!(laboratory.get("/").unwrap().body, "ok");
    laboratory.stop(Signal::TERM);
}

#[test]
fn a_listening_line_that_nobody_can_read_ends_nothing() {
    let mut program = with_output_lost(">/dev/full");
    let cli = Cli::new(BINARIES.pulsar);
    let ready = wait_until(Duration::from_secs(10), || {
        let listed = cli.run(&program, &["info", "crashlab-1"]);
        (listed.code == Some(0)).then_some(())
    });
    assert!(ready.is_some(), "{}", program.stderr());
    program.signal(Signal::TERM).unwrap();
    assert_eq!(program.wait().code(), Some(0), "{}", program.stderr());
}
