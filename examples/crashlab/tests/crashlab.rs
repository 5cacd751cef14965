//! The example, run as its readers run it.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::net::SocketAddr;

use pulsar_testkit::{Program, http_get};

fn start() -> (Program, SocketAddr) {
    let args = ["--bind", "127.0.0.1:0", "--workers", "2"];
    let program = Program::start(env!("CARGO_BIN_EXE_crashlab"), args);
    let address = program.listening_on();
    (program, address)
}

fn answer(address: SocketAddr, path: &str) -> (u16, String) {
    let reply = http_get(address, path).unwrap();
    (reply.status, reply.body)
}

#[test]
fn each_path_answers() {
    let (program, address) = start();
    let expected = [
        ("/", "ok"),
        ("/sleep/1", "slept"),
        ("/burn/1", "burnt"),
        ("/leak/1", "leaked"),
    ];
    for (path, body) in expected {
        assert_eq!(answer(address, path), (200, body.to_owned()), "{path}");
    }
    let (_, pid) = answer(address, "/pid");
    let below = program.tree();
    let mut workers = below.pids()[1..].iter();
    assert!(workers.any(|worker| worker.to_string() == pid), "{pid}");
}

#[test]
fn an_unknown_fault_is_not_found_and_costs_nothing() {
    let (program, address) = start();
    let (status, body) = answer(address, "/crash/meltdown");
    assert_eq!(status, 404);
    assert!(body.contains("meltdown") && body.contains("segv"), "{body}");
    assert_eq!(answer(address, "/").1, "ok");
    assert_eq!(program.stderr(), "");
}

#[test]
fn too_large_a_leak_is_refused() {
    let (_program, address) = start();
    assert_eq!(answer(address, "/leak/1000000").0, 400);
}
