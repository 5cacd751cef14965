//! Clients of the control socket that do not keep to its protocol.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use integration_tests::Laboratory;
use pulsar_control::protocol::MAX_LINE;
use rustix::process::Signal;
use serde_json::Value;

use crate::{BINARIES, TWO};

/// A connection that says what it likes.
pub(crate) struct Raw {
    reader: BufReader<UnixStream>,
    greeting: String,
}

impl Raw {
    pub(crate) fn connect(laboratory: &Laboratory) -> Self {
        let stream = UnixStream::connect(laboratory.control_socket()).unwrap();
        // Whatever is waited for comes long before.
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let (mut reader, mut greeting) = (BufReader::new(stream), String::new());
        reader.read_line(&mut greeting).unwrap();
        Self { reader, greeting }
    }

    pub(crate) fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Says as much of it as is heard.
    fn say(&mut self, bytes: &[u8]) {
        match self.reader.get_mut().write_all(bytes) {
            Ok(()) => {}
            Err(error) => assert!(matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            )),
        }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// The kind of the error that comes next.
    fn error(&mut self) -> String {
        let line = self.line();
        line["error"]["kind"].as_str().unwrap().to_owned()
    }

    /// Waits until the server has closed it; nothing comes before.
    fn ends_in_silence(mut self) {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        assert_eq!(rest, b"");
    }
}

const PS: &[u8] = b"{\"v\":1,\"id\":9,\"op\":\"ps\"}\n";
/// Clients that each hold a line without end, at once.
const CLIENTS: usize = 8;
/// What else the arbiter may come to need.
const ROOM_BYTES: u64 = 16 << 20;

/// The most memory that the arbiter has had.
fn peak_bytes(laboratory: &Laboratory) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", laboratory.program.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak
        .and_then(|peak| peak.trim().strip_suffix(" kB"))
        .unwrap();
    kib.parse::<u64>().unwrap() << 10
}

#[test]
fn fault_27_a_control_client_that_breaks_the_protocol_is_refused_and_others_do_not_notice() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    let pids = laboratory.worker_pids(2);
    let before = peak_bytes(&laboratory);
    let mut bystander = Raw::connect(&laboratory);
    let mut is_served = || {
        bystander.say(PS);
        assert_eq!(bystander.line()["id"], 9);
    };

    // Malformed: that line is refused, and the next is heard.
    let mut malformed = Raw::connect(&laboratory);
    for line in [
        &b"\n"[..],
        b"GET / HTTP/1.1\n",
        b"\xff\xfe\0\n",
        b"[[[[\n",
        b"{\"v\":1}\n",
    ] {
        malformed.say(line);
        assert_eq!(malformed.error(), "malformed");
    }
    malformed.say(PS);
    assert_eq!(malformed.line()["id"], 9);
    is_served();

    // One byte at a time.
    let mut slow = Raw::connect(&laboratory);
    for byte in PS {
        slow.say(&[*byte]);
    }
    assert_eq!(slow.line()["id"], 9);
    is_served();

    // Truncated: nothing is answered.
    let mut truncated = Raw::connect(&laboratory);
    truncated.say(&PS[..PS.len() - 1]);
    truncated
        .reader
        .get_mut()
        .shutdown(Shutdown::Write)
        .unwrap();
    truncated.ends_in_silence();
    is_served();

    // Oversized, by several at once: told so, and closed.
    let too_long = vec![b'x'; MAX_LINE + 1];
    let mut oversized: Vec<_> = (0..CLIENTS).map(|_| Raw::connect(&laboratory)).collect();
    for client in &mut oversized {
        client.say(&too_long);
    }
    is_served();
    for mut client in oversized {
        assert_eq!(client.error(), "too_large");
        client.ends_in_silence();
    }
    is_served();

    let after = peak_bytes(&laboratory);
    let lines = (CLIENTS * MAX_LINE) as u64;
    // A line that grows is in two places while it moves.
    let most = before + 2 * lines + ROOM_BYTES;
    assert!(after < most, "{before} bytes became {after}");
    assert_eq!(laboratory.worker_pids(2), pids);
    assert!(!laboratory.program.stderr().contains("panic"));
    laboratory.stop(Signal::TERM);
}
