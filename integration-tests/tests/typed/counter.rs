//! The actor that most tests look at.

use pulsar::prelude::*;
use serde::{Deserialize, Serialize};

use crate::gate::Gate;

/// Counts, and keeps what it was told.
pub(crate) struct Counter {
    total: u64,
    notes: Vec<String>,
}

/// It cannot take away more than there is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[error("only {total} are there")]
pub(crate) struct TooMuch {
    pub(crate) total: u64,
}

#[pulsar::actor]
impl Counter {
    pub(crate) async fn start(_cx: Context, first: u64) -> Result<Self> {
        Ok(Self {
            total: first,
            notes: Vec::new(),
        })
    }

    /// Adds, and tells the new total.
    #[command]
    pub(crate) async fn add(&mut self, by: u64) -> u64 {
        self.total += by;
        self.total
    }

    /// Takes away, and tells the new total.
    #[command]
    pub(crate) fn take(&mut self, away: u64) -> Result<u64, TooMuch> {
        let total = self.total;
        self.total = total.checked_sub(away).ok_or(TooMuch { total })?;
        Ok(self.total)
    }

    #[command]
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Adds on the other side of a gate to what the total was on this side.
    #[command]
    pub(crate) async fn add_behind(&mut self, gate: Proxy<Gate>, by: u64) -> Result<u64, Error> {
        let before = self.total;
        gate.pass().await?;
        self.total = before + by;
        Ok(self.total)
    }

    #[command(no_ack)]
    pub(crate) fn note(&mut self, what: String) {
        self.notes.push(what);
    }

    #[command]
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    #[command]
    pub(crate) async fn panics(&mut self, message: String) {
        self.total += 1;
        tokio::task::yield_now().await;
        panic!("{message}");
    }
}
