//! Learns of exits by SIGCHLD.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Brood;

/// Among very many children, exits of which nothing but the signal tells are learnt so much later: looking for them goes
/// over all children, and each of very many that end at once brings a signal.
const CROWD_PAUSE: Duration = Duration::from_millis(5);

/// Begins to listen. To be called before the first child is made, so that no exit is missed.
///
/// # Errors
///
/// The system's, if the handler cannot be installed.
pub fn listen() -> io::Result<Signal> {
    signal(SignalKind::child())
}

/// Reaps for as long as the loop turns, and calls `died` when somebody has exited. One signal may stand for many exits: each
/// time all that have exited are reaped.
pub async fn watch(brood: &Brood, mut exits: Signal, died: impl Fn()) {
    while exits.recv().await.is_some() {
        // Most exits are of those whose links have ended; that costs little for each.
        let mut any = brood.reap_ending();
        if brood.is_crowded() {
            tokio::time::sleep(CROWD_PAUSE).await;
            any |= brood.reap_ending();
        }
        any |= brood.reap();
        if any {
            died();
        }
    }
}
