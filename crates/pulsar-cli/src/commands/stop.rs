//! `pulsar stop`.

use clap::Args;
use pulsar_control::{STOP_LIMIT, printable};
use serde_json::{Value, json};

use crate::output;
use crate::session::Session;

/// Stop an actor, or the whole instance. A worker stays stopped until its pool is scaled, the child of another monitor for good.
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
                client.closed(STOP_LIMIT).await?;
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
