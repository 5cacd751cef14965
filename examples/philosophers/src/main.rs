//! The dining philosophers: an application with settings of its own.
//!
//! `cargo run -p philosophers -- --workers 5 --meals 3`. Each philosopher is a worker, in a process
//! of its own. The table is one actor, which they find by its name and ask for forks. Kill a
//! philosopher (`pulsar ps` shows the pids): the forks come back, the others go on, and another
//! takes the seat.
//!
//! # Layout
//!
//! * `settings`: what one can choose about the dinner.
//! * `philosopher`: what a worker does.
//! * `table`: the actor that hands out forks; `seating`: to whom and when, without any waiting.
#![forbid(unsafe_code)]

mod philosopher;
mod seating;
mod settings;
mod table;

use std::process::ExitCode;

use pulsar::app::{Application, ConfigError, Preparation, Settings};
use pulsar::prelude::*;
use serde::{Deserialize, Serialize};

use crate::philosopher::Philosopher;
use crate::settings::Dinner;

/// The application; what can be chosen about it is in its settings.
#[derive(Clone, Serialize, Deserialize)]
struct Philosophers;

impl Application for Philosophers {
    type Settings = Dinner;

    fn name(&self) -> &str {
        "philosophers"
    }

    fn on_config(&self, base: &Settings, _: &Dinner) -> Result<(), ConfigError> {
        match base.workers() {
            1 => Err(ConfigError::new(
                "--workers 1",
                "a philosopher alone has one fork and never eats; give at least 2",
            )),
            _ => Ok(()),
        }
    }

    fn monitor_start(&self, dinner: &Dinner, _: &mut Preparation) -> Result<(), ConfigError> {
        table::lay(dinner).map_err(|error| ConfigError::new("the table", error))
    }

    async fn worker_start(&self, worker: Worker<Dinner>) -> Result<()> {
        Philosopher::sit_down(&worker).await?.begin();
        Ok(())
    }
}

#[pulsar::main]
async fn main() -> ExitCode {
    pulsar::app::run(Philosophers).await
}
