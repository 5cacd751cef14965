//! The trait of applications.

use std::fmt;
use std::future::{Future, ready};

use clap::Args;
use pulsar_core::{Result, Spawn};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Preparation, Settings, Worker};

/// A program that workers run, under a monitor. The hooks are called in the order in which they
/// stand here.
///
/// The value itself travels to the workers in their boot record, so it is a serde type; it holds
/// what the program chose, while settings hold what the operator chose.
pub trait Application: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The settings of the application's own, beside those that every application has.
    type Settings: Args + Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// The application's name: its monitor's, and the beginning of its workers' names.
    fn name(&self) -> &str;

    /// In the arbiter, once the settings are read.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] ends the program with exit code 2.
    fn on_config(&self, base: &Settings, own: &Self::Settings) -> Result<(), ConfigError> {
        let _ = (base, own);
        Ok(())
    }

    /// In the arbiter, before the first worker: prepares what the workers get.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] ends the program with exit code 2.
    fn monitor_start(
        &self,
        settings: &Self::Settings,
        preparation: &mut Preparation,
    ) -> Result<(), ConfigError> {
        let _ = (settings, preparation);
        Ok(())
    }

    /// In the arbiter: completes the description of a worker.
    fn actor_params(&self, worker: Spawn) -> Spawn {
        worker
    }

    /// In each worker, before it counts as ready.
    fn worker_start(
        &self,
        worker: Worker<Self::Settings>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// In each worker that is asked to stop, within its drain timeout.
    fn worker_stopping(&self, worker: Worker<Self::Settings>) -> impl Future<Output = ()> + Send {
        let _ = worker;
        ready(())
    }

    /// In the arbiter, when the application begins to stop.
    fn monitor_stopping(&self) {}
}

/// A setting that does not do, or an environment that does not fit it: exit code 2, in one line
/// that names the setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError(String);

impl ConfigError {
    /// `setting` as one gives it, such as `--bind 127.0.0.1:80`, and what is wrong with it.
    pub fn new(setting: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self(format!("{setting}: {problem}"))
    }

    /// A line that names its setting already.
    pub fn line(line: impl fmt::Display) -> Self {
        Self(line.to_string())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace('\n', " "))
    }
}

impl std::error::Error for ConfigError {}
