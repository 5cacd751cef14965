//! A test's process, from both sides.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use linkme::distributed_slice;

use pulsar_core::__private::{Way, enter_child, mark};

use crate::Leftovers;
use crate::way::{WAY_VARIABLE, spawn_way};

/// Says to a test's process which test it is.
const TEST_VARIABLE: &str = "PULSAR_TEST";
/// How the line begins by which a test says that it cannot be run here.
const SKIPPED: &str = "skipped: ";
/// A test that takes longer is ended: a test that hangs should say so.
const TEST_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the output of a test that has ended may take.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the test's process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A test of the program.
#[doc(hidden)]
pub struct TestDef {
    /// Its full name.
    pub name: &'static str,
    /// Runs its body under an arbiter on this thread.
    pub run: fn() -> ExitCode,
}

/// The tests of the program: each `#[pulsar::test]` adds itself at link time.
#[doc(hidden)]
#[distributed_slice]
pub static TESTS: [TestDef];

/// Runs before `main` in each program that has such tests: becomes an actor in an actor's
/// process, the test in a test's process, and does nothing elsewhere.
#[doc(hidden)]
#[expect(
    clippy::exit,
    reason = "the process is the test's: it must not reach the harness's main"
)]
pub extern "C" fn enter_test() {
    enter_child(None);
    let Some(name) = std::env::var_os(TEST_VARIABLE) else {
        // The harness itself spawns nothing.
        return mark(None, None);
    };
    mark(Some(Way::Exec), None);
    let test = TESTS.iter().find(|test| name == test.name);
    let code = match test {
        Some(test) => body(test),
        None => {
            eprintln!("no test of this program is named {}", name.display());
            70
        }
    };
    std::process::exit(code)
}

/// The test itself, in its process.
fn body(test: &TestDef) -> i32 {
    pulsar_sys::boot::ignore_broken_pipes();
    let before = match Leftovers::baseline() {
        Ok(before) => before,
        Err(error) => {
            eprintln!("the test's process cannot be looked at: {error}");
            return 70;
        }
    };
    // `ExitCode` can only be compared as text.
    let passed = format!("{:?}", (test.run)()) == format!("{:?}", ExitCode::SUCCESS);
    let left = before.check();
    if let Err(left) = &left {
        eprintln!("the test left something behind: {left}");
        // They hold the pipes that the harness reads to the end.
        before.end_children();
    }
    i32::from(!passed || left.is_err())
}

/// Runs a test in a process of its own; for the harness's thread.
///
/// # Panics
///
/// If the test fails, with what it printed.
#[doc(hidden)]
pub fn run_test(test: &TestDef) {
    let program = std::env::current_exe().expect("a program knows its own file");
    let mut command = Command::new(program);
    if let Some(way) = spawn_way() {
        command.env(WAY_VARIABLE, way);
    }
    let child = command
        .env(TEST_VARIABLE, test.name)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("a program can be started once more");
    let output = [drain(child.stdout.take()), drain(child.stderr.take())];
    let status = wait(&mut child);
    for output in output {
        // Printed, not written: the harness keeps it with the test. A pipe that somebody still
        // holds is not waited for.
        let output = output.recv_timeout(OUTPUT_TIMEOUT).unwrap_or_default();
        print!("{output}");
        tell_skips(&output, &mut std::io::stderr());
    }
    match status {
        Some(status) => assert!(status.success(), "the test's process ended with {status}"),
        None => panic!("the test took longer than {TEST_TIMEOUT:?} and was killed"),
    }
}

/// What a test says of its being skipped is told also where the harness keeps what tests print: past it, as that keeps
/// only what is printed by the macros.
fn tell_skips(output: &str, to: &mut impl Write) {
    for line in output.lines().filter(|line| line.starts_with(SKIPPED)) {
        // Nobody may be reading.
        let _ = writeln!(to, "{line}");
    }
}

/// Reads all that comes, so that the test never waits for a reader.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (to_output, output) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // An error ends the output, as its end does.
            let _ = pipe.read_to_end(&mut bytes);
        }
        // Nobody may be waiting any more.
        let _ = to_output.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    output
}

/// How the process ended; `None` if it had to be killed.
fn wait(child: &mut Child) -> Option<std::process::ExitStatus> {
    let deadline = Instant::now() + TEST_TIMEOUT;
    loop {
        if let Some(status) = child.try_wait().expect("one's own child can be waited for") {
            return Some(status);
        }
        if Instant::now() >= deadline {
            child.kill().expect("one's own child can be killed");
            child.wait().expect("one's own child can be waited for");
            return None;
        }
        thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_tells_of_a_skip_is_told_past_the_harness() {
        let mut told = Vec::new();
        tell_skips("a word\nskipped: a: b\nnot skipped: c\n", &mut told);
        assert_eq!(told, b"skipped: a: b\n");
    }
}
