//! The example, run as its readers run it.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::process::Command;
use std::time::Duration;

use pulsar::control::{ActorRow, Client, ControlDirectory};
use pulsar_testkit::{Outcome, Program, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use tokio::runtime::Runtime;

const BINARY: &str = env!("CARGO_BIN_EXE_philosophers");
/// No condition takes as long unless it never comes.
const LIMIT: Duration = Duration::from_secs(30);
/// A report, or a meal, that does not end within a test.
const NEVER: &str = "3600";

fn dine(line: &str) -> Program {
    let fast = ["--thinking-period", "0.01", "--report-period", NEVER];
    let words = line.split(' ').chain(fast);
    Program::start(BINARY, words)
}

/// Checks that the program has ended in order, and gives who ate how often, by name.
fn eaten(outcome: &Outcome) -> Vec<(String, u32)> {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let tally = |line: &String| {
        let (name, rest) = line.split_once(" ate ")?;
        let (eaten, waited) = rest.split_once(" times, waited ")?;
        waited.strip_suffix(" times")?.parse::<u32>().ok()?;
        Some((name.to_owned(), eaten.parse().ok()?))
    };
    let tallies = outcome.stdout.iter().map(tally);
    let mut tallies: Vec<_> = tallies
        .collect::<Option<_>>()
        .unwrap_or_else(|| panic!("{outcome:?}"));
    tallies.sort();
    tallies
}

fn each(philosophers: usize, meals: u32) -> Vec<(String, u32)> {
    let names = (1..=philosophers).map(|number| format!("philosophers-{number}"));
    names.map(|name| (name, meals)).collect()
}

/// Looks at a program under test through its control socket.
struct Onlooker {
    runtime: Runtime,
    client: Client,
}

impl Onlooker {
    fn of(program: &Program) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let directory = ControlDirectory::at(program.runtime_dir().join("pulsar"));
        let connect = || {
            runtime
                .block_on(Client::connect(&directory, Some("philosophers")))
                .ok()
        };
        let client = wait_until(LIMIT, connect).unwrap_or_else(|| panic!("{}", program.stderr()));
        Self { runtime, client }
    }

    /// What the table says of each philosopher now: a name, and whether or how often it eats.
    fn tallies<T>(&mut self, of: impl Fn(&Value) -> T) -> Vec<(String, T)> {
        let told = self.client.send("table", "tallies", Vec::new());
        let Ok(Value::Array(tallies)) = self.runtime.block_on(told) else {
            return Vec::new();
        };
        let name = |tally: &Value| tally["name"].as_str().unwrap().to_owned();
        tallies
            .iter()
            .map(|tally| (name(tally), of(tally)))
            .collect()
    }

    /// Waits until somebody eats who is not `before`; who.
    fn eater_after(&mut self, before: &str) -> String {
        let eater = || {
            let eat = self.tallies(|tally| tally["eats"] == true);
            let other = eat.into_iter().find(|(name, eats)| *eats && name != before);
            other.map(|(name, _)| name)
        };
        wait_until(LIMIT, eater).expect("somebody eats")
    }

    /// Waits until each of so many has eaten so often.
    fn all_have_eaten(&mut self, philosophers: usize, meals: u64) {
        let eaten = || {
            let eaten = self.tallies(|tally| tally["eaten"].as_u64().unwrap());
            let full = eaten.iter().filter(|(_, eaten)| *eaten >= meals);
            (full.count() == philosophers).then_some(())
        };
        let eaten = wait_until(LIMIT, eaten);
        assert_eq!(eaten, Some(()), "{:?}", self.tallies(Value::clone));
    }

    fn row(&mut self, name: &str) -> ActorRow {
        let mut rows = self.runtime.block_on(self.client.ps()).unwrap().into_iter();
        rows.find(|row| row.name == name).unwrap()
    }

    fn info(&mut self, name: &str) -> Value {
        let info = self.runtime.block_on(self.client.info(name));
        info.unwrap_or_default()
    }
}

#[test]
fn all_eat_their_meals_and_the_program_ends() {
    for concurrency in ["process", "thread"] {
        let program = dine(&format!(
            "--workers 5 --meals 3 --eating-period 0.01 --concurrency {concurrency}"
        ));
        let outcome = program.outcome();
        assert_eq!(eaten(&outcome), each(5, 3), "{concurrency}");
        assert_eq!(outcome.stderr, "", "{concurrency}");
    }
}

#[test]
fn nobody_starves_among_those_who_never_have_enough() {
    let program = dine("--workers 5 --eating-period 0.01 --waiting-period 0.02");
    Onlooker::of(&program).all_have_eaten(5, 20);
    let tree = program.tree();
    program.signal(Signal::TERM).unwrap();
    let outcome = program.outcome();
    assert!(eaten(&outcome).iter().all(|(_, eaten)| *eaten >= 20));
    tree.gone_within(Duration::from_secs(1)).unwrap();
}

#[test]
fn the_forks_of_a_killed_eater_come_back_and_so_does_the_philosopher() {
    let program = dine(&format!("--workers 2 --eating-period {NEVER}"));
    let mut onlooker = Onlooker::of(&program);
    let first = onlooker.eater_after("");
    let killed = onlooker.row(&first);
    program
        .signal_below(killed.pid.unwrap(), Signal::KILL)
        .unwrap();
    let second = onlooker.eater_after(&first);
    assert_ne!(first, second);
    let replaced = || (onlooker.row(&first).incarnation == 2).then_some(());
    assert_eq!(wait_until(LIMIT, replaced), Some(()));
    program.signal(Signal::TERM).unwrap();
    assert_eq!(eaten(&program.outcome()), each(2, 0));
}

#[test]
fn all_eat_their_meals_though_one_is_killed() {
    let program = dine("--workers 5 --meals 20 --eating-period 0.1");
    let mut onlooker = Onlooker::of(&program);
    onlooker.all_have_eaten(5, 2);
    let killed = onlooker.row("philosophers-3").pid.unwrap();
    program.signal_below(killed, Signal::KILL).unwrap();
    assert_eq!(eaten(&program.outcome()), each(5, 20));
}

#[test]
fn who_has_eaten_how_often_is_said_now_and_then_and_shown_by_info() {
    let args = "--workers 2 --timeout 1 --eating-period 0.01 --report-period 0.05";
    let program = Program::start(BINARY, args.split(' '));
    let line = program.line().unwrap();
    assert!(line.starts_with("so far: philosophers-"), "{line}");
    let mut onlooker = Onlooker::of(&program);
    let shown = || {
        let info = onlooker.info("philosophers-1");
        let eaten = info["extra"]["eaten"].as_u64()?;
        (eaten > 0).then_some(())
    };
    assert_eq!(wait_until(LIMIT, shown), Some(()));
}

#[test]
fn bad_settings_are_refused_in_one_line_that_names_them() {
    let cases = [
        ("--workers", "1"),
        ("--meals", "0"),
        ("--meals", "many"),
        ("--eating-period", "0"),
        ("--thinking-period", "-1"),
        ("--waiting-period", "NaN"),
        ("--report-period", "86401"),
    ];
    for (flag, value) in cases {
        refused(Program::start(BINARY, [flag, value]), flag);
    }
    let mut command = Command::new(BINARY);
    command.env("PULSAR_EATING_PERIOD", "long");
    refused(Program::launch(command), "--eating-period");
}

fn refused(program: Program, names: &str) {
    let outcome = program.outcome();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert!(outcome.stderr.contains(names), "{outcome:?}");
    assert!(outcome.stdout.is_empty(), "{outcome:?}");
}
