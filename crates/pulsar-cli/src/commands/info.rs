//! `pulsar info`.

use clap::Args;

use crate::outline::outline;
use crate::output;
use crate::session::Session;

/// Show what is known of one actor.
#[derive(Debug, Args)]
pub(crate) struct Info {
    /// The actor's id or name.
    target: String,
}

impl Info {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let info = session.connect().await?.info(&self.target).await?;
        if session.json() {
            output::json(&info)?;
        } else {
            output::text(&outline(&info))?;
        }
        Ok(())
    }
}
