//! The command line.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;

use crate::groups::{GROUPS, Group};
use crate::report;
use crate::rounds::{Plan, Run};

/// Measures Pulsar beside its peers and beside raw code, interleaved, in one run
#[derive(Parser)]
#[command(name = "pulsar-bench", bin_name = "cargo pulsar-bench")]
struct Flags {
    /// What is measured [default: all]
    #[arg(value_name = "GROUP", value_parser = group)]
    groups: Vec<&'static Group>,

    /// Writes the findings to this file too, as a JSON array
    #[arg(long, value_name = "FILE", conflicts_with = "smoke")]
    json: Option<PathBuf>,

    /// Draws each group into this folder, as SVG
    #[arg(long, value_name = "DIR", conflicts_with = "smoke")]
    plot: Option<PathBuf>,

    /// How many rounds; for http at least 10
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: u8,

    /// Three rounds, and a quarter of the time for each reading: for a first look
    #[arg(long)]
    quick: bool,

    /// Only sees that Pulsar and the floors work, as briefly as can be: its figures mean nothing
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,
}

/// How long a contender is measured at a time, after its warm-up.
const EFFORT: Duration = Duration::from_millis(400);
const QUICK_EFFORT: Duration = Duration::from_millis(100);
const SMOKE_EFFORT: Duration = Duration::from_millis(10);
const QUICK_ROUNDS: usize = 3;

fn group(name: &str) -> Result<&'static Group, String> {
    let names: Vec<_> = GROUPS.iter().map(|group| group.name).collect();
    let found = GROUPS.iter().find(|group| group.name == name);
    found.ok_or_else(|| format!("the groups are {}", names.join(", ")))
}

/// Reads the command line, runs, reports.
///
/// # Errors
/// A smoke run in which something failed; a file that cannot be written.
pub(crate) fn run() -> anyhow::Result<()> {
    let flags = Flags::parse();
    if cfg!(debug_assertions) && !flags.smoke {
        bail!("this is a debug build, whose figures mean nothing: use `cargo pulsar-bench`");
    }
    let groups = match flags.groups.as_slice() {
        [] => GROUPS.iter().collect(),
        chosen => chosen.to_vec(),
    };
    let mut run = Run::new(plan(&flags))?;
    let mut findings = Vec::new();
    for group in groups {
        let found = run.group(group);
        print!("{}", report::table(group.name, &found));
        findings.extend(found);
        // After each group: what has been measured is kept if the rest is interrupted.
        if let Some(file) = &flags.json {
            let text = report::json(&findings)?;
            fs::write(file, text).with_context(|| format!("failed to write {}", file.display()))?;
        }
    }
    if let Some(folder) = &flags.plot {
        report::plots(folder, &findings)?;
    }
    match run.failures() {
        0 => Ok(()),
        failures if flags.smoke => bail!("{failures} readings failed"),
        failures => {
            eprintln!("{failures} readings failed: see above");
            Ok(())
        }
    }
}

fn plan(flags: &Flags) -> Plan {
    let (rounds, effort) = match (flags.smoke, flags.quick) {
        (true, _) => (1, SMOKE_EFFORT),
        (_, true) => (QUICK_ROUNDS, QUICK_EFFORT),
        _ => (usize::from(flags.rounds), EFFORT),
    };
    Plan {
        rounds,
        effort,
        smoke: flags.smoke,
    }
}
