//! A server without descriptors. In a program of its own, as the limit holds for the whole process.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use pulsar_control::{ActorRow, Backend, ControlDirectory, Failure, Server};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

struct Empty;

impl Backend for Empty {
    fn ps(&self) -> Vec<ActorRow> {
        Vec::new()
    }

    async fn info(&self, _: &str) -> Result<Value, Failure> {
        Ok(Value::Null)
    }

    async fn send(&self, _: &str, _: &str, _: Vec<Value>) -> Result<Value, Failure> {
        Ok(Value::Null)
    }

    async fn stop(&self, _: Option<&str>) -> Result<Value, Failure> {
        Ok(Value::Null)
    }
}

#[test]
fn a_connection_waits_while_there_are_no_descriptors_and_is_then_served() {
    let temp = tempfile::tempdir().unwrap();
    let directory = ControlDirectory::at(temp.path().join("pulsar"));
    let claim = directory.claim(&"web".parse().unwrap()).unwrap();
    let socket = claim.socket_path();
    let stop = CancellationToken::new();
    let running = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let thread = std::thread::spawn(move || {
        runtime.block_on(async {
            Server::start(claim, Arc::new(Empty), running)
                .unwrap()
                .stopped()
                .await;
        });
    });

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(64);
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    files.pop();
    // Takes the last descriptor; the kernel queues the connection without the server's help.
    let stream = UnixStream::connect(&socket).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut reader = BufReader::new(stream);
    let mut greeting = String::new();
    let error = reader.read_line(&mut greeting).unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::WouldBlock,
        "accepted without a descriptor"
    );
    drop(files);
    reader
        .get_ref()
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    reader.read_line(&mut greeting).unwrap();
    assert!(greeting.contains("\"name\":\"web\""), "{greeting}");
    stop.cancel();
    thread.join().unwrap();
}
