//! Commands of an actor's own on their way: from a method call to its reply.

use std::any::Any;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pulsar_link::payload::{NATIVE, Outcome};
use pulsar_mailbox::Queue;
use pulsar_model::RawProxy;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::actor::{Actor, ActorKind, Method, Portable, local_only};
use crate::ask::{
    Asked, Parcel, after_try_send, answer_of, begin, bounded, refuse_deadlock, send, try_send,
};
use crate::context::Context;
use crate::current::{get_actor, holds_back};
use crate::mailbox::{Direct, Post, died, put_direct, settle, try_put_direct};
use crate::system::Route;
use crate::try_send::{Sent, Unsent};
use crate::{CallError, SendError, Target};

/// A command of an `A`'s own that is to be sent; methods on [`Proxy`](crate::Proxy) make it.
///
/// Awaiting it sends it and gives the reply. It ends within its timeout, by default 30 s, with
/// the reply, the command's own error, or one [`SendError`] that says why there is none. A command
/// without acknowledgement ends once it is on its way.
#[must_use = "a call is only sent when it is awaited"]
pub struct ActorCall<A: Actor, R, E> {
    target: Target,
    message: A::Message,
    timeout: Option<Duration>,
    reader: Reader<A, R, E>,
}

/// How the caller reads what comes back.
struct Reader<A: Actor, R, E> {
    /// From this process.
    take: Take<A, R, E>,
    /// From another.
    read: Read<R, E>,
}

type Take<A, R, E> = fn(<A as Actor>::Reply) -> Option<Result<R, E>>;
type Read<R, E> = fn(Outcome) -> Result<Result<R, E>, SendError>;
/// What a call comes to, if the command ran to its end.
type Ran<R, E> = Result<Result<R, E>, SendError>;

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
            target: Target::Aid(proxy.aid()),
            message,
            timeout: None,
            reader: Reader { take, read },
        }
    }

    /// Waits no longer than this for the reply, nor for room in the mailbox.
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
        match try_ask::<A>(&self.target, self.message, limit) {
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

impl<A: Actor, R, E> Clone for Reader<A, R, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Actor, R, E> Copy for Reader<A, R, E> {}

impl<A: Actor, R: Send + 'static, E: Send + 'static> IntoFuture for ActorCall<A, R, E> {
    type Output = Result<R, CallError<E>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { result(self.ran().await) })
    }
}

impl<A: Actor, R: 'static, E: 'static> ActorCall<A, R, E> {
    async fn ran(self) -> Ran<R, E> {
        let (system, limit, deadline) = begin(self.timeout)?;
        let ran = async {
            let asked = match system.known(&self.target)? {
                Some(Route::Local(cx)) => put::<A>(&cx, self.message, deadline).await?,
                Some(Route::Link(..)) | None => {
                    let parcel = parcel::<A>(&self.message)?;
                    TypedAsk::Link(send(&system, &self.target, &parcel, deadline).await?.0)
                }
            };
            asked.ran(self.reader).await
        };
        bounded(limit, ran).await
    }
}

fn result<R, E>(ran: Ran<R, E>) -> Result<R, CallError<E>> {
    ran?.map_err(CallError::Command)
}

fn read<R: Portable, E: Portable>(outcome: Outcome) -> Ran<R, E> {
    match outcome {
        Outcome::Reply(reply) => Ok(Ok(reply.take()?)),
        Outcome::Failure(error) => Ok(Err(error.take()?)),
        Outcome::Undelivered(error) => Err(error),
    }
}

/// A message of an actor's own that has been sent.
enum TypedAsk<A: Actor> {
    Local {
        /// `None` if nobody waits for one.
        answer: Option<oneshot::Receiver<Result<A::Reply, SendError>>>,
        cx: Context,
    },
    Link(Asked),
}

impl<A: Actor> TypedAsk<A> {
    /// True where whoever waits for it here would wait for ever.
    fn is_held_back(&self) -> bool {
        matches!(self, Self::Local { answer: Some(_), cx } if holds_back(cx.aid()))
    }

    async fn ran<R: 'static, E>(self, reader: Reader<A, R, E>) -> Ran<R, E> {
        match self {
            Self::Local {
                answer: Some(answer),
                cx,
            } => {
                let reply = answer_of(&cx, answer).await??;
                let ran = (reader.take)(reply);
                ran.ok_or_else(|| SendError::codec("the reply is another command's"))
            }
            Self::Local { answer: None, .. } | Self::Link(Asked::Nothing) => nothing().map(Ok),
            Self::Link(asked) => (reader.read)(asked.outcome().await?),
        }
    }
}

/// The reply of a command without acknowledgement, which is `()`.
fn nothing<R: 'static>() -> Result<R, SendError> {
    let nothing: Box<dyn Any> = Box::new(());
    let nothing = nothing.downcast().map(|nothing| *nothing);
    nothing.map_err(|_| SendError::codec("the command has a reply, and nobody waits for it"))
}

async fn put<A: Actor>(
    cx: &Context,
    message: A::Message,
    deadline: Instant,
) -> Result<TypedAsk<A>, SendError> {
    let queue = queue::<A>(cx, &message)?;
    let method = method::<A>(&message);
    refuse_deadlock(cx, method.ack)?;
    let (direct, asked) = addressed::<A>(cx, message, deadline);
    let posted = tokio::select! {
        biased;
        posted = put_direct(&queue, direct) => posted,
        () = cx.cell.gone.cancelled() => return Err(died(cx)),
    };
    match settle(cx, posted) {
        Ok(()) => Ok(asked),
        Err((_, error)) => Err(error),
    }
}

fn try_put<A: Actor>(
    cx: &Context,
    message: A::Message,
    deadline: Instant,
) -> Result<TypedAsk<A>, (SendError, A::Message)> {
    let queue = match queue::<A>(cx, &message) {
        Ok(queue) => queue,
        Err(error) => return Err((error, message)),
    };
    let (direct, asked) = addressed::<A>(cx, message, deadline);
    match settle(cx, try_put_direct(&queue, direct)) {
        Ok(()) => Ok(asked),
        Err((direct, error)) => Err((error, direct.message)),
    }
}

/// Where a message waits.
///
/// # Errors
///
/// [`SendError::UnknownCommand`] if the actor is no `A`.
fn queue<A: Actor>(cx: &Context, message: &A::Message) -> Result<Arc<Queue<Post<A>>>, SendError> {
    let queue = cx.cell.mailbox.of_type::<A>();
    queue.ok_or_else(|| {
        let name = ActorKind::of::<A>().wire_name(method::<A>(message));
        let other_type = ActorKind::no_such_type(&name);
        other_type.unwrap_or_else(|| SendError::codec("the mailbox is of another type"))
    })
}

fn method<A: Actor>(message: &A::Message) -> &'static Method {
    &A::METHODS[A::index(message)]
}

fn addressed<A: Actor>(
    cx: &Context,
    message: A::Message,
    deadline: Instant,
) -> (Direct<A>, TypedAsk<A>) {
    let (reply, answer) = match method::<A>(&message).ack {
        true => {
            let (reply, answer) = oneshot::channel();
            (Some(reply), Some(answer))
        }
        false => (None, None),
    };
    let direct = Direct {
        message,
        reply,
        deadline: Some(deadline),
        sender: get_actor().map(|cx| cx.aid()),
    };
    let cx = cx.clone();
    (direct, TypedAsk::Local { answer, cx })
}

fn parcel<A: Actor>(message: &A::Message) -> Result<Parcel, SendError> {
    let method = method::<A>(message);
    Ok(Parcel {
        command: ActorKind::of::<A>().wire_name(method).into(),
        codec: NATIVE,
        args: A::write_message(message, NATIVE)?,
        ack: method.ack,
        builtin: false,
    })
}

/// A message that has been sent, how long it may take, and until when.
type Begun<A> = (TypedAsk<A>, Duration, Instant);

fn try_ask<A: Actor>(
    target: &Target,
    message: A::Message,
    limit: Option<Duration>,
) -> Result<Begun<A>, (SendError, A::Message)> {
    let (system, limit, deadline) = match begin(limit) {
        Ok(begun) => begun,
        Err(error) => return Err((error, message)),
    };
    let asked = match system.try_route(target) {
        Ok(Route::Local(cx)) => try_put::<A>(&cx, message, deadline)?,
        Ok(Route::Link(link, aid)) => {
            let sent =
                parcel::<A>(&message).and_then(|parcel| try_send(&link, aid, &parcel, deadline));
            TypedAsk::Link(sent.map_err(|error| (error, message))?)
        }
        Err(error) => return Err((error, message)),
    };
    Ok((asked, limit, deadline))
}
