//! The command line against a real server.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod access;
mod hostile;

use std::collections::BTreeSet;
use std::time::Duration;

use integration_tests::{Binaries, Laboratory};
use pulsar_testkit::Process;
use serde_json::{Value, json};

const BINARIES: Binaries = Binaries {
    crashlab: env!("CARGO_BIN_EXE_crashlab-under-test"),
    pulsar: env!("CARGO_BIN_EXE_pulsar-under-test"),
};
const TWO: [&str; 2] = ["--workers", "2"];

fn json_of(laboratory: &Laboratory, args: &[&str]) -> Value {
    laboratory.cli.json(&laboratory.program, args)
}

/// The error with which the command line fails.
fn error_of(laboratory: &Laboratory, args: &[&str]) -> Value {
    let args = [args, &["--json"]].concat();
    let outcome = laboratory.cli.run(&laboratory.program, &args);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(outcome.stdout, Vec::<String>::new());
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    let mut error: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert!(error["error"]["message"].is_string(), "{error}");
    error["error"]["kind"].take()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn ps_has_exactly_the_keys_that_are_promised() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    let promised = "aid name role placement pid state monitor uptime_s incarnation generation \
                    restarts last_exit rss_bytes cpu_percent mailbox_depth";
    for row in laboratory.rows() {
        assert_eq!(keys(&row), promised.split(' ').collect(), "{row}");
    }
}

#[test]
fn ps_lists_the_arbiter_the_monitor_and_the_workers() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    let pids = laboratory.worker_pids(2);
    let rows = laboratory.rows();
    let arbiter = laboratory.program.pid().as_raw();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| {
            json!([
                row["name"],
                row["role"],
                row["placement"],
                row["pid"],
                row["monitor"]
            ])
        })
        .collect();
    let expected = [
        json!(["arbiter", "arbiter", "process", arbiter, null]),
        json!(["crashlab", "monitor", "task", arbiter, null]),
        json!(["crashlab-1", "worker", "process", pids[0], "crashlab"]),
        json!(["crashlab-2", "worker", "process", pids[1], "crashlab"]),
    ];
    assert_eq!(seen, expected, "{rows:#?}");
    let aids: BTreeSet<_> = rows.iter().map(|row| row["aid"].to_string()).collect();
    assert_eq!(aids.len(), 4);
    for row in &rows {
        let life = json!([
            row["state"],
            row["incarnation"],
            row["restarts"],
            row["last_exit"]
        ]);
        assert_eq!(life, json!(["running", 1, 0, null]), "{row}");
        assert_eq!(row["generation"], 1, "{row}");
        assert!(row["uptime_s"].as_f64().unwrap() >= 0.0, "{row}");
        assert!(row["mailbox_depth"].is_u64(), "{row}");
    }
    for row in rows.iter().filter(|row| row["role"] == "worker") {
        assert!(row["rss_bytes"].as_u64().unwrap() > 1 << 20, "{row}");
        assert!(row["cpu_percent"].as_f64().unwrap() >= 0.0, "{row}");
    }
    // They are the processes below the arbiter, beside its template, and there are no more.
    let tree = laboratory.program.tree();
    let below: BTreeSet<_> = tree
        .actors()
        .iter()
        .map(|pid| u32::try_from(pid.as_raw()).unwrap())
        .collect();
    assert_eq!(below, pids.into_iter().collect());
}

#[test]
fn info_shows_one_actor_by_name_or_id() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    let pids = laboratory.worker_pids(2);
    let worker = &laboratory.cli.workers(&laboratory.program)[0];
    let id = worker["aid"].as_str().unwrap();
    for target in ["crashlab-1", id] {
        let info = json_of(&laboratory, &["info", target]);
        let parts = [
            "actor", "mailbox", "system", "loop", "executor", "links", "extra",
        ];
        assert_eq!(keys(&info), parts.into(), "{info}");
        let actor = &info["actor"];
        let seen = json!([actor["name"], actor["id"], actor["pid"], actor["state"]]);
        assert_eq!(seen, json!(["crashlab-1", id, pids[0], "running"]));
        assert_eq!(actor["placement"], "process");
        assert!(info["mailbox"]["capacity"].as_u64().unwrap() > 0, "{info}");
        assert!(info["system"]["rss_bytes"].as_u64().unwrap() > 0, "{info}");
        assert!(info["extra"].is_object(), "{info}");
    }
    for target in ["arbiter", "crashlab"] {
        let info = json_of(&laboratory, &["info", target]);
        assert_eq!(info["actor"]["name"], target, "{info}");
    }
}

#[test]
fn send_asks_any_actor() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    laboratory.worker_pids(2);
    for target in ["arbiter", "crashlab", "crashlab-1", "crashlab-2"] {
        assert_eq!(json_of(&laboratory, &["send", target, "ping"]), "pong");
        let echo = ["send", target, "echo", "good day"];
        assert_eq!(json_of(&laboratory, &echo), "good day");
        let info = json_of(&laboratory, &["send", target, "info"]);
        assert_eq!(info["actor"]["name"], target, "{info}");
    }
    let plain = laboratory
        .cli
        .run(&laboratory.program, &["send", "crashlab-1", "ping"]);
    assert_eq!(
        (plain.code, plain.stdout),
        (Some(0), vec!["pong".to_owned()])
    );
}

#[test]
fn the_unknown_is_a_failure_of_its_kind() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    laboratory.worker_pids(2);
    for args in [
        &["info", "ghost"][..],
        &["send", "ghost", "ping"],
        &["stop", "ghost"],
    ] {
        assert_eq!(error_of(&laboratory, args), "UnknownActor", "{args:?}");
    }
    for target in ["crashlab-1", "crashlab", "arbiter"] {
        let args = ["send", target, "dance"];
        assert_eq!(error_of(&laboratory, &args), "UnknownCommand", "{args:?}");
    }
}

#[test]
fn arguments_that_do_not_fit_are_a_failure_of_that_command_alone() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    laboratory.worker_pids(2);
    for args in [
        &["send", "crashlab-1", "echo"][..],
        &["send", "crashlab-1", "echo", "1"],
        &["send", "crashlab-1", "echo", "one", "two"],
    ] {
        assert_eq!(error_of(&laboratory, args), "Codec", "{args:?}");
    }
    assert_eq!(
        json_of(&laboratory, &["send", "crashlab-1", "ping"]),
        "pong"
    );
}

#[test]
fn a_worker_that_an_operator_stops_stays_stopped_until_its_pool_is_scaled() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    let pids = laboratory.worker_pids(2);
    let stopped = json_of(&laboratory, &["stop", "crashlab-1"]);
    assert_eq!(stopped, json!({"stopped": "crashlab-1"}));
    // It had ended before the command returned, and its place is given up.
    assert!(!Process::of(pids[0]).runs());
    assert_eq!(laboratory.worker_pids(1), [pids[1]]);
    assert_eq!(
        error_of(&laboratory, &["info", "crashlab-1"]),
        "UnknownActor"
    );

    let scaled = json_of(&laboratory, &["scale", "crashlab", "2"]);
    assert_eq!(scaled, json!({"workers": 2}));
    let again = laboratory.worker_pids(2);
    assert!(
        again.contains(&pids[1]) && !again.contains(&pids[0]),
        "{again:?}"
    );
    let rows = laboratory.cli.workers(&laboratory.program);
    let row = rows.iter().find(|row| row["name"] == "crashlab-1").unwrap();
    // In a new place: nobody has lived there before.
    assert_eq!(
        json!([row["incarnation"], row["last_exit"]]),
        json!([1, null])
    );
}

#[test]
fn a_pool_is_scaled_up_and_down_while_it_serves() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    let before = laboratory.worker_pids(2);
    let scale = |workers: &str| json_of(&laboratory, &["scale", "crashlab", workers]);
    assert_eq!(scale("4"), json!({"workers": 4}));
    // They were ready before the command returned.
    let four = laboratory.worker_pids(4);
    assert!(before.iter().all(|pid| four.contains(pid)));
    assert_eq!(scale("1"), json!({"workers": 1}));
    assert_eq!(laboratory.worker_pids(1), [before[0]]);
    assert!(
        four.iter()
            .filter(|pid| **pid != before[0])
            .all(|pid| !Process::of(*pid).runs())
    );
    assert_eq!(laboratory.get("/").unwrap().body, "ok");
    for (args, kind) in [
        (["scale", "crashlab-1", "2"], "NotAPool"),
        (["scale", "ghost", "2"], "NotAPool"),
        (["scale", "crashlab", "2000"], "TooMany"),
    ] {
        assert_eq!(error_of(&laboratory, &args), kind, "{args:?}");
    }
}

#[test]
fn a_killed_worker_is_replaced_in_its_place() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    let pids = laboratory.worker_pids(2);
    let before = laboratory.cli.workers(&laboratory.program)[0]["aid"].clone();
    let aid = before.as_str().unwrap();
    assert_eq!(
        json_of(&laboratory, &["kill", aid]),
        json!({"stopped": aid})
    );
    assert!(!Process::of(pids[0]).runs());
    let row = laboratory.replacement_of(pids[0], Duration::from_secs(5));
    assert_eq!(row["aid"], before);
    assert_eq!(row["name"], "crashlab-1", "{row}");
    assert_eq!(row["last_exit"]["cause"], "Signal", "{row}");
    assert_eq!(laboratory.worker_pids(2)[1], pids[1]);
}

#[test]
fn stop_ends_the_server() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    let tree = laboratory.program.tree();
    let stopped = json_of(&laboratory, &["stop"]);
    assert_eq!(stopped, json!({"stopped": "crashlab-under-test"}));
    laboratory.ends(&tree);
}

#[test]
fn stop_lets_a_request_in_flight_finish() {
    let laboratory = Laboratory::open(BINARIES, &TWO);
    let tree = laboratory.program.tree();
    let mut visitor = laboratory.visitor();
    visitor.send("/sleep/500");
    json_of(&laboratory, &["stop"]);
    assert_eq!(visitor.reply().unwrap().body, "slept");
    laboratory.ends(&tree);
}

#[test]
fn commands_lists_what_a_worker_takes() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "1"]);
    laboratory.worker_pids(1);
    let commands = json_of(&laboratory, &["commands", "crashlab-1"]);
    let echo = commands
        .as_array()
        .into_iter()
        .flatten()
        .find(|command| command["name"] == "echo");
    let expected = json!({
        "name": "echo",
        "args": [{ "name": "message", "type": "String" }],
        "reply": "String",
        "doc": "Answers with what it was given.",
    });
    assert_eq!(echo, Some(&expected));
    let people = laboratory
        .cli
        .run(&laboratory.program, &["commands", "crashlab-1"]);
    let signature = "echo(message: String) -> String";
    assert!(
        people.stdout.iter().any(|line| line == signature),
        "{people:?}"
    );
}
