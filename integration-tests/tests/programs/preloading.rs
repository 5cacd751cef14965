//! What is loaded before there are actors.

use std::process::Command;

use pulsar_testkit::Program;

const PRELOADING: &str = env!("CARGO_BIN_EXE_preloading");

fn preloading(way: &str, variable: &str) -> Program {
    let mut command = Command::new(PRELOADING);
    command.env("PULSAR_SPAWN", way).env(variable, "1");
    Program::launch(command)
}

#[test]
fn forks_share_what_was_preloaded_and_processes_by_exec_preload_by_themselves() {
    let outcome = preloading("template", "UNHEARD_OF").outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    // What a process has said when it ends is not lost.
    let expected = ["arbiter false", "forks true", "exec true", "muttered"];
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
    // Without a template each process has its own.
    let outcome = preloading("exec", "UNHEARD_OF").outcome();
    let expected = ["arbiter false", "forks false", "exec true", "muttered"];
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
}

#[test]
fn where_the_preload_fails_no_actor_begins_and_the_spawner_is_told() {
    for way in ["template", "exec"] {
        let outcome = preloading(way, "NOTHING_TO_LOAD").outcome();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert_eq!(outcome.stdout, ["arbiter false", "failed"]);
        assert!(
            outcome.stderr.contains("nothing to load"),
            "{}",
            outcome.stderr
        );
    }
}
