//! Free commands on their way: from a call to its reply.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use pulsar_link::Body;
use pulsar_link::payload::{self, Outcome, Payload};
use pulsar_wire::Codec;
use serde_json::Value;

use crate::ask::{self, Outgoing};
use crate::builtin;
use crate::command::{Command, CommandDef};
use crate::{CallError, IntoArgs, Target};
use pulsar_mailbox::{Sent, Unsent};

/// Sends a command to an actor: by proxy, id or name.
///
/// Awaiting the call sends it and gives the reply. It ends within its timeout, by default 30 s,
/// with the reply, the command's own error, or one [`SendError`](crate::SendError) that says why there is none.
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

impl<C: Command> Call<C> {
    const COMMAND: &'static CommandDef = &CommandDef::of::<C>();

    /// Sends it now, without waiting for anything; gives what will be its reply.
    ///
    /// # Errors
    ///
    /// The call, unsent, with the reason: above all [`SendError::MailboxFull`](crate::SendError::MailboxFull), which is also what
    /// is said while the way to the target is still being made. It can be tried again, or awaited.
    ///
    /// An actor may send to itself so. Awaited within the actor's own turn, the reply is
    /// [`SendError::WouldDeadlock`](crate::SendError::WouldDeadlock); the command is run all the same.
    pub fn try_send(self) -> Result<Sent<C::Reply, C::Error>, Unsent<Self>> {
        let Self {
            target,
            args,
            timeout,
        } = self;
        match ask::try_dispatch(&target, Self::COMMAND, Payload::local(args), timeout) {
            Ok(outcome) => Ok(Sent::new(async move { result::<C>(outcome.await) })),
            Err((error, args)) => match args.take() {
                Ok(args) => {
                    let call = Self {
                        target,
                        args,
                        timeout,
                    };
                    Err(Unsent { call, error })
                }
                // It has the type that it was given above.
                Err(error) => Ok(Sent::new(async move { Err(error.into()) })),
            },
        }
    }
}

impl<C: Command> IntoFuture for Call<C> {
    type Output = Result<C::Reply, CallError<C::Error>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let message = Outgoing::Free(Self::COMMAND, Payload::local(self.args));
            result::<C>(ask::dispatch(&self.target, message, self.timeout).await)
        })
    }
}

fn result<C: Command>(outcome: Outcome) -> Result<C::Reply, CallError<C::Error>> {
    match outcome {
        Outcome::Reply(reply) if C::ACK => Ok(reply.take()?),
        // A command without acknowledgement replies with its own empty value.
        Outcome::Reply(_) => Ok(Payload::Wire(Codec::Postcard, Body::default()).take()?),
        Outcome::Failure(error) => Err(CallError::Command(error.take()?)),
        Outcome::Undelivered(error) => Err(error.into()),
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
    if builtin::NAMING_CODE.contains(&command) {
        return Err(builtin::refuse_code().into());
    }
    let args = payload::encode(Codec::Json, &args)?;
    let message = Outgoing::Text(command.to_owned(), args);
    let json = |payload: Payload| payload.take::<Value>();
    match ask::dispatch(&target.into(), message, None).await {
        Outcome::Reply(reply) => Ok(json(reply)?),
        Outcome::Failure(error) => Err(CallError::Command(json(error)?)),
        Outcome::Undelivered(error) => Err(error.into()),
    }
}
