//! Functions that run on another actor.

use std::any::type_name;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use pulsar_link::Body;
use pulsar_link::payload::NATIVE;
use pulsar_sys::trusting;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::builtin;
use crate::current::get_actor;
use crate::remote::{RemoteDef, Written};
use crate::remote_fn::{Entry, RemoteFn};
use crate::system;
use crate::{Call, CallError, Command, Context, Error, Result, SendError, Target, send};

/// Runs a function on another actor, on that actor's event loop, and gives its result.
///
/// A function that is marked with `#[pulsar::remote]` runs anywhere: its name travels. Any other plain
/// function travels downwards only, from the arbiter or a monitor to the actors below.
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// use pulsar::{Context, run};
///
/// #[pulsar::remote]
/// async fn dosomething(cx: Context, times: u32) -> String {
///     format!("{} has done it {times} times", cx.aid())
/// }
///
/// # async fn example() -> pulsar::Result<()> {
/// println!("{}", run("monitor", dosomething, 3).await?);
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
///
/// An actor runs at most 128 of them at once, beside its commands. One that has begun is not cut when its
/// caller gives up.
///
/// # Errors
///
/// [`SendError::Refused`] if the function may not run there, with what to do, or too many do; any other [`SendError`]
/// if it did not run to its end.
pub fn run<A, Fut>(
    target: impl Into<Target>,
    function: fn(Context, A) -> Fut,
    args: A,
) -> Run<A, Fut>
where
    A: Serialize + DeserializeOwned + Send + 'static,
    Fut: Future<Output: Serialize + DeserializeOwned> + Send + 'static,
{
    Run {
        target: target.into(),
        function,
        args,
        timeout: None,
    }
}

/// A function that is to run on another actor. Nothing happens until it is awaited.
#[must_use = "a function is only run when this is awaited"]
pub struct Run<A, Fut> {
    target: Target,
    function: fn(Context, A) -> Fut,
    args: A,
    timeout: Option<Duration>,
}

impl<A, Fut> Run<A, Fut> {
    /// Waits no longer than this for the result.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<A, Fut> IntoFuture for Run<A, Fut>
where
    A: Serialize + DeserializeOwned + Send + 'static,
    Fut: Future<Output: Serialize + DeserializeOwned> + Send + 'static,
{
    type Output = Result<Fut::Output, SendError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self {
                target,
                function,
                args,
                timeout,
            } = self;
            let args = Body::of(NATIVE, &args)?;
            let result = match RemoteDef::find(function) {
                Some(remote) => {
                    let args = Written(NATIVE, args);
                    let call = send(target, builtin::run, (remote.name.to_owned(), args));
                    timed(call, timeout).await.map(|Written(_, body)| body)
                }
                None if manages() => {
                    let call = CodeCall::new(function, args)?;
                    let call = send(target, builtin::run_pointer, call);
                    timed(call, timeout).await
                }
                None => return Err(unregistered::<Fut>()),
            };
            match result {
                Ok(body) => body.read(NATIVE),
                Err(CallError::Command(error)) => Err(SendError::Refused {
                    reason: Error::one_line(&error),
                }),
                Err(CallError::Send(error)) => Err(error),
            }
        })
    }
}

fn timed<C: Command>(call: Call<C>, timeout: Option<Duration>) -> Call<C> {
    match timeout {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}

/// True if this actor manages others, or nobody's code runs: then it is the arbiter's process.
fn manages() -> bool {
    let in_master = system::current().is_some_and(|system| system.is_master());
    let manages = |cx: Context| cx.aid().host() == cx.cell.system.arbiter_aid();
    in_master && get_actor().is_none_or(manages)
}

/// The answer to who may not have a function run that is not registered.
fn unregistered<Fut>() -> SendError {
    // The type of an async function's future has the function's name.
    let name = type_name::<Fut>();
    let name = name.split("::{{closure}}").next().unwrap_or(name);
    SendError::Refused {
        reason: format!("{}; here that is {name}", builtin::ONLY_DOWNWARDS),
    }
}

/// A function by its place in the program: what the command `run_pointer` runs.
#[doc(hidden)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CodeCall(RemoteFn);

impl CodeCall {
    fn new<A, Fut>(function: fn(Context, A) -> Fut, args: Body) -> Result<Self, SendError>
    where
        A: DeserializeOwned + Send + 'static,
        Fut: Future<Output: Serialize> + Send + 'static,
    {
        let entry: Entry<Body> = |function, cx, args| {
            Box::pin(async move {
                let function: fn(Context, A) -> Fut = function.resolve()?;
                let args = trusting(|| args.read(NATIVE))?;
                let result = function(cx, args).await;
                Ok(Body::of(NATIVE, &result)?)
            })
        };
        let call = RemoteFn::new(entry, function, args);
        call.map(Self).map_err(|error| SendError::Refused {
            reason: error.to_string(),
        })
    }

    /// Runs the function; its result comes written.
    pub(crate) async fn call(self, cx: Context) -> Result<Body> {
        self.0.call(cx).await
    }
}
