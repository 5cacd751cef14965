//! What an actor does at the points of its life, as it travels to where it will live.

use std::time::Duration;

use linkme::distributed_slice;
use pulsar_link::Body;
use pulsar_sys::{CodeOffset, trusting};
use pulsar_wire::Codec;
use serde::{Deserialize, Serialize};

use crate::actor::{ActorKind, Anyone, Roaming, TypeName};
use crate::command::BoxFuture;
use crate::context::DeadLetterHook;
use crate::hooks::{Begin, Hooks, Work};
use crate::remote_fn::{RemoteFn, encode_args, hook_error};
use crate::{Context, Result, SpawnError};

/// Hooks as they travel to where the actor will live.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Behaviour {
    /// The actor's type and the arguments of its start; none of its own without.
    actor: Option<TypedStart>,
    start: Option<RemoteFn>,
    stopping: Option<RemoteFn>,
    periodic_task: Option<RemoteFn>,
    on_info: Option<RemoteFn>,
    on_params: Option<RemoteFn>,
    dead_letter: Option<CodeOffset>,
    /// The period of the periodic task.
    pub period: Option<Duration>,
}

/// An actor type on its way, with the arguments of its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct TypedStart {
    /// The type's name on the wire, by which it is registered.
    name: String,
    /// Tells the type's [`ActorKind`].
    kind: CodeOffset,
    /// The instance of [`typed_start`] for it.
    start: CodeOffset,
    args: Body,
    /// Whether the arguments may name functions: they come from above.
    trusted: bool,
}

type KindOf = fn() -> &'static ActorKind;
type StartOf = fn(Context, Body, bool) -> BoxFuture<Result<Work>>;

/// The actor types of the program that others may name: each `#[pulsar::actor]` that is portable and
/// not generic adds itself at link time.
#[doc(hidden)]
#[distributed_slice]
pub static ACTORS: [ActorDef];

/// The table entry of an actor type.
#[doc(hidden)]
#[derive(Debug)]
pub struct ActorDef {
    name: TypeName,
    kind: KindOf,
    start: StartOf,
}

impl ActorDef {
    /// The entry of `A`.
    pub const fn of<A: Roaming>() -> Self {
        Self {
            name: TypeName::of::<A>(),
            kind: ActorKind::of::<A>,
            start: typed_start::<A>,
        }
    }

    fn typed_start(&self, args: Body, trusted: bool) -> Result<TypedStart, SpawnError> {
        Ok(TypedStart {
            name: self.name.to_string(),
            kind: CodeOffset::of(self.kind).map_err(hook_error)?,
            start: CodeOffset::of(self.start).map_err(hook_error)?,
            args,
            trusted,
        })
    }
}

impl Behaviour {
    /// The behaviour of an `A`.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if the arguments cannot be written.
    pub fn of_actor<A: Roaming>(args: &A::Start) -> Result<Self, SpawnError> {
        let actor = ActorDef::of::<A>().typed_start(encode_args(args)?, true)?;
        Ok(Self {
            actor: Some(actor),
            ..Self::default()
        })
    }

    /// The same behaviour with code of this process's own, found by the type's name: nothing is
    /// taken from the description but names and data. For what a stranger has described.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Unsupported`] if it has hooks, or its type is not registered.
    pub fn registered(self) -> Result<Self, SpawnError> {
        let Self {
            actor,
            start,
            stopping,
            periodic_task,
            on_info,
            on_params,
            dead_letter,
            period,
        } = self;
        let hooks = [start, stopping, periodic_task, on_info, on_params];
        if hooks.iter().any(Option::is_some) || dead_letter.is_some() {
            return Err(unregistered("its hooks are functions"));
        }
        let own = |actor: TypedStart| {
            let mut all = ACTORS.iter();
            match all.find(|def| def.name.to_string() == actor.name) {
                Some(def) => def.typed_start(actor.args, false),
                None => {
                    let path = actor.name.split('#').next().unwrap_or_default();
                    Err(unregistered(&format!("{path} is not registered")))
                }
            }
        };
        Ok(Self {
            actor: actor.map(own).transpose()?,
            period,
            ..Self::default()
        })
    }

    /// The same behaviour, of an actor that is kept, so that it may begin again and again: what is
    /// shared with it is this process's own from now on, and counts no longer as what a peer has sent.
    #[must_use]
    pub fn taken_over(self) -> Self {
        let keep = |hook: Option<RemoteFn>| hook.map(RemoteFn::taken_over);
        Self {
            actor: self.actor.map(|actor| TypedStart {
                args: actor.args.taken_over(),
                ..actor
            }),
            start: keep(self.start),
            stopping: keep(self.stopping),
            periodic_task: keep(self.periodic_task),
            on_info: keep(self.on_info),
            on_params: keep(self.on_params),
            ..self
        }
    }

    /// Runs `hook` before the actor is ready.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Unsupported`] if the actor has a type.
    pub fn set_start(&mut self, hook: RemoteFn) -> Result<(), SpawnError> {
        if self.actor.is_some() {
            return Err(SpawnError::Unsupported {
                message: "an actor of a type begins with its own `start`: it has no start hook"
                    .to_owned(),
            });
        }
        self.start = Some(hook);
        Ok(())
    }

    /// Runs `hook` when the actor begins to stop.
    pub fn set_stopping(&mut self, hook: RemoteFn) {
        self.stopping = Some(hook);
    }

    /// Runs `hook` again and again.
    pub fn set_periodic_task(&mut self, hook: RemoteFn) {
        self.periodic_task = Some(hook);
    }

    /// Has `hook` amend the actor's [`Info`](crate::Info) each time that it is made.
    pub fn set_on_info(&mut self, hook: RemoteFn) {
        self.on_info = Some(hook);
    }

    /// Has `hook` amend the [`SpawnParams`](crate::SpawnParams) of what the actor spawns.
    pub fn set_on_params(&mut self, hook: RemoteFn) {
        self.on_params = Some(hook);
    }

    /// Calls `hook` for each message that was not run.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if it cannot travel.
    pub fn set_dead_letter(&mut self, hook: DeadLetterHook) -> Result<(), SpawnError> {
        self.dead_letter = Some(CodeOffset::of(hook).map_err(hook_error)?);
        Ok(())
    }

    /// The hooks, ready to run in this process.
    pub fn resolve(self) -> Result<Hooks, SpawnError> {
        let once = |hook: Option<RemoteFn>| hook.map(RemoteFn::into_once).transpose();
        let (kind, begin) = match (self.actor, once(self.start)?) {
            (Some(actor), _) => actor.resolve()?,
            (None, Some(hook)) => (ActorKind::of::<Anyone>(), Begin::Hook(hook)),
            (None, None) => (ActorKind::of::<Anyone>(), Begin::Plain),
        };
        let periodic_task = self.periodic_task.map(RemoteFn::into_many).transpose()?;
        let on_info = self.on_info.map(RemoteFn::into_amend).transpose()?;
        let on_params = self.on_params.map(RemoteFn::into_amend).transpose()?;
        let dead_letter = self
            .dead_letter
            .map(|hook| hook.resolve().map_err(hook_error));
        Ok(Hooks {
            dead_letter: dead_letter.transpose()?,
            kind,
            begin,
            stopping: once(self.stopping)?,
            periodic_task,
            on_info,
            on_params,
            period: self.period,
        })
    }
}

impl TypedStart {
    fn resolve(self) -> Result<(&'static ActorKind, Begin), SpawnError> {
        let kind: KindOf = self.kind.resolve().map_err(hook_error)?;
        let start: StartOf = self.start.resolve().map_err(hook_error)?;
        let begin = Begin::Actor(Box::new(move |cx| start(cx, self.args, self.trusted)));
        Ok((kind(), begin))
    }
}

/// What a process actor is told that wants what it may not have in the arbiter's process.
fn unregistered(why: &str) -> SpawnError {
    SpawnError::Unsupported {
        message: format!(
            "{why}, and would run in the arbiter's process: spawn a process or a task, or a type \
             with #[pulsar::actor] that is not generic, without hooks"
        ),
    }
}

fn typed_start<A: Roaming>(cx: Context, args: Body, trusted: bool) -> BoxFuture<Result<Work>> {
    Box::pin(async move {
        let read = || args.read(Codec::Postcard);
        let args = match trusted {
            true => trusting(read),
            false => read(),
        }?;
        let state = A::start(cx.clone(), args).await?;
        Ok(state.work(cx))
    })
}
