//! What one can choose about the dinner.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

/// The settings of this application, beside those of every one.
#[derive(Args, Clone, PartialEq, Debug, Serialize, Deserialize)]
#[command(next_help_heading = "Dinner")]
pub(crate) struct Dinner {
    /// Seconds that a meal takes
    #[arg(long, env = "PULSAR_EATING_PERIOD", value_name = "S", default_value = "0.5", allow_negative_numbers = true,
        value_parser = seconds)]
    eating_period: f64,

    /// Seconds that a philosopher thinks between meals
    #[arg(long, env = "PULSAR_THINKING_PERIOD", value_name = "S", default_value = "0.5", allow_negative_numbers = true,
        value_parser = seconds)]
    thinking_period: f64,

    /// Seconds that a philosopher waits for forks before asking again
    #[arg(long, env = "PULSAR_WAITING_PERIOD", value_name = "S", default_value = "2", allow_negative_numbers = true,
        value_parser = seconds)]
    waiting_period: f64,

    /// Seconds from one line about who has eaten how often to the next
    #[arg(long, env = "PULSAR_REPORT_PERIOD", value_name = "S", default_value = "5", allow_negative_numbers = true,
        value_parser = seconds)]
    report_period: f64,

    /// End when every philosopher has eaten so often [default: dine until asked to stop]
    #[arg(long, env = "PULSAR_MEALS", value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..=MAX_MEALS))]
    pub(crate) meals: Option<u32>,
}

impl Dinner {
    pub(crate) fn eating_period(&self) -> Duration {
        Duration::from_secs_f64(self.eating_period)
    }

    pub(crate) fn thinking_period(&self) -> Duration {
        Duration::from_secs_f64(self.thinking_period)
    }

    pub(crate) fn waiting_period(&self) -> Duration {
        Duration::from_secs_f64(self.waiting_period)
    }

    pub(crate) fn report_period(&self) -> Duration {
        Duration::from_secs_f64(self.report_period)
    }
}

/// The most meals: nobody lives to see the end of more.
const MAX_MEALS: i64 = 1_000_000;
/// The shortest period: without any, asking again would keep a processor busy.
const MIN_SECONDS: f64 = 0.001;
/// The longest period, a day: longer ones are mistakes of the unit.
const MAX_SECONDS: f64 = 86_400.0;

fn seconds(text: &str) -> Result<f64, String> {
    let expected = || format!("expected {MIN_SECONDS} to {MAX_SECONDS} seconds");
    let seconds: f64 = text.parse().map_err(|_| expected())?;
    match (MIN_SECONDS..=MAX_SECONDS).contains(&seconds) {
        true => Ok(seconds),
        false => Err(expected()),
    }
}
