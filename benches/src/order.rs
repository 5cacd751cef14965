//! What a contender is told to do, and what it answers.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The environment variable that carries an order to a contender.
pub(crate) const VARIABLE: &str = "PULSAR_BENCH_ORDER";

/// A kind of work. Each contender does it in its own way; many do only some.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Asks across processes, one after the other.
    Ask,
    /// Asks across processes, each after a millisecond of silence.
    ColdAsk,
    /// Asks across processes, so many in flight at once.
    AsksInFlight(usize),
    /// Asks from one process actor to another, neither of them the arbiter.
    AskBetweenChildren,
    /// Asks within one loop.
    LoopAsk,
    /// A TCP echo in the same loop as an actor, with and without a flood of messages to that.
    Echo,
    /// Context switches of a process that was asked before and is no more.
    Idle,
    /// One-way messages across processes.
    Tell,
    /// One-way messages within one loop.
    LoopTell,
    /// Processes, one after the other, each until it is ready.
    SpawnProcess,
    /// Processes, so many at once.
    SpawnProcesses(usize),
    /// Threads with a loop, one after the other, each until it is ready.
    SpawnThread,
    /// Actors or tasks within one loop, one after the other, each until it is ready.
    SpawnTask,
    /// So many idle processes.
    ProcessMemory(usize),
    /// So many idle actors or tasks within one loop.
    TaskMemory(usize),
    /// Kills processes.
    Death,
    /// Hands so many bytes of memory to another process, which reads the first and the last.
    Share(usize),
    /// So many process actors alive at once.
    Scale(usize),
    /// HTTP requests by 64 clients to two processes.
    Http,
    /// The same to what has no router, as bare hyper has none.
    HttpService,
}

/// On which cores the two sides run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum Cores {
    /// Wherever the system likes.
    Free,
    /// Each on a core of its own.
    Apart,
    /// Both on the same.
    Same,
}

/// What a contender is told to do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) contender: String,
    pub(crate) work: Work,
    /// Bytes of a message's payload.
    pub(crate) payload: usize,
    pub(crate) cores: Cores,
    /// How long it is measured, after the warm-up.
    pub(crate) effort: Duration,
}

impl Order {
    /// The order in this process's environment.
    pub(crate) fn given() -> anyhow::Result<Option<Self>> {
        let Some(text) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let text = text.to_string_lossy();
        let order = serde_json::from_str(&text).with_context(|| format!("{VARIABLE}={text}"))?;
        Ok(Some(order))
    }

    /// How long to warm up: caches, branch predictors, a clock that rises.
    pub(crate) fn warm_up(&self) -> Duration {
        self.effort / 4
    }
}

/// What a contender measured, by name, such as `p50_us`.
pub(crate) type Reading = BTreeMap<String, f64>;

/// What a contender answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Reading(Reading),
    /// It cannot be measured here, and why.
    Absent(String),
}

/// A contender that is not installed, or not built in. Not a failure.
#[derive(Debug)]
pub(crate) struct Absent(pub(crate) String);

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Absent {}

/// An error that says that something is missing here.
pub(crate) fn absent(why: impl Into<String>) -> anyhow::Error {
    Absent(why.into()).into()
}

/// One value, as a reading.
pub(crate) fn reading(name: &str, value: f64) -> Reading {
    Reading::from([(name.to_owned(), value)])
}
