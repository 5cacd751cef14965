//! Functions with their arguments, on their way to where they run.

use std::future::Future;

use pulsar_link::Body;
use pulsar_sys::{CodeError, CodeOffset, FnPointer, Lending, LendingWith, trusting};
use pulsar_wire::Codec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::command::BoxFuture;
use crate::hooks::{Amend, ManyHook, OnceHook};
use crate::{Context, HookOutput, Result, SpawnError};

/// A function with its arguments. `entry` is the instance of a generic function of the program that
/// knows the types of `function`, and what it gives is an `E`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemoteFn {
    entry: CodeOffset,
    function: CodeOffset,
    args: Body,
}

/// Runs `function` on an actor, with its arguments as they were written.
pub(crate) type Entry<R> = fn(CodeOffset, Context, Body) -> BoxFuture<Result<R>>;

/// Makes an [`Amend`] of a function and its arguments.
type AmendEntry<T> = fn(CodeOffset, Body) -> Result<Amend<T>, SpawnError>;

impl RemoteFn {
    /// A function that `entry` enters, with its arguments as they are written.
    pub(crate) fn new(
        entry: impl FnPointer,
        function: impl FnPointer,
        args: Body,
    ) -> Result<Self, SpawnError> {
        Ok(Self {
            entry: CodeOffset::of(entry).map_err(hook_error)?,
            function: CodeOffset::of(function).map_err(hook_error)?,
            args,
        })
    }

    /// A hook without arguments.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if it cannot travel.
    pub fn plain<Fut>(hook: fn(Context) -> Fut) -> Result<Self, SpawnError>
    where
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        let entry: Entry<()> = plain_hook::<Fut>;
        Self::new(entry, hook, Body::default())
    }

    /// A hook with arguments.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if it cannot travel.
    pub fn with_args<A, Fut>(hook: fn(Context, A) -> Fut, args: &A) -> Result<Self, SpawnError>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        let entry: Entry<()> = hook_with_args::<A, Fut>;
        Self::new(entry, hook, encode_args(args)?)
    }

    /// A hook that amends a `T`.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if it cannot travel.
    pub fn amending<T: 'static, R: HookOutput + 'static>(
        hook: fn(Context, &mut T) -> R,
    ) -> Result<Self, SpawnError> {
        let entry: AmendEntry<T> = amend::<T, R>;
        Self::new(entry, Lending(hook), Body::default())
    }

    /// A hook that amends a `T`, with arguments.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if it cannot travel.
    pub fn amending_with<T, A, R>(
        hook: fn(Context, &mut T, A) -> R,
        args: &A,
    ) -> Result<Self, SpawnError>
    where
        T: 'static,
        A: Serialize + DeserializeOwned + 'static,
        R: HookOutput + 'static,
    {
        let entry: AmendEntry<T> = amend_with::<T, A, R>;
        Self::new(entry, LendingWith(hook), encode_args(args)?)
    }

    /// The same, to be kept: see [`Body::taken_over`].
    pub(crate) fn taken_over(self) -> Self {
        Self {
            args: self.args.taken_over(),
            ..self
        }
    }

    /// Runs the function, for what it gives.
    pub(crate) async fn call<R: 'static>(self, cx: Context) -> Result<R> {
        let entry: Entry<R> = self.entry.resolve()?;
        entry(self.function, cx, self.args).await
    }

    pub(crate) fn into_once(self) -> Result<OnceHook, SpawnError> {
        let entry: Entry<()> = self.entry.resolve().map_err(hook_error)?;
        Ok(Box::new(move |cx| entry(self.function, cx, self.args)))
    }

    pub(crate) fn into_many(self) -> Result<ManyHook, SpawnError> {
        let entry: Entry<()> = self.entry.resolve().map_err(hook_error)?;
        Ok(Box::new(move |cx| {
            entry(self.function, cx, self.args.clone())
        }))
    }

    pub(crate) fn into_amend<T: 'static>(self) -> Result<Amend<T>, SpawnError> {
        let entry: AmendEntry<T> = self.entry.resolve().map_err(hook_error)?;
        entry(self.function, self.args)
    }
}

pub(crate) fn encode_args<A: Serialize>(args: &A) -> Result<Body, SpawnError> {
    Body::of(Codec::Postcard, args).map_err(|error| SpawnError::Hook {
        message: error.to_string(),
    })
}

pub(crate) fn hook_error(error: CodeError) -> SpawnError {
    SpawnError::Hook {
        message: error.to_string(),
    }
}

fn hook_with_args<A, Fut>(function: CodeOffset, cx: Context, args: Body) -> BoxFuture<Result<()>>
where
    A: DeserializeOwned + Send + 'static,
    Fut: Future<Output: HookOutput> + Send + 'static,
{
    Box::pin(async move {
        let function: fn(Context, A) -> Fut = function.resolve()?;
        // A hook's arguments come from the manager, and may name functions.
        let args = trusting(|| args.read(Codec::Postcard))?;
        function(cx, args).await.into_result()
    })
}

fn plain_hook<Fut>(function: CodeOffset, cx: Context, _args: Body) -> BoxFuture<Result<()>>
where
    Fut: Future<Output: HookOutput> + Send + 'static,
{
    Box::pin(async move {
        let function: fn(Context) -> Fut = function.resolve()?;
        function(cx).await.into_result()
    })
}

fn amend<T, R>(function: CodeOffset, _args: Body) -> Result<Amend<T>, SpawnError>
where
    T: 'static,
    R: HookOutput + 'static,
{
    let Lending(function) = function
        .resolve::<Lending<Context, T, R>>()
        .map_err(hook_error)?;
    Ok(Box::new(move |cx, value| function(cx, value).into_result()))
}

fn amend_with<T, A, R>(function: CodeOffset, args: Body) -> Result<Amend<T>, SpawnError>
where
    T: 'static,
    A: DeserializeOwned + 'static,
    R: HookOutput + 'static,
{
    let LendingWith(function) = function
        .resolve::<LendingWith<Context, T, A, R>>()
        .map_err(hook_error)?;
    Ok(Box::new(move |cx, value| {
        let args = trusting(|| args.read(Codec::Postcard))?;
        function(cx, value, args).into_result()
    }))
}
