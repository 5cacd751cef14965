//! What every application can be told.

use std::time::Duration;

use clap::{Args, ValueEnum};
use pulsar_core::{Context, Error, Placement};
use serde::{Deserialize, Serialize};

/// The most workers of one application: more than any machine has use for, few enough that a
/// slip of the finger does not take the machine down.
pub(crate) const MAX_WORKERS: u32 = 1024;

/// The settings of every application: by flag, else by `PULSAR_…` in the environment, else the
/// default.
#[derive(Args, Clone, PartialEq, Debug, Serialize, Deserialize)]
#[command(next_help_heading = "Workers")]
pub struct Settings {
    /// How many workers serve [default: the number of cores]
    #[arg(long, env = "PULSAR_WORKERS", value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_WORKERS)))]
    pub workers: Option<u32>,

    /// Whether workers are processes or threads
    #[arg(long, env = "PULSAR_CONCURRENCY", value_enum, default_value_t)]
    pub concurrency: Concurrency,

    /// Seconds that a worker may be silent: it notifies about three times as often
    #[arg(long, env = "PULSAR_TIMEOUT", value_name = "S", default_value = "30", allow_negative_numbers = true,
        value_parser = seconds_from_one)]
    pub timeout: f64,

    /// Seconds that a stopping worker has to finish what it has begun
    #[arg(long, env = "PULSAR_EXIT_TIMEOUT", value_name = "S", default_value = "10", allow_negative_numbers = true,
        value_parser = seconds)]
    pub exit_timeout: f64,

    /// The name of this instance, by which it is found [default: the program's name]
    #[arg(
        long,
        env = "PULSAR_NAME",
        value_name = "NAME",
        help_heading = "Instance"
    )]
    pub name: Option<String>,

    /// What is logged: error, warn, info, debug, trace, or such as `warn,my_crate=debug`
    #[arg(long, env = "PULSAR_LOG_LEVEL", value_name = "L", default_value = "info",
        help_heading = "Instance", value_parser = log_level)]
    pub log_level: String,
}

impl Settings {
    /// How many workers serve.
    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.map_or_else(cores, |workers| workers as usize)
    }

    /// Declares them as settings of a worker, for tools to read; their help is what they are for.
    ///
    /// # Errors
    ///
    /// If the worker has settings of these names already.
    pub(crate) fn declare(&self, worker: &Context) -> Result<(), Error> {
        let flags = Self::augment_args(clap::Command::new(""));
        let values = serde_json::to_value(self)?;
        for (name, value) in values.as_object().into_iter().flatten() {
            let flag = flags.get_arguments().find(|flag| flag.get_id() == name);
            let help = flag.and_then(|flag| flag.get_help());
            let doc = help.map(ToString::to_string).unwrap_or_default();
            worker.setting(name, value.clone()).doc(doc).fixed()?;
        }
        Ok(())
    }

    /// [`timeout`](Self::timeout), as a duration.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout)
    }

    /// [`exit_timeout`](Self::exit_timeout), as a duration.
    pub fn exit_timeout(&self) -> Duration {
        Duration::from_secs_f64(self.exit_timeout)
    }
}

/// How workers run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize)]
pub enum Concurrency {
    /// Each in a process of its own: no crash takes others along.
    #[default]
    Process,
    /// Each on a thread of its own, in one process.
    Thread,
}

impl From<Concurrency> for Placement {
    fn from(concurrency: Concurrency) -> Self {
        match concurrency {
            Concurrency::Process => Self::Process,
            Concurrency::Thread => Self::Thread,
        }
    }
}

/// The settings of an application that has none of its own.
#[derive(Args, Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct NoSettings {}

/// A day: longer waits are mistakes of the unit.
const MAX_SECONDS: f64 = 86_400.0;

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "expected a number of seconds".to_owned())?;
    match (0.0..=MAX_SECONDS).contains(&seconds) {
        true => Ok(seconds),
        false => Err(format!("expected 0 to {MAX_SECONDS} seconds")),
    }
}

fn seconds_from_one(text: &str) -> Result<f64, String> {
    match seconds(text)? {
        seconds if seconds >= 1.0 => Ok(seconds),
        _ => Err("expected at least 1 second".to_owned()),
    }
}

fn log_level(text: &str) -> Result<String, String> {
    let filter = text.to_owned();
    let config = pulsar_core::LogConfig { filter };
    config.check().map_err(|error| error.to_string())?;
    Ok(config.filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_bounded_on_both_sides() {
        assert_eq!(seconds("0.5"), Ok(0.5));
        for wrong in ["", "x", "-1", "NaN", "inf", "86401"] {
            assert!(seconds(wrong).is_err(), "{wrong:?}");
        }
        assert!(seconds_from_one("0.9").is_err());
    }
}
