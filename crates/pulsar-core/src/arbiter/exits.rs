//! Learns of exits by SIGCHLD.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::node::Node;

/// Among very many children, exits of which nothing but the signal tells are learnt so much later: looking for them goes
/// over all children, and each of very many that end at once brings a signal.
const CROWD_PAUSE: Duration = Duration::from_millis(5);

/// Begins to listen. To be called before the first child is made, so that no exit is missed.
///
/// # Errors
///
/// The system's, if the handler cannot be installed.
pub(super) fn listen() -> io::Result<Signal> {
    signal(SignalKind::child())
}

/// Reaps for as long as the arbiter's loop turns. One signal may stand for many exits: each
/// time all that have exited are reaped.
pub(super) async fn watch(node: Arc<Node>, mut exits: Signal) {
    while exits.recv().await.is_some() {
        if let Some(master) = node.master() {
            // Most exits are of those whose links have ended; that costs little for each.
            master.reap_ending();
            if master.is_crowded() {
                tokio::time::sleep(CROWD_PAUSE).await;
                master.reap_ending();
            }
            master.reap();
        }
    }
}
