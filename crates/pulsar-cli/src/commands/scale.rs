//! `pulsar scale`.

use anyhow::Context as _;
use clap::Args;
use pulsar_control::printable;
use serde_json::{Map, Value, json};

use crate::output;
use crate::session::Session;

/// Set how many workers a monitor has, and wait until they are ready.
#[derive(Debug, Args)]
pub(crate) struct Scale {
    /// The monitor's id or name.
    monitor: String,
    /// How many workers it is to have.
    workers: usize,
}

impl Scale {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let fields = Map::from_iter([
            ("target".to_owned(), json!(self.monitor)),
            ("workers".to_owned(), json!(self.workers)),
        ]);
        let reply = session.connect().await?.request("scale", fields).await?;
        let workers = reply.get("workers").and_then(Value::as_u64);
        let workers = workers.context("the answer does not tell the number of workers")?;
        if session.json() {
            output::json(&json!({ "workers": workers }))?;
        } else {
            let monitor = printable(&self.monitor);
            output::text(&format!("{monitor} has {workers} workers"))?;
        }
        Ok(())
    }
}
