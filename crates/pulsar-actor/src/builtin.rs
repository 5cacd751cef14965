//! The commands that every actor answers, even while a command of the user's awaits.

use pulsar_macros::builtin;

use crate::command::{self, Command, CommandDef};
use crate::hooks::RemoteCall;
use crate::{CommandInfo, Context, Error, Info, SendError};

/// Those that an actor answers by itself; others are added by the layers above.
pub(crate) static ALL: &[&CommandDef] = &[
    &CommandDef::of::<__pingCommand>(),
    &CommandDef::of::<__echoCommand>(),
    &CommandDef::of::<__infoCommand>(),
    &CommandDef::of::<__runCommand>(),
    &CommandDef::of::<__stopCommand>(),
    &CommandDef::of::<__commandsCommand>(),
];

/// The name of the command that runs function pointers.
pub const RUN: &str = __runCommand::NAME;

/// The commands whose arguments name code by its address. They travel between processes of one
/// build, in the codec of such, and only the runtime writes them.
pub const NAMING_CODE: [&str; 2] = [RUN, "spawn"];

/// Names that later built-ins will have: no command of a program may take them.
pub(crate) const RESERVED: [&str; 4] = ["actors", "kill_actor", "config", "metrics"];

/// The answer to who may not have code run.
pub fn refuse_code() -> SendError {
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
pub fn commands(cx: Context) -> Vec<CommandInfo> {
    command::all(cx.cell.kind)
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
