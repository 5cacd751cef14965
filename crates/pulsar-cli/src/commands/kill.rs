//! `pulsar kill`.

use clap::Args;
use pulsar_control::printable;
use serde_json::{Map, json};

use crate::output;
use crate::session::Session;

/// Kill an actor. Its monitor, or its restart policy, may begin the next life.
#[derive(Debug, Args)]
pub(crate) struct Kill {
    /// The actor's id or name.
    target: String,
}

impl Kill {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let fields = Map::from_iter([("target".to_owned(), json!(self.target))]);
        let _ = session.connect().await?.request("kill", fields).await?;
        if session.json() {
            output::json(&json!({ "stopped": self.target }))?;
        } else {
            output::text(&format!("killed {}", printable(&self.target)))?;
        }
        Ok(())
    }
}
