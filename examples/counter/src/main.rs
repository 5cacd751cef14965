//! A typed actor: the same lines of code for one in a process, on a thread, and as a task.
//!
//! `cargo run -p counter`
#![forbid(unsafe_code)]

use pulsar::prelude::*;
use serde::{Deserialize, Serialize};

/// Counts from a first number on.
struct Counter {
    total: u64,
}

/// It cannot take away more than there is.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("only {total} are there")]
struct TooMuch {
    total: u64,
}

#[pulsar::actor]
impl Counter {
    async fn start(_cx: Context, first: u64) -> Result<Self> {
        Ok(Self { total: first })
    }

    /// Adds, and tells the new total.
    #[command]
    async fn add(&mut self, by: u64) -> u64 {
        self.total += by;
        self.total
    }

    /// Takes away, and tells the new total.
    #[command]
    fn take(&mut self, away: u64) -> Result<u64, TooMuch> {
        let total = self.total;
        self.total = total.checked_sub(away).ok_or(TooMuch { total })?;
        Ok(self.total)
    }
}

/// Counts in this placement, and prints a line.
async fn count(placement: Placement) -> Result<()> {
    let counter = Counter::spawn(10).placement(placement).await?;
    let total = counter.add(5).await?;
    let refused = match counter.take(100).await {
        Err(CallError::Command(error)) => error.to_string(),
        other => format!("{other:?}"),
    };
    let pid = send(&counter, info, ()).await?.actor.pid;
    let place = match pid == std::process::id() {
        true => "this process",
        false => "a process of its own",
    };
    println!("{placement}: 10 + 5 = {total}, in {place}; taking 100 away: {refused}");
    Ok(())
}

#[pulsar::main]
async fn main() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread, Placement::Task] {
        count(placement).await?;
    }
    Ok(())
}
