//! What operators send to a program that leaves it to the arbiter: TERM, INT and QUIT.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::shutdown;
use crate::Context;
use crate::node::Node;

/// The signals that end a program.
pub(super) struct Signals {
    term: Signal,
    int: Signal,
    quit: Signal,
}

/// Takes the signals over from their default, which is to end the process on the spot.
///
/// # Errors
///
/// The system's, if a handler cannot be installed.
pub(super) fn listen() -> io::Result<Signals> {
    Ok(Signals {
        term: signal(SignalKind::terminate())?,
        int: signal(SignalKind::interrupt())?,
        quit: signal(SignalKind::quit())?,
    })
}

impl Signals {
    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "TERM",
            _ = self.int.recv() => "INT",
            _ = self.quit.recv() => "QUIT",
        }
    }
}

/// Obeys, for as long as the arbiter's loop turns and the program leaves it to us. The first asks the
/// arbiter to stop, a further one kills all actors: whoever sends it twice will not wait.
pub(super) async fn watch(node: Arc<Node>, cx: Context, mut signals: Signals) {
    loop {
        let signal = signals.next().await;
        if !node.master().is_some_and(super::Master::obeys_signals) {
            continue;
        }
        match cx.stop_token().is_cancelled() {
            false => {
                tracing::info!(signal, "stopping");
                cx.stop();
            }
            true => {
                tracing::warn!(signal, "a further signal: killing all actors");
                shutdown::kill_rest(&node).await;
            }
        }
    }
}
