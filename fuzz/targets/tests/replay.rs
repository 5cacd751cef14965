//! The corpora, replayed, and a little fuzzing that needs no nightly compiler.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use fuzz_targets::mutation::Mutation;
use fuzz_targets::{TARGETS, Target, corpus};

/// The same in each run, so that what fails here fails there too.
const SEED: u64 = 20;
/// Changed inputs of each target: as many as take seconds at most where nothing is optimized.
const MUTATIONS: usize = 20_000;
/// Inputs that make a corpus.
const FEWEST: usize = 15;

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// Has the target check an input; one that fails is shown, so that it can be kept.
fn check(target: &Target, what: &str, input: &[u8]) {
    let checked = catch_unwind(AssertUnwindSafe(|| (target.check)(input)));
    assert!(
        checked.is_ok(),
        "{} fails on {what}: {}",
        target.name,
        input.escape_ascii()
    );
}

/// Replays the corpus of a target, and then so many changed inputs of it.
fn replay(name: &str) {
    let target = target(name);
    let inputs = corpus::read(target).unwrap();
    assert!(
        inputs.len() >= FEWEST,
        "{} inputs are no corpus",
        inputs.len()
    );
    for (name, input) in &inputs {
        check(target, name, input);
    }
    let inputs: Vec<_> = inputs.into_values().collect();
    let mut mutation = Mutation::from_seed(SEED);
    for number in 0..MUTATIONS {
        check(target, &format!("mutation {number}"), &mutation.of(&inputs));
    }
}

#[test]
fn replays_the_corpus_of_frame() {
    replay("frame");
}

#[test]
fn replays_the_corpus_of_hello() {
    replay("hello");
}

#[test]
fn replays_the_corpus_of_boot_record() {
    replay("boot_record");
}

#[test]
fn replays_the_corpus_of_command() {
    replay("command");
}

#[test]
fn replays_the_corpus_of_report() {
    replay("report");
}

#[test]
fn replays_the_corpus_of_link() {
    replay("link");
}

#[test]
fn replays_the_corpus_of_ring() {
    replay("ring");
}

#[test]
fn replays_the_corpus_of_control_line() {
    replay("control_line");
}

#[test]
fn the_corpora_hold_the_seeds_as_they_are_made_now() {
    for target in TARGETS {
        let inputs = corpus::read(target).unwrap();
        for (name, seed) in (target.seeds)() {
            let kept = inputs.get(name);
            assert!(
                kept == Some(&seed),
                "{}/{name}: cargo run -p fuzz-targets",
                target.name
            );
        }
    }
}

#[test]
fn each_target_is_a_program_of_the_fuzzer() {
    let programs = corpus::folder(&TARGETS[0]).join("../../fuzz_targets");
    let mut names: Vec<_> = std::fs::read_dir(programs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected: Vec<_> = TARGETS
        .iter()
        .map(|target| format!("{}.rs", target.name))
        .collect();
    expected.sort();
    assert_eq!(names, expected);
}
