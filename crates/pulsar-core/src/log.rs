//! What an actor's process logs, and how.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::SubscriberInitExt;

/// The log of all processes of a system: its records go to stderr.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogConfig {
    /// Which records: a level such as `info`, or directives such as `warn,my_app=debug`.
    pub filter: String,
}

impl LogConfig {
    /// Checks the filter.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), ParseError> {
        EnvFilter::try_new(&self.filter).map(drop)
    }

    /// Logs as configured in this process from now on. A subscriber that the program has
    /// installed by itself is left alone.
    pub(crate) fn init(&self) {
        let filter = EnvFilter::try_new(&self.filter).unwrap_or_else(|_| EnvFilter::new("info"));
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            // A reader that has left must not turn each record into a panic.
            .log_internal_errors(false)
            .finish();
        if subscriber.try_init().is_err() {
            tracing::debug!("the program logs by a subscriber of its own");
        }
    }
}
