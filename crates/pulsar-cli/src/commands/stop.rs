//! `pulsar stop`.

use std::time::Duration;

use clap::Args;
use pulsar_control::printable;
use serde_json::{Value, json};

use crate::output;
use crate::session::Session;

/// How long an arbiter may take to end: longer than its own default bounds, so that it is given up only when
/// those have failed.
const END_LIMIT: Duration = Duration::from_secs(60);

/// Stop an actor, or the whole instance.
#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// The actor's id or name; without it the whole instance stops.
    target: Option<String>,
}

impl Stop {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let mut client = session.connect().await?;
        let reply = client.stop(self.target.as_deref()).await?;
        let stopped = match self.target {
            Some(target) => named(&reply).unwrap_or(target),
            None => {
                let name = client.greeting().name.clone();
                client.closed(END_LIMIT).await?;
                name
            }
        };
        if session.json() {
            output::json(&json!({"stopped": stopped}))?;
        } else {
            output::text(&format!("stopped {}", printable(&stopped)))?;
        }
        Ok(())
    }
}

/// Whom the arbiter says it stopped.
fn named(reply: &Value) -> Option<String> {
    Some(reply.get("stopped")?.as_str()?.to_owned())
}
