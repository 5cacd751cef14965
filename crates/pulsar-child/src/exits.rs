//! Learns of exits by SIGCHLD.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use crate::Brood;

/// Exits of which nothing but the signal tells may be learnt so much later, where others have ended too: looking for any goes
/// over all children, and each of very many that end at once brings a signal.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Begins to listen. To be called before the first child is made, so that no exit is missed.
///
/// # Errors
///
/// The system's, if the handler cannot be installed.
pub fn listen() -> io::Result<Signal> {
    signal(SignalKind::child())
}

/// Reaps for as long as the loop turns, and calls `died` when somebody has exited. One signal may stand for many exits: each
/// time all that have exited are reaped, at once or a moment later.
pub async fn watch(brood: &Brood, mut exits: Signal, died: impl Fn()) {
    let mut look_at: Option<Instant> = None;
    loop {
        let came = match look_at {
            Some(at) => timeout_at(at, exits.recv()).await,
            None => Ok(exits.recv().await),
        };
        if came == Ok(None) {
            return;
        }
        // Also where signals come without a pause.
        let is_time = look_at.is_some_and(|at| Instant::now() >= at);
        // Most exits are of those whose links have ended; that costs little for each.
        let mut any = brood.reap_ending();
        if is_time || !(any || brood.is_crowded()) {
            any |= brood.reap();
            look_at = None;
        } else if look_at.is_none() {
            look_at = Some(Instant::now() + LOOK_PAUSE);
        }
        if any {
            died();
        }
    }
}
