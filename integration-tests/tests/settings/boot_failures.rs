//! A factory that fails: its message is shown, it is tried again, and then the server gives up.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use pulsar_testkit::{Outcome, Program, wait_until};
use rustix::process::Signal;

use crate::FACTORY;

/// Boots before the server gives up.
const BOOTS: usize = 5;
/// The first wait before another boot; each further one is twice as long, and 20 % may be taken
/// off by chance.
const FIRST_WAIT_MS: u128 = 100;

/// How a server of one worker ends whose factory fails, and when the worker was booted, in
/// milliseconds.
fn fail(how: &str) -> (Outcome, Vec<u128>) {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("boots");
    let mut command = Command::new(FACTORY);
    command.args(["--bind", "127.0.0.1:0", "--workers", "1", "--failing", how]);
    command.arg("--boots").arg(&file);
    let outcome = Program::launch(command).outcome();
    let boots = fs::read_to_string(file).unwrap();
    let boots = boots.lines().map(|line| line.parse().unwrap()).collect();
    (outcome, boots)
}

fn gives_up_after_growing_waits(how: &str) {
    let (outcome, boots) = fail(how);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, Vec::<String>::new());
    let shown = outcome.stderr.matches("no database").count();
    assert!(shown > BOOTS, "each boot and the end: {}", outcome.stderr);
    let last = outcome.stderr.lines().last().unwrap();
    assert!(last.starts_with("factory: "), "{last}");
    assert!(last.contains("no database"), "{last}");
    assert_eq!(boots.len(), BOOTS);
    for (index, pair) in boots.windows(2).enumerate() {
        let least = (FIRST_WAIT_MS << index) * 8 / 10;
        let waited = pair[1] - pair[0];
        assert!(waited >= least, "{waited} ms before boot {}", index + 2);
    }
}

#[test]
fn a_factory_that_fails_is_tried_again_after_growing_waits_and_then_given_up() {
    gives_up_after_growing_waits("error");
}

#[test]
fn a_factory_that_panics_is_tried_again_after_growing_waits_and_then_given_up() {
    gives_up_after_growing_waits("panic");
}

#[test]
fn fault_12_a_stop_while_the_factory_hangs_leaves_no_worker() {
    let mut command = Command::new(FACTORY);
    command.args([
        "--bind",
        "127.0.0.1:0",
        "--workers",
        "2",
        "--boots",
        "boots",
    ]);
    command.args(["--failing", "hang", "--exit-timeout", "1"]);
    let mut program = Program::launch(command);
    let file = program.runtime_dir().join("boots");
    let both_hang = wait_until(Duration::from_secs(20), || {
        let boots = fs::read_to_string(&file).unwrap_or_default();
        (boots.lines().count() == 2).then_some(())
    });
    assert!(both_hang.is_some(), "{}", program.stderr());
    let tree = program.tree();
    assert_eq!(tree.actors().len(), 2);
    let begun = Instant::now();
    program.signal(Signal::TERM).unwrap();
    assert_eq!(program.wait().code(), Some(0), "{}", program.stderr());
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    tree.gone_within(Duration::from_secs(1)).unwrap();
    assert!(!program.runtime_dir().join("pulsar/factory").exists());
}
