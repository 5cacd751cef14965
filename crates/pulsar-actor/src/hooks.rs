//! Hooks: what an actor runs at the points of its life, and functions run from afar.

use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use linkme::distributed_slice;
use pulsar_link::payload;
use pulsar_sys::{CodeError, CodeOffset, FnPointer, trusting};
use pulsar_wire::Codec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, ActorKind, Anyone, Roaming, TypeName, Worked};
use crate::command::BoxFuture;
use crate::context::DeadLetterHook;
use crate::{Context, Error, Result, SpawnError};

/// What a hook may return: nothing, or a `Result` of nothing.
pub trait HookOutput {
    /// The hook's result.
    ///
    /// # Errors
    ///
    /// Whatever the hook failed with.
    fn into_result(self) -> Result<()>;
}

impl HookOutput for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl<E: Into<Error>> HookOutput for Result<(), E> {
    fn into_result(self) -> Result<()> {
        self.map_err(Into::into)
    }
}

/// A plain function that can be passed, in a hook's arguments, to an actor in another process of
/// the same program.
///
/// Only named functions and closures that capture nothing become function pointers; the type
/// system refuses others.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct FnRef<F> {
    offset: CodeOffset,
    function: PhantomData<fn() -> F>,
}

impl<F: FnPointer> FnRef<F> {
    /// A reference to `function`.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if it lies outside the program's own executable, as the functions of
    /// shared libraries do.
    pub fn new(function: F) -> Result<Self, SpawnError> {
        Ok(Self {
            offset: CodeOffset::of(function).map_err(hook_error)?,
            function: PhantomData,
        })
    }

    /// The function, in this process.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if the reference was not made by this build of the program.
    pub fn get(&self) -> Result<F, SpawnError> {
        self.offset.resolve().map_err(hook_error)
    }
}

impl<F> Clone for FnRef<F> {
    fn clone(&self) -> Self {
        Self {
            offset: self.offset,
            function: PhantomData,
        }
    }
}

impl<F> std::fmt::Debug for FnRef<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FnRef({})", std::any::type_name::<F>())
    }
}

fn hook_error(error: CodeError) -> SpawnError {
    SpawnError::Hook {
        message: error.to_string(),
    }
}

/// Hooks as they travel to where the actor will live.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Behaviour {
    /// The actor's type and the arguments of its start; none of its own without.
    actor: Option<TypedStart>,
    start: Option<RemoteFn>,
    stopping: Option<RemoteFn>,
    periodic_task: Option<RemoteFn>,
    dead_letter: Option<CodeOffset>,
    /// The period of the periodic task.
    pub period: Option<Duration>,
}

/// A function with its arguments. `entry` is the instance of a generic function of this module
/// that knows the types of `function`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct RemoteFn {
    entry: CodeOffset,
    function: CodeOffset,
    args: Vec<u8>,
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
    args: Vec<u8>,
    /// Whether the arguments may name functions: they come from above.
    trusted: bool,
}

type KindOf = fn() -> &'static ActorKind;
type StartOf = fn(Context, Vec<u8>, bool) -> BoxFuture<Result<Work>>;

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

    fn typed_start(&self, args: Vec<u8>, trusted: bool) -> Result<TypedStart, SpawnError> {
        Ok(TypedStart {
            name: self.name.to_string(),
            kind: CodeOffset::of(self.kind).map_err(hook_error)?,
            start: CodeOffset::of(self.start).map_err(hook_error)?,
            args,
            trusted,
        })
    }
}

type Entry<R> = fn(CodeOffset, Context, Vec<u8>) -> BoxFuture<Result<R>>;

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
            dead_letter,
            period,
        } = self;
        let has_code = start.is_some() || stopping.is_some() || periodic_task.is_some();
        if has_code || dead_letter.is_some() {
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

    /// Runs `hook` before the actor is ready.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if it cannot travel; [`SpawnError::Unsupported`] if the actor has a type.
    pub fn set_start<A, Fut>(
        &mut self,
        hook: fn(Context, A) -> Fut,
        args: &A,
    ) -> Result<(), SpawnError>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        if self.actor.is_some() {
            return Err(SpawnError::Unsupported {
                message: "an actor of a type begins with its own `start`: it has no start hook"
                    .to_owned(),
            });
        }
        self.start = Some(RemoteFn::new(hook_with_args::<A, Fut>, hook, args)?);
        Ok(())
    }

    /// Runs `hook` when the actor begins to stop.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if it cannot travel.
    pub fn set_stopping<Fut>(&mut self, hook: fn(Context) -> Fut) -> Result<(), SpawnError>
    where
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        self.stopping = Some(RemoteFn::new(plain_hook::<Fut>, hook, &())?);
        Ok(())
    }

    /// Runs `hook` again and again.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if it cannot travel.
    pub fn set_periodic_task<Fut>(&mut self, hook: fn(Context) -> Fut) -> Result<(), SpawnError>
    where
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        self.periodic_task = Some(RemoteFn::new(plain_hook::<Fut>, hook, &())?);
        Ok(())
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
        let dead_letter = self
            .dead_letter
            .map(|hook| hook.resolve().map_err(hook_error));
        Ok(Hooks {
            dead_letter: dead_letter.transpose()?,
            kind,
            begin,
            stopping: once(self.stopping)?,
            periodic_task,
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

fn typed_start<A: Roaming>(cx: Context, args: Vec<u8>, trusted: bool) -> BoxFuture<Result<Work>> {
    Box::pin(async move {
        let read = || payload::decode(Codec::Postcard, &args);
        let args = match trusted {
            true => trusting(read),
            false => read(),
        }?;
        let state = A::start(cx.clone(), args).await?;
        Ok(state.work(cx))
    })
}

impl RemoteFn {
    fn new<A: Serialize>(
        entry: Entry<()>,
        function: impl FnPointer,
        args: &A,
    ) -> Result<Self, SpawnError> {
        Ok(Self {
            entry: CodeOffset::of(entry).map_err(hook_error)?,
            function: CodeOffset::of(function).map_err(hook_error)?,
            args: encode_args(args)?,
        })
    }

    fn into_once(self) -> Result<OnceHook, SpawnError> {
        let entry: Entry<()> = self.entry.resolve().map_err(hook_error)?;
        Ok(Box::new(move |cx| entry(self.function, cx, self.args)))
    }

    fn into_many(self) -> Result<ManyHook, SpawnError> {
        let entry: Entry<()> = self.entry.resolve().map_err(hook_error)?;
        Ok(Box::new(move |cx| {
            entry(self.function, cx, self.args.clone())
        }))
    }
}

fn encode_args<A: Serialize>(args: &A) -> Result<Vec<u8>, SpawnError> {
    let args = payload::encode(Codec::Postcard, args);
    args.map(Into::into).map_err(|error| SpawnError::Hook {
        message: error.to_string(),
    })
}

fn hook_with_args<A, Fut>(function: CodeOffset, cx: Context, args: Vec<u8>) -> BoxFuture<Result<()>>
where
    A: DeserializeOwned + Send + 'static,
    Fut: Future<Output: HookOutput> + Send + 'static,
{
    Box::pin(async move {
        let function: fn(Context, A) -> Fut = function.resolve()?;
        // A hook's arguments come from the manager, and may name functions.
        let args = trusting(|| payload::decode(Codec::Postcard, &args))?;
        function(cx, args).await.into_result()
    })
}

fn plain_hook<Fut>(function: CodeOffset, cx: Context, _args: Vec<u8>) -> BoxFuture<Result<()>>
where
    Fut: Future<Output: HookOutput> + Send + 'static,
{
    Box::pin(async move {
        let function: fn(Context) -> Fut = function.resolve()?;
        function(cx).await.into_result()
    })
}

/// The user's commands as they are run.
pub(crate) type Work = BoxFuture<Worked>;

/// How an actor begins.
#[derive(Default)]
pub(crate) enum Begin {
    /// Without ado.
    #[default]
    Plain,
    /// With a hook; it has no type of its own.
    Hook(OnceHook),
    /// With the start of its type.
    Actor(Box<dyn FnOnce(Context) -> BoxFuture<Result<Work>> + Send>),
}

impl Begin {
    /// Begins; what then runs its commands.
    pub(crate) async fn begin(self, cx: Context) -> Result<Work> {
        match self {
            Self::Plain => {}
            Self::Hook(hook) => hook(cx.clone()).await?,
            Self::Actor(start) => return start(cx).await,
        }
        Ok(Anyone.work(cx))
    }
}

/// A hook that runs once.
pub type OnceHook = Box<dyn FnOnce(Context) -> BoxFuture<Result<()>> + Send>;
type ManyHook = Box<dyn Fn(Context) -> BoxFuture<Result<()>> + Send>;

/// Hooks as the lifecycle runs them.
pub struct Hooks {
    /// The actor's type.
    pub kind: &'static ActorKind,
    pub(crate) begin: Begin,
    pub(crate) stopping: Option<OnceHook>,
    pub(crate) periodic_task: Option<ManyHook>,
    pub(crate) dead_letter: Option<DeadLetterHook>,
    pub(crate) period: Option<Duration>,
}

impl Hooks {
    /// Those of an actor without a type of its own that begins with `start`.
    pub fn starting(start: OnceHook) -> Self {
        Self {
            begin: Begin::Hook(start),
            ..Self::default()
        }
    }

    /// The same hooks, of an actor of the type of `other` that begins as it does.
    #[must_use]
    pub fn beginning_as(self, other: Self) -> Self {
        let Self { kind, begin, .. } = other;
        Self {
            kind,
            begin,
            ..self
        }
    }

    /// The hooks of an `A` in this process, which need not travel.
    pub fn of_actor<A: Actor>(args: A::Start) -> Self {
        let begin = |cx: Context| -> BoxFuture<Result<Work>> {
            Box::pin(async move {
                let state = A::start(cx.clone(), args).await?;
                Ok(state.work(cx))
            })
        };
        Self {
            kind: ActorKind::of::<A>(),
            begin: Begin::Actor(Box::new(begin)),
            ..Self::default()
        }
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            kind: ActorKind::of::<Anyone>(),
            begin: Begin::Plain,
            stopping: None,
            periodic_task: None,
            dead_letter: None,
            period: None,
        }
    }
}

/// A function to run on an actor that is there already: the argument of the `run` command.
#[doc(hidden)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RemoteCall(RemoteFn);

impl RemoteCall {
    pub(crate) fn new<A, Fut>(function: fn(Context, A) -> Fut, args: &A) -> Result<Self, SpawnError>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        Fut: Future<Output: Serialize> + Send + 'static,
    {
        let entry: Entry<Vec<u8>> = call_with_args::<A, Fut>;
        Ok(Self(RemoteFn {
            entry: CodeOffset::of(entry).map_err(hook_error)?,
            function: CodeOffset::of(function).map_err(hook_error)?,
            args: encode_args(args)?,
        }))
    }

    /// Runs the function; its result comes as bytes.
    pub(crate) async fn call(self, cx: Context) -> Result<Vec<u8>> {
        let entry: Entry<Vec<u8>> = self.0.entry.resolve()?;
        entry(self.0.function, cx, self.0.args).await
    }
}

fn call_with_args<A, Fut>(
    function: CodeOffset,
    cx: Context,
    args: Vec<u8>,
) -> BoxFuture<Result<Vec<u8>>>
where
    A: DeserializeOwned + Send + 'static,
    Fut: Future<Output: Serialize> + Send + 'static,
{
    Box::pin(async move {
        let function: fn(Context, A) -> Fut = function.resolve()?;
        let args = trusting(|| payload::decode(Codec::Postcard, &args))?;
        let result = function(cx, args).await;
        Ok(payload::encode(Codec::Postcard, &result)?.into())
    })
}
