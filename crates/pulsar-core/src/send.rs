//! Sending: from a call to its reply.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pulsar_wire::Codec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, timeout};

use crate::builtin;
use crate::command::{self, Command, CommandDef};
use crate::context::{Context, get_actor, holds_turn};
use crate::hooks::RemoteCall;
use crate::json_args::json_args;
use crate::mailbox::{Envelope, ReplyTo};
use crate::node::{LONGEST, Node};
use crate::route::{Route, died, settle};
use crate::{CallError, Cause, Error, IntoArgs, SendError, Target};
use pulsar_link::payload::{self, Outcome, Payload};
use pulsar_link::{Address, AskBody, Link, PendingReply};

/// Sends a command to an actor: by proxy, id or name.
///
/// Awaiting the call sends it and gives the reply. It ends within its timeout, by default 30 s,
/// with the reply, the command's own error, or one [`SendError`] that says why there is none.
/// The arguments are a tuple; for one argument the value itself.
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// use pulsar::{Context, command, ping, send};
///
/// #[command]
/// async fn greetme(_cx: Context, name: String) -> String {
///     format!("Hello {name}!")
/// }
///
/// # async fn example(actor: pulsar::Proxy) -> pulsar::Result<()> {
/// let hello = send(&actor, greetme, "luca").await?;
/// assert_eq!(hello, "Hello luca!");
/// assert_eq!(send("arbiter", ping, ()).await?, "pong");
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
pub fn send<C: Command>(
    target: impl Into<Target>,
    command: fn() -> C,
    args: impl IntoArgs<C::Args>,
) -> Call<C> {
    let _ = command;
    Call {
        target: target.into(),
        args: args.into_args(),
        timeout: None,
    }
}

/// A command that is to be sent. Nothing happens until it is awaited.
#[must_use = "a call is only sent when it is awaited"]
pub struct Call<C: Command> {
    target: Target,
    args: C::Args,
    timeout: Option<Duration>,
}

impl<C: Command> Call<C> {
    /// Waits no longer than this for the reply, nor for room in the mailbox.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<C: Command> IntoFuture for Call<C> {
    type Output = Result<C::Reply, CallError<C::Error>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let definition = const { &CommandDef::of::<C>() };
            let args = Payload::local(self.args);
            match dispatch(&self.target, definition, args, self.timeout).await {
                Outcome::Reply(reply) if definition.ack => Ok(reply.take()?),
                // A command without acknowledgement replies with its own empty value.
                Outcome::Reply(_) => {
                    Ok(Payload::Wire(Codec::Postcard, bytes::Bytes::new()).take()?)
                }
                Outcome::Failure(error) => Err(CallError::Command(error.take()?)),
                Outcome::Undelivered(error) => Err(error.into()),
            }
        })
    }
}

/// Sends a command by its name, with arguments as JSON, one value each; for tools.
///
/// # Errors
///
/// [`CallError::Command`] with the command's own error as JSON, or why there is no reply.
pub async fn send_json(
    target: impl Into<Target>,
    command: &str,
    args: Vec<Value>,
) -> Result<Value, CallError<Value>> {
    let definition = command::lookup(command)?;
    if builtin::NAMING_CODE.contains(&definition.name) {
        return Err(builtin::refuse_code().into());
    }
    let args = json_args(definition, args)?;
    let json = |payload: Payload, encode: fn(Payload, Codec) -> Result<bytes::Bytes, SendError>| {
        let bytes = encode(payload, Codec::Json)?;
        payload::decode::<Value>(Codec::Json, &bytes)
    };
    match dispatch(&target.into(), definition, args, None).await {
        Outcome::Reply(_) if !definition.ack => Ok(Value::Null),
        Outcome::Reply(reply) => Ok(json(reply, definition.encode_reply)?),
        Outcome::Failure(error) => Err(CallError::Command(json(error, definition.encode_error)?)),
        Outcome::Undelivered(error) => Err(error.into()),
    }
}

/// Runs a function on another actor, on that actor's event loop, and gives its result.
///
/// Plain functions travel downwards only: from the arbiter or a monitor to the actors below.
///
/// # Errors
///
/// [`SendError::Refused`] from anywhere else; any other [`SendError`] if it did not run to its
/// end.
pub async fn run<A, Fut>(
    target: impl Into<Target>,
    function: fn(Context, A) -> Fut,
    args: A,
) -> Result<Fut::Output, SendError>
where
    A: Serialize + DeserializeOwned + Send + 'static,
    Fut: Future<Output: Serialize + DeserializeOwned> + Send + 'static,
{
    let call = RemoteCall::new(function, &args).map_err(|error| SendError::Refused {
        reason: error.to_string(),
    })?;
    let manages = get_actor().is_none_or(|cx| cx.aid().host() == cx.cell.node.arbiter_aid());
    let in_master = Node::current().is_some_and(|node| node.master().is_some());
    if !in_master || !manages {
        return Err(builtin::refuse_code());
    }
    match send(target, builtin::run, call).await {
        Ok(bytes) => payload::decode(Codec::Postcard, &bytes),
        Err(CallError::Command(error)) => Err(SendError::Refused {
            reason: Error::one_line(&error),
        }),
        Err(CallError::Send(error)) => Err(error),
    }
}

/// Takes a command to its target and waits for what becomes of it.
pub(crate) async fn dispatch(
    target: &Target,
    command: &'static CommandDef,
    args: Payload,
    limit: Option<Duration>,
) -> Outcome {
    let Some(node) = Node::current() else {
        return Outcome::Undelivered(SendError::NotRunning);
    };
    // A send may fail without ever waiting. Whoever tries again in a loop shall not hold the
    // event loop, on which what it waits for may have to run.
    consume_budget().await;
    let limit = limit.unwrap_or(node.timing.ask_timeout).min(LONGEST);
    let asking = ask(&node, target, command, args, Instant::now() + limit);
    let outcome = timeout(limit, asking).await;
    outcome
        .unwrap_or(Err(SendError::Timeout { after: limit }))
        .unwrap_or_else(Outcome::Undelivered)
}

async fn ask(
    node: &Node,
    target: &Target,
    command: &'static CommandDef,
    args: Payload,
    deadline: Instant,
) -> Result<Outcome, SendError> {
    match node.route(target)? {
        Route::Local(cx) => ask_local(&cx, command, args, deadline).await,
        Route::Link(link, aid) => ask_link(&link, Address::Aid(aid), command, args, deadline).await,
        Route::Named(link, name) => {
            ask_link(&link, Address::Name(&name), command, args, deadline).await
        }
    }
}

async fn ask_local(
    cx: &Context,
    command: &'static CommandDef,
    args: Payload,
    deadline: Instant,
) -> Result<Outcome, SendError> {
    if command.ack && !command.builtin && holds_turn(cx.aid()) {
        return Err(SendError::WouldDeadlock);
    }
    let (reply, answer) = match command.ack {
        true => {
            let (caller, answer) = oneshot::channel();
            (ReplyTo::local(caller), Some(answer))
        }
        false => (ReplyTo::nobody(), None),
    };
    let envelope = Envelope {
        command,
        args,
        reply,
        deadline: Some(deadline),
        sender: get_actor().map(|cx| cx.aid()),
    };
    let gone = &cx.cell.gone;
    let put = tokio::select! {
        biased;
        put = cx.cell.mailbox.queue(command).put(envelope) => put,
        () = gone.cancelled() => return Err(died(cx)),
    };
    settle(cx, put)?;
    let Some(answer) = answer else {
        return Ok(nothing());
    };
    // The reply first: what was answered before the end counts. A reply that is dropped unsent,
    // or will never be sent since its actor is gone, is the actor's death.
    tokio::select! {
        biased;
        answer = answer => answer.map_err(|_| died(cx)),
        () = gone.cancelled() => Err(died(cx)),
    }
}

async fn ask_link(
    link: &Arc<Link>,
    address: Address<'_>,
    command: &'static CommandDef,
    args: Payload,
    deadline: Instant,
) -> Result<Outcome, SendError> {
    let (codec, args) = match args {
        Payload::Wire(codec, bytes) => (codec, bytes),
        local => (
            Codec::Postcard,
            (command.encode_args)(local, Codec::Postcard)?,
        ),
    };
    let body = AskBody::new(address, command.name, codec, &args, Some(deadline))?;
    if !command.ack {
        return link.tell(body).map(|()| nothing());
    }
    let (caller, answer) = oneshot::channel();
    let request = link.ask(body, PendingReply::Local(caller))?;
    let _entry = Entry { link, request };
    answer.await.map_err(|_| SendError::ActorDied {
        cause: Cause::Unknown,
    })
}

fn nothing() -> Outcome {
    Outcome::Reply(Payload::local(()))
}

/// Takes the entry of an ask out when its caller gives up.
struct Entry<'a> {
    link: &'a Arc<Link>,
    request: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.link.take_back(self.request);
    }
}
