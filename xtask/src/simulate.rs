//! The simulation of supervision, from the command line.

use std::time::Instant;

use anyhow::{Context, bail};
use pulsar_simulator::{campaign, simulate};

/// Runs, unless it is said how many.
const SEEDS: u64 = 10_000;

/// `--seeds N`: so many runs, and what they have met. `--seed S`: that run alone, with its trace.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<bool> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => Ok(many(SEEDS)),
        ["--seeds", seeds] => Ok(many(number(seeds)?)),
        ["--seed", seed] => Ok(one(number(seed)?)),
        _ => bail!("usage: cargo xtask simulate [--seeds N | --seed S]"),
    }
}

fn number(word: &str) -> anyhow::Result<u64> {
    word.parse()
        .with_context(|| format!("{word:?} is no number"))
}

fn many(seeds: u64) -> bool {
    let begun = Instant::now();
    let summary = campaign(seeds, false);
    println!("{summary}, {:.1} s", begun.elapsed().as_secs_f64());
    summary.failed == 0
}

fn one(seed: u64) -> bool {
    let run = simulate(seed, true);
    print!("{}", run.trace);
    match &run.violation {
        None => println!("seed {seed}: {} steps, nothing wrong", run.steps),
        Some(what) => println!("seed {seed} fails in step {}: {what}", run.steps),
    }
    run.violation.is_none()
}
