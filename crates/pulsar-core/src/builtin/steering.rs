//! The commands that steer others than the actor that is asked.

use std::time::Duration;

use linkme::distributed_slice;
use pulsar_actor::runtime::{BUILTINS, CommandDef};
use pulsar_macros::builtin;
use serde::{Deserialize, Serialize};

use crate::arbiter::{self, arbiter};
use crate::node::Node;
use crate::{ActorStatus, Context, Target};

#[distributed_slice(BUILTINS)]
static HALT: CommandDef = CommandDef::of::<__haltCommand>();

#[distributed_slice(BUILTINS)]
static KILL_ACTOR: CommandDef = CommandDef::of::<__kill_actorCommand>();

#[distributed_slice(BUILTINS)]
static ACTORS: CommandDef = CommandDef::of::<__actorsCommand>();

/// Ends the whole server in order, with this exit code. Not acknowledged; any actor passes it on to
/// the arbiter.
#[builtin(no_ack)]
pub(crate) fn halt(cx: Context, code: u8) {
    let caller = cx.sender().unwrap_or_else(|| cx.aid());
    if let Err(error) = arbiter::halt_by(&Node::of(&cx), caller, code) {
        tracing::error!(aid = %cx.aid(), %caller, code, %error, "server not halted");
    }
}

/// Kills an actor, by id or name, with all that it manages; for the arbiter. Answers when the actor's
/// life has ended. Its manager, or its restart policy, may begin the next.
///
/// A process is killed by the kernel; a task or thread ends when its loop turns, and a thread whose
/// loop does not is abandoned. Who asks for its own death gets no answer.
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// # async fn example() -> pulsar::Result<()> {
/// use pulsar::{kill_actor, send};
///
/// send("arbiter", kill_actor, "crunchers-1").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`KillError`]. Of tasks in other processes the arbiter knows nothing: kill their process, or send
/// them `stop`.
#[builtin]
pub async fn kill_actor(cx: Context, target: String) -> Result<(), KillError> {
    if !cx.is_arbiter() {
        return Err(KillError::NotTheArbiter);
    }
    let found = arbiter().find(&Target::from(target.as_str()));
    let aid = found.map_err(|_| KillError::UnknownActor { target })?;
    if aid == cx.aid() {
        return Err(KillError::Arbiter);
    }
    match arbiter::kill_one(&Node::of(&cx), aid).await {
        true => Ok(()),
        false => Err(KillError::Alive {
            after: arbiter::MARGIN,
        }),
    }
}

/// Answers with the actors that are known to the one that is asked: the arbiter knows all but the
/// tasks in other processes, itself among them; a monitor its workers; any other actor with a loop of
/// its own the task actors there. What is said of each is its last notify, with its age.
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// # async fn example() -> pulsar::Result<()> {
/// use pulsar::{actors, send};
///
/// for actor in send("arbiter", actors, ()).await? {
///     println!("{} {} {}", actor.aid, actor.name, actor.state);
/// }
/// # Ok(())
/// # }
/// ```
#[builtin]
pub fn actors(cx: Context) -> Vec<ActorStatus> {
    arbiter::known_to(&cx)
}

/// Why `kill_actor` has killed nobody.
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// # async fn example() -> pulsar::Result<()> {
/// use pulsar::{CallError, KillError, kill_actor, send};
///
/// match send("arbiter", kill_actor, "worker").await {
///     // That is what was wanted.
///     Ok(()) | Err(CallError::Command(KillError::UnknownActor { .. })) => {}
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum KillError {
    /// The arbiter knows no such actor.
    #[error("the arbiter knows no actor with the id or name {target:?}")]
    UnknownActor {
        /// The id or name as it was given.
        target: String,
    },
    /// The arbiter itself was meant.
    #[error("the arbiter does not kill itself: send it `stop`, or `halt` with an exit code")]
    Arbiter,
    /// It lives on: the kernel has not ended its process, or its loop does not turn.
    #[error("the actor has not died within {after:?}")]
    Alive {
        /// How long it was waited for.
        after: Duration,
    },
    /// Another actor than the arbiter was asked.
    #[error("only the arbiter kills actors: send `kill_actor` to \"arbiter\"")]
    NotTheArbiter,
}
