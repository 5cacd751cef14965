//! The commands that every actor answers, even while a command of the user's awaits.

use pulsar_link::Body;
use pulsar_macros::builtin;

use crate::command::{self, Command, CommandDef};
use crate::remote::{self, Written};
use crate::run::CodeCall;
use crate::{CommandInfo, Context, Error, Info, Json, SendError, SettingError, SettingInfo};

/// Those that an actor answers by itself; others are added by the layers above.
pub(crate) static ALL: &[&CommandDef] = &[
    &CommandDef::of::<__pingCommand>(),
    &CommandDef::of::<__echoCommand>(),
    &CommandDef::of::<__infoCommand>(),
    &CommandDef::of::<__runCommand>(),
    &CommandDef::of::<__run_pointerCommand>(),
    &CommandDef::of::<__stopCommand>(),
    &CommandDef::of::<__commandsCommand>(),
    &CommandDef::of::<__configCommand>(),
    &CommandDef::of::<__config_getCommand>(),
    &CommandDef::of::<__config_setCommand>(),
];

/// The name of the command that runs function pointers.
pub const RUN_POINTER: &str = __run_pointerCommand::NAME;

/// True for the commands that run functions of the user's, which may take their time.
pub(crate) fn is_run(command: &CommandDef) -> bool {
    [__runCommand::NAME, RUN_POINTER].contains(&command.signature.name)
}

/// The commands whose arguments name code by its address. They travel between processes of one
/// build, in the codec of such, and only the runtime writes them.
pub const NAMING_CODE: [&str; 2] = [RUN_POINTER, "spawn"];

/// Names that later built-ins will have: no command of a program may take them.
pub(crate) const RESERVED: [&str; 1] = ["metrics"];

/// Who may have which functions run.
pub(crate) const ONLY_DOWNWARDS: &str = "only a manager may have its children run a function pointer: mark the function with \
     #[pulsar::remote], and it runs anywhere";

/// The answer to who may not have code run.
pub fn refuse_code() -> SendError {
    SendError::Refused {
        reason: ONLY_DOWNWARDS.to_owned(),
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
    let mut info = cx.info();
    if let Some(system) = &mut info.system {
        system.pss_bytes = pulsar_sys::usage::pss_bytes().ok();
    }
    info
}

/// Answers with the commands that the actor takes: names, signatures, documentation.
#[builtin]
pub fn commands(cx: Context) -> Vec<CommandInfo> {
    command::all(cx.cell.kind)
}

/// Runs a function that is marked with `#[pulsar::remote]`, by its name, on the actor's event loop. In a
/// program use [`run()`](crate::run()), which knows its types.
#[builtin]
pub(crate) async fn run(cx: Context, function: String, args: Written) -> Result<Written, Error> {
    remote::run_named(cx, function, args).await
}

/// Runs a function of the manager's on the actor's event loop; the runtime sends it.
#[builtin]
pub(crate) async fn run_pointer(cx: Context, call: CodeCall) -> Result<Body, Error> {
    call.call(cx).await
}

/// Answers with the actor's settings: the runtime's own, then those that its code has declared.
#[builtin]
pub fn config(cx: Context) -> Vec<SettingInfo> {
    cx.settings()
}

/// Answers with the value of one of the actor's settings.
#[builtin]
pub fn config_get(cx: Context, name: String) -> Result<Json, SettingError> {
    cx.get_setting(&name)
}

/// Sets one of the actor's settings that can be set while it runs; answers with the value before.
#[builtin]
pub fn config_set(cx: Context, name: String, value: Json) -> Result<Json, SettingError> {
    cx.set_setting(&name, value)
}

/// Asks the actor to stop: its hooks run, what is in flight is finished. Not acknowledged.
#[builtin(no_ack)]
pub fn stop(cx: Context) {
    cx.stop();
}
