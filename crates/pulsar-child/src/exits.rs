//! Learns of exits by SIGCHLD.

use std::io;
use std::pin::pin;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::Brood;

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
    // When to look for any that has exited, if that is still to be done.
    let mut look = pin!(sleep_until(Instant::now()));
    let mut is_due = false;
    loop {
        tokio::select! {
            came = exits.recv() => if came.is_none() {
                return;
            },
            () = &mut look, if is_due => {}
        }
        // Most exits are of those whose links have ended; that costs little for each.
        let mut any = brood.reap_ending();
        let is_late = is_due && look.deadline() <= Instant::now();
        if is_late || !(any || brood.is_crowded()) {
            any |= brood.reap();
            is_due = false;
        } else if !is_due {
            look.as_mut().reset(Instant::now() + brood.look_pause());
            is_due = true;
        }
        if any {
            died();
        }
    }
}
