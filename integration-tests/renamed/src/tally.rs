//! Actors whose macros are told by the crate's own name for Pulsar.

use actors::{Context, Result};
use serde::{Deserialize, Serialize};

/// Counts, and never below zero.
pub(crate) struct Tally {
    total: i64,
}

/// The total would be this.
#[derive(Clone, Copy, Debug, thiserror::Error, Serialize, Deserialize)]
#[error("{0} is below zero")]
pub(crate) struct Negative(pub(crate) i64);

#[actors::actor]
impl Tally {
    /// Begins with this total.
    pub(crate) async fn start(_cx: Context, total: i64) -> Result<Self> {
        std::future::ready(Ok(Self { total })).await
    }

    /// Adds, and tells the new total.
    #[command]
    pub(crate) fn add(&mut self, by: i64) -> Result<i64, Negative> {
        match self.total + by {
            negative @ ..0 => Err(Negative(negative)),
            total => {
                self.total = total;
                Ok(total)
            }
        }
    }

    /// The total.
    #[command(concurrent)]
    pub(crate) fn total(&self) -> i64 {
        self.total
    }
}

/// Writes down what others think of.
pub(crate) struct Scratch {
    to: std::sync::mpsc::Sender<u64>,
    lost: u64,
}

#[actors::actor(local)]
impl Scratch {
    pub(crate) fn start(_cx: Context, to: std::sync::mpsc::Sender<u64>) -> Self {
        Self { to, lost: 0 }
    }

    #[command(no_ack)]
    pub(crate) fn write(&mut self, thought: Box<dyn Fn() -> u64 + Send>) {
        if self.to.send(thought()).is_err() {
            // Whoever has gone reads nothing.
            self.lost += 1;
        }
    }
}
