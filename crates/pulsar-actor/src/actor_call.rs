//! Commands of an actor's own on their way: from a method call to the mailbox or the link.

use std::any::Any;
use std::future::IntoFuture;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use pulsar_link::payload::{NATIVE, Outcome};
use pulsar_link::{By, Draft, Link};
use pulsar_loop::runtime::Ticket;
use pulsar_model::RawProxy;
use pulsar_wire::Aid;
use tokio::task::coop::poll_proceed;
use tokio::time::Instant;

use crate::actor::{Actor, ActorKind, Method, Portable, local_only};
use crate::ask::{Asked, Parcel, begin, refuse_deadlock, send, try_send, within};
use crate::asking::{Arrived, Asking, Begun};
use crate::context::{Cell, Context};
use crate::current::current_aid;
use crate::mailbox::{Direct, Messages, Posted, died, settle};
use crate::owed::Owed;
use crate::system::{Route, System};
use crate::wire_name::with_lead;
use crate::worker::ask_if_idle;
use crate::{CallError, Overflow, SendError, Target};
use pulsar_mailbox::{Sent, Unsent, after_try_send, bounded};

/// A command of an `A`'s own that is to be sent; methods on [`Proxy`](crate::Proxy) make it.
///
/// Awaiting it sends it and gives the reply. It ends within its timeout, by default 30 s, with
/// the reply, the command's own error, or one [`SendError`] that says why there is none. A command
/// without acknowledgement ends once it is on its way.
#[must_use = "a call is only sent when it is awaited"]
pub struct ActorCall<A: Actor, R, E> {
    target: Aid,
    message: A::Message,
    timeout: Option<Duration>,
    reader: Reader<A, R, E>,
}

/// How the caller reads what comes back.
pub(crate) struct Reader<A: Actor, R, E> {
    /// From this process.
    take: Take<A, R, E>,
    /// From another.
    read: Read<R, E>,
}

type Take<A, R, E> = fn(<A as Actor>::Reply) -> Option<Result<R, E>>;
type Read<R, E> = fn(Outcome) -> Result<Result<R, E>, SendError>;
/// What a call comes to, if the command ran to its end.
pub(crate) type Ran<R, E> = Result<Result<R, E>, SendError>;

impl<A: Actor, R: 'static, E: 'static> ActorCall<A, R, E> {
    /// For the expansion of `#[pulsar::actor]`.
    #[doc(hidden)]
    pub fn portable(proxy: &RawProxy, message: A::Message, take: Take<A, R, E>) -> Self
    where
        R: Portable,
        E: Portable,
    {
        Self::new(proxy, message, take, read::<R, E>)
    }

    /// For the expansion of `#[pulsar::actor(local)]`.
    #[doc(hidden)]
    pub fn local(proxy: &RawProxy, message: A::Message, take: Take<A, R, E>) -> Self {
        Self::new(proxy, message, take, |outcome| match outcome {
            Outcome::Undelivered(error) => Err(error),
            Outcome::Reply(_) | Outcome::Failure(_) => Err(local_only()),
        })
    }

    fn new(proxy: &RawProxy, message: A::Message, take: Take<A, R, E>, read: Read<R, E>) -> Self {
        Self {
            target: proxy.aid(),
            message,
            timeout: None,
            reader: Reader { take, read },
        }
    }

    /// Waits no longer than this for the reply, nor for room in the mailbox; of a second or more, 20 ms longer at most.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it now, without waiting for anything; gives what will be its reply.
    ///
    /// # Errors
    ///
    /// The call, unsent, with the reason: above all [`SendError::MailboxFull`], which is also what
    /// is said while the way to the target is still being made. It can be tried again, or awaited.
    ///
    /// An actor may send to itself so. Awaited within the actor's own turn, the reply is
    /// [`SendError::WouldDeadlock`]; the command is run all the same.
    pub fn try_send(self) -> Result<Sent<R, E>, Unsent<Self>> {
        let (reader, limit) = (self.reader, self.timeout);
        match try_ask::<A>(&Target::Aid(self.target), self.message, limit) {
            Ok((asked, after, deadline)) => Ok(Sent::new(async move {
                let is_held_back = asked.is_held_back();
                result(after_try_send(is_held_back, after, deadline, asked.ran(reader)).await)
            })),
            Err((error, message)) => {
                let call = Self { message, ..self };
                Err(Unsent { call, error })
            }
        }
    }
}

impl<A: Actor, R, E> Reader<A, R, E> {
    /// What an actor of another process has given.
    pub(crate) fn read(self, outcome: Outcome) -> Ran<R, E> {
        (self.read)(outcome)
    }

    /// What an actor of this process has given.
    pub(crate) fn take(self, reply: A::Reply) -> Ran<R, E> {
        (self.take)(reply).ok_or_else(|| SendError::codec("the reply is another command's"))
    }
}

impl<A: Actor, R, E> Clone for Reader<A, R, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Actor, R, E> Copy for Reader<A, R, E> {}

impl<A: Actor, R: Send + 'static, E: Send + 'static> IntoFuture for ActorCall<A, R, E> {
    type Output = Result<R, CallError<E>>;
    type IntoFuture = Asking<A, R, E>;

    fn into_future(self) -> Asking<A, R, E> {
        Asking::new(self.target, self.message, self.timeout, self.reader)
    }
}

/// Takes a message to an actor in another process, however long that takes.
pub(crate) async fn elsewhere<A: Actor, R: Send + 'static, E: Send + 'static>(
    system: &'static Arc<dyn System>,
    target: Target,
    parcel: Parcel,
    limit: Duration,
    reader: Reader<A, R, E>,
) -> Result<Arrived<A, R, E>, SendError> {
    let deadline = Instant::now() + limit;
    let ran = async {
        let (asked, _) = send(system, &target, &parcel, deadline).await?;
        ran(asked, reader).await
    };
    bounded(limit, ran).await.map(Arrived::Ran)
}

pub(crate) fn result<R, E>(ran: Ran<R, E>) -> Result<R, CallError<E>> {
    ran?.map_err(CallError::Command)
}

fn read<R: Portable, E: Portable>(outcome: Outcome) -> Ran<R, E> {
    match outcome {
        Outcome::Reply(reply) => Ok(Ok(reply.take()?)),
        Outcome::Failure(error) => Ok(Err(error.take()?)),
        Outcome::Undelivered(error) => Err(error),
    }
}

/// What a command of an actor in another process comes to.
async fn ran<A: Actor, R: 'static, E>(asked: Asked, reader: Reader<A, R, E>) -> Ran<R, E> {
    match asked {
        Asked::Nothing => nothing().map(Ok),
        asked => reader.read(asked.outcome().await?),
    }
}

/// The reply of a command without acknowledgement, which is `()`.
pub(crate) fn nothing<R: 'static>() -> Result<R, SendError> {
    let nothing: Box<dyn Any> = Box::new(());
    let nothing = nothing.downcast().map(|nothing| *nothing);
    nothing.map_err(|_| SendError::codec("the command has a reply, and nobody waits for it"))
}

/// Has an actor of this process run a message at once, if it is idle on this thread; or puts it into its mailbox, or has it
/// wait for room there. The task is woken by the reply.
pub(crate) fn put<A: Actor, R: Send + 'static, E: Send + 'static>(
    cx: Context,
    message: &mut Option<A::Message>,
    limit: Option<Duration>,
    task: &mut Task<'_>,
) -> Result<Begun<A, R, E>, SendError> {
    let known = message.as_ref().ok_or_else(has_ended)?;
    let messages = messages::<A>(&cx, known)?;
    let acked = method::<A>(known).ack;
    refuse_deadlock(&cx, acked)?;
    let sender = current_aid();
    // As often as its task may go on by the runtime's rules for what is always ready: then it takes its turn with others.
    if acked
        && !method::<A>(known).awaits
        && let Poll::Ready(budget) = poll_proceed(task)
        && let Some((reply, held)) = ask_if_idle(&cx, messages, message, sender)
    {
        budget.made_progress();
        return Ok(match held {
            false => Begun::Ran(reply?),
            true => Begun::RanLong(Box::new(reply?)),
        });
    }
    let reply = ticket(&cx, messages, acked, Some(task.waker()))?;
    if !messages.put_at_once(message, reply, sender) {
        let direct = Direct {
            message: message.take().ok_or_else(has_ended)?,
            caller: reply,
            sender,
        };
        return put_slowly(cx, direct, reply, limit);
    }
    Ok(match reply {
        Some(ticket) => Begun::Owed(Owed::new(cx, ticket)),
        None => Begun::Told,
    })
}

/// The same where there may be no room.
#[cold]
fn put_slowly<A: Actor, R: Send + 'static, E: Send + 'static>(
    cx: Context,
    direct: Direct<A>,
    reply: Option<Ticket>,
    limit: Option<Duration>,
) -> Result<Begun<A, R, E>, SendError> {
    let messages = messages::<A>(&cx, &direct.message)?;
    let settled = match messages.try_put_direct(direct) {
        Posted::Full(direct) if messages.queue.overflow() == Overflow::Wait => {
            let limit = within(&*cx.cell.system, limit);
            let owed = reply.map(|ticket| Owed::new(cx.clone(), ticket));
            let way = into_room(cx, direct, owed, limit);
            return Ok(Begun::OnItsWay(Box::pin(way)));
        }
        posted => settle(&cx, posted),
    };
    let owed = reply.map(|ticket| Owed::new(cx, ticket));
    settled.map_err(|(_, error)| error)?;
    Ok(owed.map_or(Begun::Told, Begun::Owed))
}

/// Puts a message that nobody waits for into the mailbox of an actor of this process, if that is all that there is to it; the
/// message stays where it is otherwise.
pub(crate) fn tell<A: Actor>(cell: &Cell, message: &mut Option<A::Message>) -> bool {
    let messages = cell.mailbox.of_type::<A>();
    messages.is_some_and(|messages| messages.put_at_once(message, None, current_aid()))
}

/// Puts a message into a mailbox as soon as there is room.
async fn into_room<A: Actor, R: 'static, E>(
    cx: Context,
    direct: Direct<A>,
    owed: Option<Owed<A>>,
    limit: Duration,
) -> Result<Arrived<A, R, E>, SendError> {
    let deadline = Instant::now() + limit;
    bounded(limit, wait_for_room(&cx, direct)).await?;
    Ok(match owed {
        Some(owed) => Arrived::Owed(owed.until(deadline)),
        None => Arrived::Ran(Ok(nothing()?)),
    })
}

async fn wait_for_room<A: Actor>(cx: &Context, direct: Direct<A>) -> Result<(), SendError> {
    let messages = messages::<A>(cx, &direct.message)?;
    let posted = tokio::select! {
        biased;
        posted = messages.put_direct(direct) => posted,
        () = cx.cell.gone.cancelled() => return Err(died(cx)),
    };
    settle(cx, posted).map_err(|(_, error)| error)
}

fn try_put<A: Actor>(
    cx: Context,
    message: A::Message,
    deadline: Instant,
) -> Result<TypedAsk<A>, (SendError, A::Message)> {
    let messages = match messages::<A>(&cx, &message) {
        Ok(messages) => messages,
        Err(error) => return Err((error, message)),
    };
    let reply = match ticket(&cx, messages, method::<A>(&message).ack, None) {
        Ok(reply) => reply,
        Err(error) => return Err((error, message)),
    };
    let direct = Direct {
        message,
        caller: reply,
        sender: current_aid(),
    };
    let settled = settle(&cx, messages.try_put_direct(direct));
    let owed = reply.map(|ticket| Owed::new(cx, ticket).until(deadline));
    match settled {
        Ok(()) => Ok(TypedAsk::Local(owed)),
        Err((direct, error)) => Err((error, direct.message)),
    }
}

/// A ticket for a message that is about to be put into the mailbox, if its reply is waited for; `caller` is woken by that.
fn ticket<A: Actor>(
    cx: &Context,
    messages: &Messages<A>,
    acked: bool,
    caller: Option<&Waker>,
) -> Result<Option<Ticket>, SendError> {
    let open = || messages.replies.open(caller).ok_or_else(|| died(cx));
    acked.then(open).transpose()
}

/// What a call is told that has no message any more.
pub(crate) fn has_ended() -> SendError {
    SendError::codec("the call has ended")
}

/// Where a message waits.
///
/// # Errors
///
/// [`SendError::UnknownCommand`] if the actor is no `A`.
fn messages<'a, A: Actor>(
    cx: &'a Context,
    message: &A::Message,
) -> Result<&'a Messages<A>, SendError> {
    cx.cell.mailbox.of_type::<A>().ok_or_else(|| {
        let name = ActorKind::of::<A>().wire_name(method::<A>(message));
        let other_type = ActorKind::no_such_type(&name);
        other_type.unwrap_or_else(|| SendError::codec("the mailbox is of another type"))
    })
}

pub(crate) fn method<A: Actor>(message: &A::Message) -> &'static Method {
    &A::METHODS[A::index(message)]
}

/// Sends a message to another process at once, if it can be; the number of the ask, or 0 if nobody waits for its reply. If it
/// cannot, the message as it goes the long way.
///
/// # Errors
///
/// [`SendError::Codec`] if it cannot be written.
pub(crate) fn send_at_once<A: Actor>(
    link: &Link,
    target: Aid,
    message: &A::Message,
    within: Duration,
    caller: Option<&Waker>,
) -> Result<Result<u64, Parcel>, SendError> {
    let mut draft = drafted::<A>(message)?;
    let by = By::who_waits(method::<A>(message).ack, caller);
    match link.send_draft(target, &mut draft, within, by) {
        Some(request) => Ok(Ok(request)),
        None => parcel_of::<A>(message, draft).map(Err),
    }
}

pub(crate) fn parcel<A: Actor>(message: &A::Message) -> Result<Parcel, SendError> {
    let draft = drafted::<A>(message)?;
    parcel_of::<A>(message, draft)
}

/// The message's name, and the message behind it.
fn drafted<A: Actor>(message: &A::Message) -> Result<Draft, SendError> {
    let named = |lead: &Bytes| Draft::of_command(lead, NATIVE);
    let mut draft = with_lead(ActorKind::of::<A>(), method::<A>(message), named)?;
    A::write_message(message, &mut draft)?;
    Ok(draft)
}

fn parcel_of<A: Actor>(message: &A::Message, draft: Draft) -> Result<Parcel, SendError> {
    let method = method::<A>(message);
    Ok(Parcel {
        command: with_lead(ActorKind::of::<A>(), method, Bytes::clone)?,
        codec: NATIVE,
        args: draft.into_args(),
        ack: method.ack,
        builtin: false,
    })
}

/// A message of an actor's own that has been sent without waiting.
enum TypedAsk<A: Actor> {
    /// Into a mailbox of this process; `None` if nobody waits for a reply.
    Local(Option<Owed<A>>),
    Link(Asked),
}

impl<A: Actor> TypedAsk<A> {
    /// True where whoever waits for it here would wait for ever.
    fn is_held_back(&self) -> bool {
        matches!(self, Self::Local(Some(owed)) if owed.is_held_back())
    }

    async fn ran<R: 'static, E>(self, reader: Reader<A, R, E>) -> Ran<R, E> {
        match self {
            Self::Local(Some(owed)) => reader.take(owed.await?),
            Self::Local(None) => nothing().map(Ok),
            Self::Link(asked) => ran(asked, reader).await,
        }
    }
}

/// A message that has been sent, how long it may take, and until when.
type Tried<A> = (TypedAsk<A>, Duration, Instant);

fn try_ask<A: Actor>(
    target: &Target,
    message: A::Message,
    limit: Option<Duration>,
) -> Result<Tried<A>, (SendError, A::Message)> {
    let (system, limit, deadline) = match begin(limit) {
        Ok(begun) => begun,
        Err(error) => return Err((error, message)),
    };
    let asked = match system.try_route(target) {
        Ok(Route::Local(cx)) => try_put::<A>(cx, message, deadline)?,
        Ok(Route::Link(link, aid)) => {
            let sent =
                parcel::<A>(&message).and_then(|parcel| try_send(&link, aid, &parcel, deadline));
            TypedAsk::Link(sent.map_err(|error| (error, message))?)
        }
        Err(error) => return Err((error, message)),
    };
    Ok((asked, limit, deadline))
}
