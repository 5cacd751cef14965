//! Where a server listens: settings, the monitor's part and the workers' part.

use std::io;

use clap::Args;
use pulsar_app::{ConfigError, Preparation};
use pulsar_core::Context;
use serde::{Deserialize, Serialize};

use crate::{BindList, DEFAULT_BACKLOG, Listener, MAX_BINDS, UnixSocketFile};

/// The settings of every application that listens.
#[derive(Args, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[command(next_help_heading = "Sockets")]
pub struct SocketSettings {
    /// Where to listen: `HOST:PORT`, `:PORT` for all interfaces, or `unix:PATH`; port 0 is any
    /// free one
    #[arg(
        long,
        env = "PULSAR_BIND",
        value_name = "ADDR[,ADDR…]",
        default_value_t
    )]
    pub bind: BindList,
}

impl SocketSettings {
    /// Binds all addresses, once, for all workers to share, and announces each of them.
    ///
    /// # Errors
    ///
    /// The first address that cannot be bound; then none stays bound.
    pub fn listen(
        &self,
        application: &str,
        scheme: &str,
        preparation: &mut Preparation,
    ) -> Result<(), ConfigError> {
        let mut listeners = Vec::new();
        for bind in self.bind.as_slice() {
            let listener = Listener::bind(bind, DEFAULT_BACKLOG);
            let listener = listener.map_err(|error| ConfigError::new("--bind", error))?;
            // Held from now on: if the next address cannot be bound, the file goes too.
            let file = UnixSocketFile::of(&listener);
            listeners.push((listener, file));
        }
        for (index, (listener, file)) in listeners.into_iter().enumerate() {
            let url = listener.address().url(scheme);
            preparation.announce(format!("{application} listening on {url}"));
            if let Some(file) = file {
                preparation.hold(file);
            }
            preparation.give(descriptor_name(index), listener.into_fd());
        }
        Ok(())
    }
}

/// The listeners that a worker got from its monitor, in the order of the setting. They are taken:
/// the worker keeps no copy that would go on accepting, and a second call finds none.
///
/// # Errors
///
/// The system's, if one is no listener.
pub fn inherited(cx: &Context) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for index in 0..MAX_BINDS {
        match cx.take_descriptor(&descriptor_name(index)) {
            Some(fd) => listeners.push(Listener::from_fd(fd)?),
            None => break,
        }
    }
    Ok(listeners)
}

fn descriptor_name(index: usize) -> String {
    format!("listener-{index}")
}
