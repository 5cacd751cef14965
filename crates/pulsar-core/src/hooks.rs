//! Hooks: what an actor runs at the points of its life, and functions run from afar.

use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use pulsar_link::payload;
use pulsar_sys::{CodeError, CodeOffset, FnPointer, trusting};
use pulsar_wire::Codec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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
pub(crate) struct Behaviour {
    start: Option<Portable>,
    stopping: Option<Portable>,
    periodic_task: Option<Portable>,
    dead_letter: Option<CodeOffset>,
    pub(crate) period: Option<Duration>,
}

/// A function with its arguments. `entry` is the instance of a generic function of this module
/// that knows the types of `function`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Portable {
    entry: CodeOffset,
    function: CodeOffset,
    args: Vec<u8>,
}

type Entry<R> = fn(CodeOffset, Context, Vec<u8>) -> BoxFuture<Result<R>>;

impl Behaviour {
    pub(crate) fn set_start<A, Fut>(
        &mut self,
        hook: fn(Context, A) -> Fut,
        args: &A,
    ) -> Result<(), SpawnError>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        self.start = Some(Portable::new(hook_with_args::<A, Fut>, hook, args)?);
        Ok(())
    }

    pub(crate) fn set_stopping<Fut>(&mut self, hook: fn(Context) -> Fut) -> Result<(), SpawnError>
    where
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        self.stopping = Some(Portable::new(plain_hook::<Fut>, hook, &())?);
        Ok(())
    }

    pub(crate) fn set_periodic_task<Fut>(
        &mut self,
        hook: fn(Context) -> Fut,
    ) -> Result<(), SpawnError>
    where
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        self.periodic_task = Some(Portable::new(plain_hook::<Fut>, hook, &())?);
        Ok(())
    }

    pub(crate) fn set_dead_letter(&mut self, hook: DeadLetterHook) -> Result<(), SpawnError> {
        self.dead_letter = Some(CodeOffset::of(hook).map_err(hook_error)?);
        Ok(())
    }

    /// The hooks, ready to run in this process.
    pub(crate) fn resolve(self) -> Result<Hooks, SpawnError> {
        let once = |hook: Option<Portable>| hook.map(Portable::into_once).transpose();
        let periodic_task = self.periodic_task.map(Portable::into_many).transpose()?;
        let dead_letter = self
            .dead_letter
            .map(|hook| hook.resolve().map_err(hook_error));
        Ok(Hooks {
            dead_letter: dead_letter.transpose()?,
            start: once(self.start)?,
            stopping: once(self.stopping)?,
            periodic_task,
            period: self.period,
        })
    }
}

impl Portable {
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

type OnceHook = Box<dyn FnOnce(Context) -> BoxFuture<Result<()>> + Send>;
type ManyHook = Box<dyn Fn(Context) -> BoxFuture<Result<()>> + Send>;

/// Hooks as the lifecycle runs them.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) start: Option<OnceHook>,
    pub(crate) stopping: Option<OnceHook>,
    pub(crate) periodic_task: Option<ManyHook>,
    pub(crate) dead_letter: Option<DeadLetterHook>,
    pub(crate) period: Option<Duration>,
}

/// A function to run on an actor that is there already: the argument of the `run` command.
#[doc(hidden)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RemoteCall(Portable);

impl RemoteCall {
    pub(crate) fn new<A, Fut>(function: fn(Context, A) -> Fut, args: &A) -> Result<Self, SpawnError>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        Fut: Future<Output: Serialize> + Send + 'static,
    {
        let entry: Entry<Vec<u8>> = call_with_args::<A, Fut>;
        Ok(Self(Portable {
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
