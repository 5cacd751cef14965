//! `cargo xtask faults [--times N]`: runs the fault suite again and again, and says what it saw.
//!
//! The suite is every test of the workspace whose name has the number of a fault of the catalogue: `fault_07_…`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};

/// Rounds, where the command line does not say.
const ROUNDS: usize = 10;
/// The faults that must have a test, in ranges with both ends: those of processes, of mailboxes and links, of the
/// clock and of the control socket. The others belong to what is not built yet.
const MUST: &[(u32, u32)] = &[(1, 18), (26, 31), (34, 34), (37, 37)];
/// What the names of the suite's tests begin with, behind their modules.
const PREFIX: &str = "fault_";

/// Runs the suite, and prints a line for each round and a closing one; answers whether nothing failed and no fault
/// is without a test.
///
/// # Errors
/// When the arguments are wrong, or cargo cannot be run or cannot build the tests.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<bool> {
    let rounds = rounds(arguments)?;
    let listed = cargo_test(&["--list"])?;
    ensure!(
        listed.status,
        "the tests cannot be built or listed:\n{}",
        listed.output
    );
    let tests = tests(&listed.output);
    for (number, names) in &tests {
        println!("fault {number:02}: {}", names.join(", "));
    }
    let missing = missing(&tests);
    let mut sum = Tally::default();
    for round in 1..=rounds {
        let begun = Instant::now();
        let ran = cargo_test(&[])?;
        let tally = Tally::of(&ran);
        for failure in failures(&ran.output) {
            println!("  {failure}");
        }
        let seconds = begun.elapsed().as_secs();
        println!("round {round} of {rounds}: {tally}, {seconds} s");
        sum.add(tally);
    }
    println!("faults: {rounds} rounds, {sum}");
    if !missing.is_empty() {
        println!("faults without a test: {}", listing(&missing));
    }
    Ok(sum.failed == 0 && sum.passed > 0 && missing.is_empty())
}

fn rounds(arguments: &[String]) -> anyhow::Result<usize> {
    match arguments {
        [] => Ok(ROUNDS),
        [flag, times] if flag == "--times" => {
            let times = times.parse().context("--times takes a number")?;
            ensure!(times > 0, "--times takes a number above zero");
            Ok(times)
        }
        _ => bail!("usage: cargo xtask faults [--times N]"),
    }
}

/// What cargo said, and whether it was content.
struct Ran {
    status: bool,
    output: String,
}

/// The tests of the suite, one after the other, with what they print; a test that fails does not keep those of other
/// programs from running.
fn cargo_test(more: &[&str]) -> anyhow::Result<Ran> {
    // The cargo that runs this chore, so that its toolchain is the same.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "test",
            "--workspace",
            "--tests",
            "--no-fail-fast",
            "--locked",
            PREFIX,
            "--",
        ])
        .args(more)
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .output()
        .context("cargo cannot be run")?;
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Ok(Ran {
        status: output.status.success(),
        output: text.concat(),
    })
}

/// The names of the suite's tests by the numbers of their faults, from a list as the test harness prints it.
fn tests(listed: &str) -> BTreeMap<u32, Vec<String>> {
    let mut tests: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for line in listed.lines() {
        let Some(name) = line.strip_suffix(": test") else {
            continue;
        };
        if let Some(number) = number(name) {
            tests.entry(number).or_default().push(name.to_owned());
        }
    }
    tests
}

/// The number of the fault that a test is for.
fn number(name: &str) -> Option<u32> {
    let own = name.rsplit("::").next()?;
    let (number, _) = own.strip_prefix(PREFIX)?.split_once('_')?;
    number.parse().ok()
}

/// The faults that must have a test and have none.
fn missing(tests: &BTreeMap<u32, Vec<String>>) -> BTreeSet<u32> {
    let must = MUST.iter().flat_map(|(first, last)| *first..=*last);
    must.filter(|number| !tests.contains_key(number)).collect()
}

fn listing(numbers: &BTreeSet<u32>) -> String {
    let numbers: Vec<String> = numbers
        .iter()
        .map(|number| format!("{number:02}"))
        .collect();
    numbers.join(", ")
}

fn failures(output: &str) -> impl Iterator<Item = &str> {
    output
        .lines()
        .filter(|line| line.starts_with("test ") && line.ends_with(" ... FAILED"))
}

/// How many tests came to which end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    /// Of one round. A skipped test has passed for its harness, and says on a line of its own that it was skipped.
    fn of(ran: &Ran) -> Self {
        let (mut tally, mut lacking) = (Self::default(), 0);
        for line in ran.output.lines() {
            if let Some(counts) = line.strip_prefix("test result: ") {
                tally.passed += count(counts, "passed;");
                tally.failed += count(counts, "failed;");
                tally.skipped += count(counts, "ignored;");
            } else if line.starts_with("skipped: ") || line.contains(" ... skipped: ") {
                lacking += 1;
            }
        }
        tally.skipped += lacking;
        tally.passed = tally.passed.saturating_sub(lacking);
        // Something failed that no harness tells of: a build, or a program of tests that was killed.
        if !ran.status && tally.failed == 0 {
            tally.failed = 1;
        }
        tally
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// The number before a word.
fn count(counts: &str, word: &str) -> usize {
    let words: Vec<&str> = counts.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| pair[1] == word);
    pairs.filter_map(|pair| pair[0].parse::<usize>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
frames::fault_27_garbage: test
fault_27_more: test
worker::fault_01_a_kill: test
not_a_fault_02_test: test
fault_of_mine: test
fault_03_bench: benchmark

4 tests, 1 benchmark
";

    #[test]
    fn tests_are_found_by_their_numbers() {
        let found = tests(LIST);
        let numbers: Vec<_> = found
            .iter()
            .map(|(number, names)| (*number, names.len()))
            .collect();
        assert_eq!(numbers, [(1, 1), (27, 2)]);
    }

    #[test]
    fn the_faults_without_a_test_are_told() {
        let all = MUST.iter().flat_map(|(first, last)| *first..=*last);
        let mut tests: BTreeMap<_, _> = all.map(|number| (number, Vec::new())).collect();
        assert_eq!(listing(&missing(&tests)), "");
        tests.remove(&7);
        tests.remove(&34);
        assert_eq!(listing(&missing(&tests)), "07, 34");
    }

    #[test]
    fn a_round_is_summed_over_its_programs() {
        let ran = |status, output: &str| {
            Tally::of(&Ran {
                status,
                output: output.to_owned(),
            })
        };
        let output = "\
test a::fault_01_x ... ok
test fault_37_y ... skipped: fault_37_y: needs root
ok
test result: ok. 8 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 1.45s
test fault_02_z ... FAILED
test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s
";
        let expected = Tally {
            passed: 9,
            failed: 1,
            skipped: 2,
        };
        assert_eq!(ran(false, output), expected);
        assert_eq!(
            failures(output).collect::<Vec<_>>(),
            ["test fault_02_z ... FAILED"]
        );
        // Cargo failed, and no test has said so.
        let built = ran(false, "error: could not compile `integration-tests`\n");
        assert_eq!(built.failed, 1);
        assert_eq!(built.to_string(), "0 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn only_a_number_of_rounds_is_taken() {
        let rounds =
            |words: &[&str]| rounds(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(rounds(&[]).unwrap(), ROUNDS);
        assert_eq!(rounds(&["--times", "3"]).unwrap(), 3);
        for wrong in [
            &["--times"][..],
            &["--times", "0"],
            &["--times", "x"],
            &["3"],
            &["--fix"],
        ] {
            assert!(rounds(wrong).is_err(), "{wrong:?}");
        }
    }
}
