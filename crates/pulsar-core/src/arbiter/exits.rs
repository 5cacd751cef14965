//! Learns of exits by SIGCHLD.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::node::Node;

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
            master.reap();
        }
    }
}
