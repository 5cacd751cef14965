//! Settings and environments that will not do: exit code 2, and one line that names the setting.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use integration_tests::Laboratory;
use pulsar_testkit::Program;
use rustix::process::Signal;

use crate::BINARIES;

/// The one line with which `program` refuses to start.
fn refusal(program: Program) -> String {
    let outcome = program.outcome();
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, Vec::<String>::new());
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{}", outcome.stderr);
    lines[0].to_owned()
}

fn crashlab(args: &[&str]) -> Command {
    let mut command = Command::new(BINARIES.crashlab);
    // Where nothing is wrong with the rest it would serve.
    command.env("PULSAR_BIND", "127.0.0.1:0").args(args);
    command
}

fn refused(command: Command) -> String {
    refusal(Program::launch(command))
}

#[track_caller]
fn assert_names(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{line:?} does not name {part:?}");
    }
}

#[test]
fn a_port_in_use_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = refused(crashlab(&["--bind", &address]));
    assert_names(&line, &["--bind", &address, "in use"]);
}

#[test]
fn a_port_in_use_among_good_ones_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = refused(crashlab(&["--bind", &format!("127.0.0.1:0,{address}")]));
    assert_names(&line, &["--bind", &address]);
}

#[test]
fn a_port_that_another_server_serves_on_is_refused() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "1"]);
    let address = laboratory.address.to_string();
    let line = refused(crashlab(&["--bind", &address]));
    assert_names(&line, &["--bind", &address]);
    assert_eq!(laboratory.get("/").unwrap().body, "ok");
}

#[test]
fn an_unknown_flag_is_refused() {
    let line = refused(crashlab(&["--wrokers", "2"]));
    assert_names(&line, &["--wrokers"]);
}

#[test]
fn a_bad_address_is_refused() {
    for address in ["nonsense", "127.0.0.1:65536", "::1:80", "unix:", ""] {
        let line = refused(crashlab(&["--bind", address]));
        assert_names(&line, &["--bind", address]);
    }
}

#[test]
fn a_unix_socket_that_cannot_be_made_is_refused() {
    let line = refused(crashlab(&["--bind", "unix:no/such/folder.sock"]));
    assert_names(&line, &["--bind", "no/such/folder.sock"]);
}

#[test]
fn a_bad_number_of_workers_is_refused() {
    for workers in ["0", "many", "-1", "1000000", "1.5"] {
        let line = refused(crashlab(&[&format!("--workers={workers}")]));
        assert_names(&line, &["--workers", workers]);
    }
}

#[test]
fn a_bad_variable_is_refused_like_its_flag() {
    let cases = [
        ("PULSAR_WORKERS", "many", "--workers"),
        ("PULSAR_BIND", "nonsense", "--bind"),
        ("PULSAR_CONCURRENCY", "fibre", "--concurrency"),
        ("PULSAR_EXIT_TIMEOUT", "soon", "--exit-timeout"),
        ("PULSAR_NAME", "a/b", "--name"),
    ];
    for (variable, value, flag) in cases {
        let mut command = crashlab(&[]);
        command.env(variable, value);
        let line = refused(command);
        assert!(line.contains(flag) || line.contains(variable), "{line}");
        assert_names(&line, &[value]);
    }
}

#[test]
fn fault_37_a_second_arbiter_of_a_live_name_is_refused() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "1"]);
    let own_name = laboratory.program.beside(crashlab(&[]));
    assert_names(&refusal(own_name), &["--name", "crashlab-under-test"]);
    let args = ["--name", "crashlab-under-test"];
    let given_name = laboratory.program.beside(crashlab(&args));
    assert_names(&refusal(given_name), &["--name", "crashlab-under-test"]);
    // The living one was not harmed.
    assert_eq!(laboratory.get("/").unwrap().body, "ok");
    assert_eq!(laboratory.worker_pids(1).len(), 1);
    laboratory.stop(Signal::TERM);
}

#[test]
fn two_servers_of_different_names_stand_side_by_side() {
    let first = Laboratory::open(BINARIES, &["--workers", "1"]);
    let mut command = crashlab(&["--name", "second"]);
    command.env("PULSAR_WORKERS", "1");
    let second = first.program.beside(command);
    let address = second.listening_on();
    assert_ne!(address, first.address);
    let refused = first.cli.run(&first.program, &["ps"]);
    assert_eq!(refused.code, Some(1));
    assert_names(&refused.stderr, &["crashlab-under-test", "second"]);
    let named = first.cli.run(&first.program, &["--name", "second", "ps"]);
    assert_eq!(named.code, Some(0), "{}", named.stderr);
}

#[test]
fn a_bad_name_is_refused() {
    for name in ["a/b", "..", "", "a b"] {
        let line = refused(crashlab(&["--name", name]));
        assert_names(&line, &["--name", name]);
    }
}

#[test]
fn a_runtime_directory_that_is_none_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    fs::write(&file, "").unwrap();
    let mut command = crashlab(&[]);
    command.env("XDG_RUNTIME_DIR", &file);
    let line = refused(command);
    assert_names(&line, &["control directory", file.to_str().unwrap()]);
}

#[test]
fn a_control_directory_that_is_a_file_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("pulsar");
    fs::write(&folder, "").unwrap();
    let mut command = crashlab(&[]);
    command.env("XDG_RUNTIME_DIR", temp.path());
    let line = refused(command);
    assert_names(&line, &["control directory", folder.to_str().unwrap()]);
}

#[test]
fn a_control_directory_open_to_others_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("pulsar");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = crashlab(&[]);
    command.env("XDG_RUNTIME_DIR", temp.path());
    let line = refused(command);
    let folder = folder.to_str().unwrap();
    assert_names(&line, &["control directory", folder, "0755"]);
}

#[test]
fn a_refused_server_leaves_no_socket_behind() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let bind = format!("unix:one.sock,{address}");
    let mut program = Program::launch(crashlab(&["--bind", &bind]));
    assert_eq!(program.wait().code(), Some(2), "{}", program.stderr());
    assert!(!program.runtime_dir().join("one.sock").exists());
    let instance = program.runtime_dir().join("pulsar/crashlab-under-test");
    assert!(!instance.exists());
}

#[test]
fn help_is_printed_and_is_no_failure() {
    let outcome = Program::launch(crashlab(&["--help"])).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stderr, "");
    let help = outcome.stdout.join("\n");
    for flag in ["--bind", "--workers", "--concurrency", "--exit-timeout"] {
        assert!(help.contains(flag), "{flag} is not in {help}");
    }
}
