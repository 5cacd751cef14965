//! Workers that die again and again.

use std::time::{Duration, Instant};

use pulsar_control::{Client, ControlDirectory};
use pulsar_testkit::Program;
use tokio::runtime::Builder;

const CRASH_LOOP: &str = env!("CARGO_BIN_EXE_crash-loop");
/// Restarts that a pool of two may have in a minute.
const INTENSITY: usize = 10;
const WORKERS: usize = 2;
/// Lines that one death and the restart after it may take in the log: the panic's or the abort's own, and what the
/// arbiter says of it.
const LINES_FOR_A_DEATH: usize = 4;
/// An answer takes no longer, but for a few: the machine may be busy with other tests.
const SWIFT: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Asks over the control socket again and again, until the server ends; how long each answer took.
async fn ask_until_the_end(program: &Program) -> Vec<Duration> {
    let directory = ControlDirectory::at(program.runtime_dir().join("pulsar"));
    let mut client = Client::connect(&directory, Some("crash-loop"))
        .await
        .unwrap();
    let mut answers = Vec::new();
    loop {
        let asked = Instant::now();
        match client.ps().await {
            Ok(rows) => assert_eq!(rows.len(), 2 + WORKERS, "{rows:?}"),
            Err(_) => return answers,
        }
        answers.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn fault_10_a_crash_loop_backs_off_is_answered_through_and_gives_up() {
    let begun = Instant::now();
    let workers = WORKERS.to_string();
    let program = Program::start(CRASH_LOOP, ["--workers", &workers, "--bind", "127.0.0.1:0"]);
    program.listening_on();
    let tree = program.tree();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut answers = runtime.block_on(ask_until_the_end(&program));
    let outcome = program.outcome();
    // Each place has five restarts: lives of 0.2 s, and waits of about 0, 0.1, 0.2, 0.4 and 0.8 s.
    assert!(
        begun.elapsed() >= Duration::from_millis(2_200),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(tree.gone_within(Duration::from_secs(1)), Ok(()));
    // Those that live end at the last, and the others have been restarted as often as they may.
    let deaths = outcome.stderr.matches("killed by signal 6").count();
    assert!(
        (INTENSITY..=INTENSITY + WORKERS + 1).contains(&deaths),
        "{deaths}: {}",
        outcome.stderr
    );
    let lines = outcome.stderr.lines().count();
    assert!(
        lines <= deaths * LINES_FOR_A_DEATH + 10,
        "{lines}: {}",
        outcome.stderr
    );
    answers.sort();
    assert!(answers.len() >= 50, "{}", answers.len());
    let (nine_tenths, longest) = (answers[answers.len() * 9 / 10], answers[answers.len() - 1]);
    assert!(
        nine_tenths < SWIFT && longest < LONGEST,
        "{nine_tenths:?}, {longest:?}"
    );
}
