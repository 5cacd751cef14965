//! The chores of the repository, run as `cargo xtask CHORE`.
//!
//! # Layout
//! - [`faults`]: runs the fault suite again and again.
//! - [`simulate`]: the simulation of supervision.
//! - [`tidy`]: the checks that hold the house's rules.
#![forbid(unsafe_code)]

mod faults;
mod simulate;
mod tidy;

use std::process::ExitCode;

/// One chore: its name on the command line, what it does, and the function that does it.
struct Chore {
    name: &'static str,
    about: &'static str,
    /// Gets the arguments behind the chore's name; answers whether all is well.
    run: fn(&[String]) -> anyhow::Result<bool>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "tidy",
        about: "check layers, limits, unsafe code, links and licences",
        run: tidy::run,
    },
    Chore {
        name: "faults",
        about: "run the fault suite ten times, or --times N",
        run: faults::run,
    },
    Chore {
        name: "simulate",
        about: "simulate supervision: --seeds N runs, or --seed S alone with its trace",
        run: simulate::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.first().map(String::as_str);
    let Some(chore) = CHORES.iter().find(|chore| Some(chore.name) == wanted) else {
        return usage();
    };
    match (chore.run)(&arguments[1..]) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{}: {error:#}", chore.name);
            ExitCode::from(2)
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask CHORE");
    for chore in CHORES {
        eprintln!("  {:<10} {}", chore.name, chore.about);
    }
    ExitCode::from(2)
}
