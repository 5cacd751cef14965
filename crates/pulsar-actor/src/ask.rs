//! From a message to what becomes of it: to an actor of this process, or over a link.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::poll;
use pulsar_link::payload::{NATIVE, Outcome, Payload};
use pulsar_link::{self as link, AskBody, Body, Due, Fare, Link, Reply};
use pulsar_mailbox::{Deadline, ReplyTo, after_try_send, bounded, in_a_task};
use pulsar_wire::{Aid, Codec, CommandBody};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::command::{self, CommandDef};
use crate::context::Context;
use crate::current::{current_aid, holds_back};
use crate::mailbox::{Envelope, Named, died, settle};
use crate::system::{self, LONGEST, Route, System};
use crate::{Cause, SendError, Target, panic_message};

/// How long the arbiter's word on how a direct peer ended is waited for.
pub const VERDICT_TIMEOUT: Duration = Duration::from_secs(2);

/// A free command with its arguments, or what a tool has written.
pub(crate) enum Outgoing {
    Free(&'static CommandDef, Payload),
    /// A command's name, and its arguments as a JSON array. What it means is known where the
    /// target is.
    Text(String, Bytes),
}

/// Takes a command to its target and waits for what becomes of it.
pub(crate) async fn dispatch(
    target: &Target,
    message: Outgoing,
    limit: Option<Duration>,
) -> Outcome {
    let outcome = ask(target, message, limit).await;
    outcome.unwrap_or_else(Outcome::Undelivered)
}

async fn ask(
    target: &Target,
    message: Outgoing,
    limit: Option<Duration>,
) -> Result<Outcome, SendError> {
    let (system, limit, deadline) = begin(limit)?;
    let asked = async {
        match system.known(target)? {
            Some(Route::Local(cx)) => put(&cx, message, deadline).await?.outcome().await,
            // Where the way is not known yet, it is sought in line with the sending.
            Some(Route::Link(..)) | None => {
                ask_elsewhere(system, target, Parcel::of(&message)?, deadline).await
            }
        }
    };
    bounded(limit, asked).await
}

/// Asks an actor of another process. One that is not where its name was last found has not seen
/// the message: its name is looked for once more.
async fn ask_elsewhere(
    system: &Arc<dyn System>,
    target: &Target,
    parcel: Parcel,
    deadline: Instant,
) -> Result<Outcome, SendError> {
    let (asked, aid) = send(system, target, &parcel, deadline).await?;
    let outcome = asked.outcome().await?;
    let is_lost = matches!(
        outcome,
        Outcome::Undelivered(SendError::UnknownActor { .. })
    );
    if !is_lost || matches!(target, Target::Aid(_)) {
        return Ok(outcome);
    }
    system.forget_name(target, aid);
    let (asked, _) = send(system, target, &parcel, deadline).await?;
    asked.outcome().await
}

/// Sends a command now, or gives its arguments back; what becomes of it is then to be awaited.
///
/// # Errors
///
/// Why it was not sent, and its arguments.
pub(crate) fn try_dispatch(
    target: &Target,
    command: &'static CommandDef,
    args: Payload,
    limit: Option<Duration>,
) -> Result<impl Future<Output = Outcome> + Send + 'static, (SendError, Payload)> {
    let (system, limit, deadline) = match begin(limit) {
        Ok(begun) => begun,
        Err(error) => return Err((error, args)),
    };
    let asked = match system.try_route(target) {
        Ok(Route::Local(cx)) => try_put(&cx, command, args, deadline),
        Ok(Route::Link(link, aid)) => {
            let parcel = Parcel::of_free(command, &args);
            let sent = parcel.and_then(|parcel| try_send(&link, aid, &parcel, deadline));
            sent.map_err(|error| (error, args))
        }
        Err(error) => Err((error, args)),
    }?;
    Ok(async move {
        let is_held_back = asked.is_held_back();
        let outcome = after_try_send(is_held_back, limit, deadline, asked.outcome()).await;
        outcome.unwrap_or_else(Outcome::Undelivered)
    })
}

/// This process's share of the system; how long an ask may take, and until when.
pub(crate) fn begin(
    limit: Option<Duration>,
) -> Result<(&'static Arc<dyn System>, Duration, Instant), SendError> {
    let (system, limit) = share(limit)?;
    Ok((system, limit, Instant::now() + limit))
}

/// The same without the time of day.
pub(crate) fn share(
    limit: Option<Duration>,
) -> Result<(&'static Arc<dyn System>, Duration), SendError> {
    let system = system::current().ok_or(SendError::NotRunning)?;
    Ok((system, within(&**system, limit)))
}

/// How long an ask may take whose caller has said this.
pub(crate) fn within(system: &dyn System, limit: Option<Duration>) -> Duration {
    limit.unwrap_or_else(|| system.ask_timeout()).min(LONGEST)
}

/// An actor that asks itself for what waits for its own end would wait for ever.
#[inline]
pub(crate) fn refuse_deadlock(cx: &Context, waits: bool) -> Result<(), SendError> {
    match waits && holds_back(cx.aid()) {
        true => Err(SendError::WouldDeadlock),
        false => Ok(()),
    }
}

impl Outgoing {
    /// The message as an actor of this process takes it, and whether it is a tool's.
    fn into_envelope(
        self,
        cx: &Context,
        deadline: Instant,
    ) -> Result<(Box<Envelope>, bool), SendError> {
        let (command, args, is_text) = match self {
            Self::Free(command, args) => (Named::Free(command), args, false),
            Self::Text(name, args) => {
                let command = command::named(cx.cell.kind, &name, Codec::Json)?;
                (command, Payload::Wire(Codec::Json, args.into()), true)
            }
        };
        let envelope = Box::new(Envelope {
            command,
            args,
            reply: ReplyTo::nobody(),
            deadline: Some(Deadline::after(
                deadline.saturating_duration_since(Instant::now()),
            )),
            sender: current_aid(),
        });
        Ok((envelope, is_text))
    }
}

/// The envelope with its way back, and where its outcome will come.
fn addressed(
    cx: &Context,
    message: Outgoing,
    deadline: Instant,
) -> Result<(Box<Envelope>, Asked), SendError> {
    let (mut envelope, is_text) = message.into_envelope(cx, deadline)?;
    let command = envelope.command;
    // Whoever writes to an actor as a tool does waits also where there is no acknowledgement.
    let waits = command.ack() || is_text;
    if !waits {
        return Ok((envelope, Asked::Nothing));
    }
    let (caller, answer) = oneshot::channel();
    envelope.reply = ReplyTo::local(caller);
    let asked = Asked::Local {
        answer,
        cx: cx.clone(),
        in_turn: !command.is_builtin(),
        written: is_text.then_some(command),
    };
    Ok((envelope, asked))
}

async fn put(cx: &Context, message: Outgoing, deadline: Instant) -> Result<Asked, SendError> {
    let (envelope, asked) = addressed(cx, message, deadline)?;
    refuse_deadlock(cx, asked.is_held_back())?;
    let posted = tokio::select! {
        biased;
        posted = cx.cell.mailbox.put(envelope) => posted,
        () = cx.cell.gone.cancelled() => return Err(died(cx)),
    };
    match settle(cx, posted) {
        Ok(()) => Ok(asked),
        Err((_, error)) => Err(error),
    }
}

fn try_put(
    cx: &Context,
    command: &'static CommandDef,
    args: Payload,
    deadline: Instant,
) -> Result<Asked, (SendError, Payload)> {
    let addressed = addressed(cx, Outgoing::Free(command, args), deadline);
    // Only a tool's command can be unknown here.
    let (envelope, asked) = addressed.map_err(|error| (error, Payload::local(())))?;
    match settle(cx, cx.cell.mailbox.try_put(envelope)) {
        Ok(()) => Ok(asked),
        Err((envelope, error)) => Err((error, envelope.args)),
    }
}

/// A command on its way to another process.
#[derive(Clone)]
pub(crate) struct Parcel {
    /// Its name, as it leads the frame.
    pub(crate) command: Bytes,
    pub(crate) codec: Codec,
    pub(crate) args: Body,
    pub(crate) ack: bool,
    pub(crate) builtin: bool,
}

impl Parcel {
    fn of(message: &Outgoing) -> Result<Self, SendError> {
        match message {
            Outgoing::Free(command, args) => Self::of_free(command, args),
            Outgoing::Text(name, args) => Ok(Self {
                command: CommandBody::lead(name).map_err(SendError::codec)?,
                codec: Codec::Json,
                args: args.clone().into(),
                ack: true,
                builtin: command::is_builtin(name),
            }),
        }
    }

    fn of_free(command: &CommandDef, args: &Payload) -> Result<Self, SendError> {
        Ok(Self {
            command: CommandBody::lead(command.signature.name).map_err(SendError::codec)?,
            codec: NATIVE,
            args: (command.encode_args)(args, NATIVE)?,
            ack: command.ack,
            builtin: command.builtin,
        })
    }

    fn body(&self, aid: Aid, due: Due) -> AskBody {
        let (command, args) = (self.command.clone(), self.args.clone());
        AskBody::in_pieces(aid, command, self.codec, args, due)
    }

    fn fare(&self) -> Fare {
        match self.builtin {
            true => Fare::Free,
            false => Fare::Credit,
        }
    }
}

/// Sends a command to an actor of another process, as soon as there is credit and room for it; the
/// actor's id. A link that is being retired gives it back: then it goes another way.
pub(crate) async fn send(
    system: &Arc<dyn System>,
    target: &Target,
    parcel: &Parcel,
    deadline: Instant,
) -> Result<(Asked, Aid), SendError> {
    loop {
        let sent = match system.known(target)? {
            Some(Route::Link(link, aid)) => {
                let sent = send_over(&link, parcel.body(aid, Due::At(deadline)), parcel).await;
                (sent, link, aid)
            }
            // It has moved here meanwhile: a name may.
            Some(Route::Local(_)) => return Err(unknown(target)),
            None => {
                let (system, target) = (Arc::clone(system), target.clone());
                let sending = send_in_line(system, target, parcel.clone(), deadline);
                in_a_task(sending).await?
            }
        };
        match sent {
            (Ok(asked), _, aid) => return Ok((asked, aid)),
            (Err(link::Unsent::Retired(_)), ..) => {}
            (Err(link::Unsent::Refused(error)), link, _) => {
                return Err(better_known(&link, error).await);
            }
        }
    }
}

type Sent = (Result<Asked, link::Unsent>, Arc<Link>, Aid);

/// Sends a command whose way has to be sought, in its turn. The next has its turn when this message
/// has been sent, or stands in the line for credit.
async fn send_in_line(
    system: Arc<dyn System>,
    target: Target,
    parcel: Parcel,
    deadline: Instant,
) -> Result<Sent, SendError> {
    let seeking = timeout_at(deadline, system.seek(target.clone())).await;
    // The sender's own timeout tells it; this only ends the task.
    let (route, turn) = seeking.unwrap_or(Err(SendError::NotRunning))?;
    let Route::Link(link, aid) = route else {
        return Err(unknown(&target));
    };
    let body = parcel.body(aid, Due::At(deadline));
    let mut sending = Box::pin(send_over(&link, body, &parcel));
    // Polled until it waits for something of the link's own: it lets others go first once.
    for _ in 0..2 {
        if let Poll::Ready(sent) = poll!(&mut sending) {
            drop(sending);
            return Ok((sent, link, aid));
        }
        tokio::task::yield_now().await;
    }
    drop(turn);
    let sent = sending.await;
    Ok((sent, link, aid))
}

fn unknown(target: &Target) -> SendError {
    SendError::UnknownActor {
        target: target.to_string(),
    }
}

async fn send_over(
    link: &Arc<Link>,
    body: AskBody,
    parcel: &Parcel,
) -> Result<Asked, link::Unsent> {
    if !parcel.ack {
        link.send_tell(body, parcel.fare()).await?;
        return Ok(Asked::Nothing);
    }
    let request = link.send_ask(body, parcel.fare()).await?;
    Ok(Asked::Link(Reply::new(Arc::clone(link), request)))
}

/// A message that came too late for a direct peer is told how that ended, as those are that were
/// in flight.
async fn better_known(link: &Link, error: SendError) -> SendError {
    let cause = Cause::Unknown;
    if !link.is_direct() || error != (SendError::ActorDied { cause }) {
        return error;
    }
    let cause = link.verdict(VERDICT_TIMEOUT).await;
    SendError::ActorDied { cause }
}

/// Sends a command over a link now, or not at all.
pub(crate) fn try_send(
    link: &Arc<Link>,
    aid: Aid,
    parcel: &Parcel,
    deadline: Instant,
) -> Result<Asked, SendError> {
    let body = parcel.body(aid, Due::At(deadline));
    let sent = match parcel.ack {
        false => link
            .try_send_tell(body, parcel.fare())
            .map(|()| Asked::Nothing),
        true => {
            let sent = link.try_send_ask(body, parcel.fare(), None);
            sent.map(|request| Asked::Link(Reply::new(Arc::clone(link), request)))
        }
    };
    sent.map_err(|unsent| match unsent {
        link::Unsent::Refused(error) => error,
        // Another way is being made for those who wait.
        link::Unsent::Retired(_) => SendError::MailboxFull { capacity: 0 },
    })
}

/// A message that has been sent, and where its outcome will come.
pub(crate) enum Asked {
    /// Nobody waits for one.
    Nothing,
    Local {
        answer: oneshot::Receiver<Outcome>,
        cx: Context,
        /// It waits for the actor's turn, as all but the built-in ones do.
        in_turn: bool,
        /// The command whose outcome is to be written for a tool.
        written: Option<Named>,
    },
    Link(Reply),
}

impl Asked {
    /// True where whoever waits for it here would wait for ever.
    pub(crate) fn is_held_back(&self) -> bool {
        matches!(self, Self::Local { cx, in_turn: true, .. } if holds_back(cx.aid()))
    }

    /// Waits for the outcome.
    ///
    /// # Errors
    ///
    /// If the actor, or its process, has ended before.
    pub(crate) async fn outcome(self) -> Result<Outcome, SendError> {
        match self {
            Self::Nothing => Ok(Outcome::Reply(Payload::local(()))),
            Self::Local {
                answer,
                cx,
                written,
                ..
            } => {
                let outcome = answer_of(&cx, answer).await?;
                match written {
                    Some(command) => write(command, outcome),
                    None => Ok(outcome),
                }
            }
            Self::Link(reply) => reply.await.ok_or(SendError::ActorDied {
                cause: Cause::Unknown,
            }),
        }
    }
}

/// The answer of an actor of this process. The answer first: what was given before the actor's
/// end counts. One that is dropped unsent, or will never be sent since its actor is gone, is the
/// actor's death.
pub(crate) async fn answer_of<T>(
    cx: &Context,
    answer: oneshot::Receiver<T>,
) -> Result<T, SendError> {
    tokio::select! {
        biased;
        answer = answer => answer.map_err(|_| died(cx)),
        () = cx.cell.gone.cancelled() => Err(died(cx)),
    }
}

/// An outcome as a tool reads it.
fn write(command: Named, outcome: Outcome) -> Result<Outcome, SendError> {
    let failed = matches!(outcome, Outcome::Failure(_));
    // The user's own code writes it. Unwind safe: nothing of ours is used by it.
    let written = catch_unwind(AssertUnwindSafe(|| command.encode(outcome, Codec::Json)));
    let (_, body) = written.unwrap_or_else(|panic| {
        let message = panic_message(&*panic).to_owned();
        Err(SendError::Panicked { message })
    })?;
    let json = Payload::Wire(Codec::Json, body);
    Ok(match failed {
        true => Outcome::Failure(json),
        false => Outcome::Reply(json),
    })
}
