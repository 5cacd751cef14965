//! The commands that every actor answers, even while a command of the user's awaits.

use std::fmt;

use pulsar_macros::builtin;
use serde::{Deserialize, Serialize};

use crate::arbiter::{self, Request, Spawned};
use crate::command::{self, Command, CommandDef};
use crate::hooks::RemoteCall;
use crate::{CommandInfo, Context, Error, Info, SendError};

/// All built-ins.
pub(crate) static ALL: &[&CommandDef] = &[
    &CommandDef::of::<__PingCommand>(),
    &CommandDef::of::<__EchoCommand>(),
    &CommandDef::of::<__InfoCommand>(),
    &CommandDef::of::<__NotifyCommand>(),
    &CommandDef::of::<__RunCommand>(),
    &CommandDef::of::<__StopCommand>(),
    &CommandDef::of::<__SpawnCommand>(),
    &CommandDef::of::<__CommandsCommand>(),
];

/// The name of the command that runs function pointers.
pub(crate) const RUN: &str = __RunCommand::NAME;

/// The commands whose arguments name code by its address. They travel between processes of one
/// build, in the codec of such, and only the runtime writes them.
pub(crate) const NAMING_CODE: [&str; 2] = [RUN, __SpawnCommand::NAME];

/// Names that later built-ins will have: no command of a program may take them.
pub(crate) const RESERVED: [&str; 4] = ["actors", "kill_actor", "config", "metrics"];

/// The answer to who may not have code run.
pub(crate) fn refuse_code() -> SendError {
    SendError::Refused {
        reason: "only a manager may have its children run a function pointer".to_owned(),
    }
}

/// Answers `pong`: the actor's loop turns.
#[builtin]
pub fn ping(_cx: Context) -> String {
    "pong".to_owned()
}

/// Answers with what it was given.
#[builtin]
pub fn echo(_cx: Context, message: String) -> String {
    message
}

/// Answers with the actor's status.
#[builtin]
pub fn info(cx: Context) -> Info {
    cx.info()
}

/// Answers with the commands that the actor takes: names, signatures, documentation.
#[builtin]
pub fn commands(_cx: Context) -> Vec<CommandInfo> {
    command::all()
}

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

/// Runs a function on the actor's event loop. Use [`run`](crate::run), which knows its types.
#[builtin]
pub(crate) async fn run(cx: Context, call: RemoteCall) -> Result<Vec<u8>, Error> {
    call.call(cx).await
}

/// Asks the actor to stop: its hooks run, what is in flight is finished. Not acknowledged.
#[builtin(no_ack)]
pub fn stop(cx: Context) {
    cx.stop();
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
