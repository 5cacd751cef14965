//! The end of the whole server, by any actor's word.

use std::future::IntoFuture;
use std::sync::Arc;

use pulsar_wire::Aid;

use crate::node::Node;
use crate::{SendError, builtin, get_actor, send};
use pulsar_actor::Unsent;

/// Ends the whole server, from any actor: all actors are stopped in order, as by
/// [`Arbiter::stop`](crate::Arbiter::stop), and the program's exit code is `code`, whatever `main`
/// returns. Returns at once. Of several the first wins, as the arbiter hears them.
///
/// It may be called in hooks and commands, in actors of any placement, in `main`, and in what an
/// actor has spawned on its loop. `pulsar send arbiter halt 3` does the same.
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// use pulsar::{Context, Result, command, halt};
///
/// #[command]
/// async fn check_disk(_cx: Context, free_bytes: u64) -> Result<()> {
///     if free_bytes == 0 {
///         halt(3)?;
///     }
///     Ok(())
/// }
/// # fn main() {}
/// ```
///
/// # Errors
///
/// [`HaltError::NotAnActor`] outside of any actor, as in threads of the program's own: there is
/// [`Arbiter::halt`](crate::Arbiter::halt). [`HaltError::Arbiter`] if the arbiter cannot be told any
/// more.
pub fn halt(code: u8) -> Result<(), HaltError> {
    let cx = get_actor().ok_or(HaltError::NotAnActor)?;
    halt_by(&Node::of(&cx), cx.aid(), code)
}

/// Why the server is not halted.
///
/// ```
/// # use pulsar_core as pulsar;
/// use pulsar::{HaltError, halt};
///
/// // Outside of any actor, as here:
/// assert_eq!(halt(3), Err(HaltError::NotAnActor));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HaltError {
    /// No actor calls.
    #[error(
        "no actor calls `halt`: call it in an actor's code, or `arbiter().halt(code)` in the \
         arbiter's process"
    )]
    NotAnActor,
    /// The arbiter cannot be told.
    #[error("the arbiter was not told to halt: {0}")]
    Arbiter(#[from] SendError),
}

/// Halts for `caller`: here, or by the arbiter's link.
pub(crate) fn halt_by(node: &Arc<Node>, caller: Aid, code: u8) -> Result<(), HaltError> {
    match node.master() {
        Some(_) => halt_here(node, caller, code),
        None => ask_arbiter(node, code),
    }
}

fn halt_here(node: &Node, caller: Aid, code: u8) -> Result<(), HaltError> {
    let arbiter = node.owner().ok_or(SendError::NotRunning)?;
    let name = name_of(node, caller);
    // The code before the stop: who sees the stop sees the code.
    if node.master().is_some_and(|master| master.halt(code)) {
        tracing::warn!(by = %caller, name, code, "the server is halted");
    } else {
        tracing::info!(by = %caller, name, code, "the server is halted already");
    }
    arbiter.stop();
    Ok(())
}

fn name_of(node: &Node, aid: Aid) -> String {
    let registry = node.registry.lock();
    let entry = registry.get(aid);
    entry.map_or_else(String::new, |entry| entry.birth.name.clone())
}

fn ask_arbiter(node: &Node, code: u8) -> Result<(), HaltError> {
    match send("arbiter", builtin::halt, code).try_send() {
        Ok(sent) => {
            drop(sent);
            Ok(())
        }
        // The link is full for now. The word is a part of the actor's work: it is waited for at
        // the actor's stop, as that is.
        Err(Unsent {
            call,
            error: SendError::MailboxFull { .. },
        }) => {
            let owner = node.owner().ok_or(SendError::NotRunning)?;
            owner.spawn(call.into_future());
            Ok(())
        }
        Err(Unsent { error, .. }) => Err(error.into()),
    }
}
