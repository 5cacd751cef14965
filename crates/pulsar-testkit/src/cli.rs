//! The command line, against a program under test.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::{Outcome, Program};

/// The binary of the command line, which is a target of the test's own package.
#[derive(Clone, Debug)]
pub struct Cli {
    binary: PathBuf,
}

impl Cli {
    /// The command line in this file.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
        }
    }

    /// Runs it with these arguments, in the program's runtime directory.
    ///
    /// # Panics
    ///
    /// If it cannot be started, or does not end within a minute.
    pub fn run(&self, program: &Program, args: &[&str]) -> Outcome {
        let mut command = Command::new(&self.binary);
        command.args(args);
        program.beside(command).outcome()
    }

    /// Runs it with these arguments and `--json`, and gives what it prints.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run); if it fails; if it prints anything but one line of JSON.
    pub fn json(&self, program: &Program, args: &[&str]) -> Value {
        let outcome = self.run(program, &[args, &["--json"]].concat());
        let value = match &outcome.stdout[..] {
            [line] if outcome.code == Some(0) => serde_json::from_str(line).ok(),
            _ => None,
        };
        value.unwrap_or_else(|| panic!("{args:?} prints no value: {outcome:?}"))
    }

    /// The rows of `ps`, in its order.
    ///
    /// # Panics
    ///
    /// As [`json`](Self::json).
    pub fn ps(&self, program: &Program) -> Vec<Value> {
        match self.json(program, &["ps"]) {
            Value::Array(rows) => rows,
            other => panic!("ps prints no array: {other}"),
        }
    }

    /// The rows of the workers, in the order of their places.
    ///
    /// # Panics
    ///
    /// As [`json`](Self::json).
    pub fn workers(&self, program: &Program) -> Vec<Value> {
        let mut rows = self.ps(program);
        rows.retain(|row| row["role"] == "worker");
        rows
    }
}
