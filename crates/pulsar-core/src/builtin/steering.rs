//! The commands that steer others than the actor that is asked.

use linkme::distributed_slice;
use pulsar_actor::runtime::{BUILTINS, CommandDef};
use pulsar_macros::builtin;

use crate::node::Node;
use crate::{Context, arbiter};

#[distributed_slice(BUILTINS)]
static HALT: CommandDef = CommandDef::of::<__haltCommand>();

/// Ends the whole server in order, with this exit code. Not acknowledged; any actor passes it on to
/// the arbiter.
#[builtin(no_ack)]
pub(crate) fn halt(cx: Context, code: u8) {
    let caller = cx.sender().unwrap_or_else(|| cx.aid());
    if let Err(error) = arbiter::halt_by(&Node::of(&cx), caller, code) {
        tracing::error!(aid = %cx.aid(), %caller, code, %error, "server not halted");
    }
}
