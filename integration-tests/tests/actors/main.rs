//! The actor layer, with real processes: each test is a process of its own with an arbiter.
#![forbid(unsafe_code)]

mod death;
mod handshake;
mod hooks;
mod mailbox;
mod messages;
mod pool;
mod silence;
mod spawning;
mod stopping;

use pulsar::prelude::*;

/// Behaviour is the same in all of them.
const PLACEMENTS: [Placement; 3] = [Placement::Process, Placement::Thread, Placement::Task];

/// A command that never replies. Names of commands are unique in a program, so it stands here.
#[command]
async fn never(_cx: Context) {
    std::future::pending::<()>().await;
}
