//! The commands by which actors and their managers speak with each other.

use std::fmt;

use linkme::distributed_slice;
use pulsar_actor::runtime::{BUILTINS, CommandDef};
use pulsar_macros::builtin;
use serde::{Deserialize, Serialize};

use crate::arbiter::{self, Request, Spawned};
use crate::{Context, Info};

#[distributed_slice(BUILTINS)]
static NOTIFY: CommandDef = CommandDef::of::<__notifyCommand>();

#[distributed_slice(BUILTINS)]
static SPAWN: CommandDef = CommandDef::of::<__spawnCommand>();

/// Tells a manager that one of its actors is alive, with that actor's status. The runtime sends
/// it; who sends it is told by the link that it comes over.
#[builtin]
pub fn notify(cx: Context, info: Info) -> Result<(), NotManaged> {
    let sender = cx.sender().ok_or(NotManaged)?;
    match arbiter::notified(&cx, sender, info) {
        true => Ok(()),
        false => Err(NotManaged),
    }
}

/// Spawns an actor; for the arbiter. Answers, once the actor is ready or never will be, also with
/// a place set aside for the next.
#[builtin]
pub(crate) async fn spawn(cx: Context, request: Request) -> Spawned {
    arbiter::spawn_for(cx, request).await
}

/// A notify from an actor that the target does not manage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NotManaged;

impl fmt::Display for NotManaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sender is not managed by this actor")
    }
}

impl std::error::Error for NotManaged {}
