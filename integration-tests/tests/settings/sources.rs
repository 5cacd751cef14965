//! Where settings come from, and that they reach the workers.

use std::process::Command;

use integration_tests::Laboratory;
use pulsar_testkit::{Cli, Program, http_get};

use crate::{BINARIES, FACTORY};

fn launch(variables: &[(&str, &str)], args: &[&str]) -> Laboratory {
    let mut command = Command::new(BINARIES.crashlab);
    command.envs(variables.iter().copied()).args(args);
    Laboratory::of(BINARIES, Program::launch(command))
}

#[test]
fn variables_are_settings() {
    let variables = [
        ("PULSAR_BIND", "127.0.0.1:0"),
        ("PULSAR_WORKERS", "3"),
        ("PULSAR_CONCURRENCY", "thread"),
    ];
    let laboratory = launch(&variables, &[]);
    laboratory.worker_pids(3);
    let rows = laboratory.cli.workers(&laboratory.program);
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row["placement"] == "thread"));
}

#[test]
fn flags_win_over_variables() {
    let variables = [
        ("PULSAR_BIND", "nonsense"),
        ("PULSAR_WORKERS", "3"),
        ("PULSAR_CONCURRENCY", "thread"),
        ("PULSAR_NAME", "another"),
    ];
    let flags = [
        ["--bind", "127.0.0.1:0"],
        ["--workers", "2"],
        ["--concurrency", "process"],
        ["--name", "crashlab-under-test"],
    ];
    let laboratory = launch(&variables, &flags.concat());
    laboratory.worker_pids(2);
    let rows = laboratory.cli.workers(&laboratory.program);
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["placement"] == "process"));
}

#[test]
fn the_name_is_that_of_the_control_socket() {
    let mut command = Command::new(BINARIES.crashlab);
    command.env("PULSAR_NAME", "by-variable");
    command.args(["--bind", "127.0.0.1:0", "--workers", "1"]);
    let program = Program::launch(command);
    program.listening_on();
    let socket = "pulsar/by-variable/control.sock";
    assert!(program.runtime_dir().join(socket).exists());
    let cli = Cli::new(BINARIES.pulsar);
    assert_eq!(
        cli.run(&program, &["--name", "by-variable", "ps"]).code,
        Some(0)
    );
}

#[test]
fn settings_of_the_applications_own_reach_the_factory_in_each_worker() {
    for concurrency in ["process", "thread"] {
        let mut command = Command::new(FACTORY);
        command.args(["--bind", "127.0.0.1:0", "--workers", "2"]);
        command.args(["--concurrency", concurrency, "--greeting", "ahoy"]);
        let program = Program::launch(command);
        let address = program.listening_on();
        let answer = http_get(address, "/").unwrap().body;
        let worker = answer.strip_prefix("ahoy from ").unwrap();
        let in_arbiter = worker == program.pid().to_string();
        assert_eq!(in_arbiter, concurrency == "thread", "{answer}");
    }
}

#[test]
fn an_own_setting_is_a_variable_too() {
    let greeting = |args: &[&str]| {
        let mut command = Command::new(FACTORY);
        command.env("PULSAR_GREETING", "moin").args(args);
        command.args(["--bind", "127.0.0.1:0", "--workers", "1"]);
        let program = Program::launch(command);
        http_get(program.listening_on(), "/").unwrap().body
    };
    assert!(greeting(&[]).starts_with("moin from "));
    assert!(greeting(&["--greeting", "servus"]).starts_with("servus from "));
}
