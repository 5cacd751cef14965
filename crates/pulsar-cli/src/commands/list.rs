//! `pulsar commands`.

use anyhow::Context as _;
use clap::Args;
use serde_json::{Map, Value};

use crate::output;
use crate::session::Session;

/// List the commands that an actor takes, with their signatures.
#[derive(Debug, Args)]
pub(crate) struct Commands {
    /// The actor's id or name.
    target: String,
}

impl Commands {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let fields = Map::from_iter([("target".to_owned(), Value::String(self.target))]);
        let reply = session.connect().await?.request("commands", fields).await?;
        if session.json() {
            output::json(&reply)?;
            return Ok(());
        }
        let commands = reply
            .as_array()
            .context("the answer is no list of commands")?;
        let lines: Vec<String> = commands.iter().map(lines_of).collect();
        output::text(&lines.join("\n"))?;
        Ok(())
    }
}

/// The signature, and the documentation below it.
fn lines_of(command: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let args = command["args"].as_array().into_iter().flatten();
    let args = args.map(|arg| format!("{}: {}", text(&arg["name"]), text(&arg["type"])));
    let args = args.collect::<Vec<_>>().join(", ");
    let signature = format!(
        "{}({args}) -> {}",
        text(&command["name"]),
        text(&command["reply"])
    );
    let doc = text(&command["doc"]);
    let doc = doc.lines().map(|line| format!("\n    {line}"));
    signature + &doc.collect::<String>()
}
