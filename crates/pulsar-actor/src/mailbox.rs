//! An actor's inbox: bounded, first in first out.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use pulsar_link::Body;
use pulsar_link::payload::{Outcome, Payload};
use pulsar_mailbox::{MailboxStats, Put, Queue, ReplyTo};
use pulsar_wire::{Aid, Codec, Kind};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::actor::{Actor, ActorKind, Method};
use crate::command::CommandDef;
use crate::{Cause, Context, DeadReason, MailboxInfo, Overflow, SendError, State};

/// Messages that may wait in a mailbox unless the spawner says otherwise.
pub const DEFAULT_CAPACITY: usize = 1024;
/// Built-in commands that may wait. The loop looks at them whenever a command awaits, and after
/// each that held it for long: so this only fills when one command holds it without awaiting.
const BUILTIN_CAPACITY: usize = 256;

/// A command on its way to an actor, its types erased: a free command, or one that came from
/// another process or a tool.
#[derive(Debug)]
pub struct Envelope {
    /// What is to be run.
    pub command: Named,
    /// Its arguments.
    pub args: Payload,
    /// Where its outcome goes.
    pub reply: ReplyTo,
    /// Not run after this, if it is acknowledged.
    pub deadline: Option<Instant>,
    /// Who sent it, as far as this process can tell by itself.
    pub sender: Option<Aid>,
}

impl Envelope {
    /// As [`Post::is_expired`].
    pub(crate) fn is_expired(&self) -> bool {
        self.command.ack() && is_past(self.deadline)
    }
}

fn is_past(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}

/// A command, as the process of its target knows it.
#[derive(Clone, Copy, Debug)]
pub enum Named {
    /// One of the program's.
    Free(&'static CommandDef),
    /// One of the target's own.
    Own {
        /// What is known of it.
        method: &'static Method,
        /// Its place among them.
        index: usize,
    },
}

impl Named {
    pub(crate) fn name(self) -> &'static str {
        self.label()
    }

    /// The name, where it lies for ever.
    pub(crate) fn label(self) -> &'static &'static str {
        match self {
            Self::Free(command) => &command.signature.name,
            Self::Own { method, .. } => &method.signature.name,
        }
    }

    pub(crate) fn is_builtin(self) -> bool {
        matches!(self, Self::Free(command) if command.builtin)
    }

    pub(crate) fn ack(self) -> bool {
        match self {
            Self::Free(command) => command.ack,
            Self::Own { method, .. } => method.ack,
        }
    }

    /// Writes an outcome for another process. Those of an actor's own commands are written
    /// already: only the actor's type knows how.
    pub(crate) fn encode(self, outcome: Outcome, codec: Codec) -> Result<(Kind, Body), SendError> {
        match (outcome, self) {
            (Outcome::Undelivered(error), _) => Err(error),
            (Outcome::Reply(value), Self::Free(command)) => {
                Ok((Kind::Reply, (command.encode_reply)(&value, codec)?))
            }
            (Outcome::Failure(value), Self::Free(command)) => {
                Ok((Kind::Failure, (command.encode_error)(&value, codec)?))
            }
            (Outcome::Reply(value), Self::Own { .. }) => Ok((Kind::Reply, written(value)?)),
            (Outcome::Failure(value), Self::Own { .. }) => Ok((Kind::Failure, written(value)?)),
        }
    }
}

fn written(value: Payload) -> Result<Body, SendError> {
    match value {
        Payload::Wire(_, body) => Ok(body),
        Payload::Local(_) => Err(SendError::codec("the reply was not written")),
    }
}

/// A command of an actor's own from its own process, with its types.
pub(crate) struct Direct<A: Actor> {
    pub(crate) message: A::Message,
    /// `None` if nobody waits. Dropped unused it tells its caller, who asks the actor why.
    pub(crate) reply: Option<oneshot::Sender<Result<A::Reply, SendError>>>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) sender: Option<Aid>,
}

/// What waits in the mailbox of an `A`.
pub(crate) enum Post<A: Actor> {
    Direct(Direct<A>),
    General(Envelope),
    /// The actor's own periodic task is due. Dropped when it has run, or will not.
    PeriodicTask(oneshot::Sender<()>),
}

impl<A: Actor> Post<A> {
    /// True if it came too late to be run. Where nobody waits for the reply, its time bounds the
    /// putting only: what was taken is run.
    pub(crate) fn is_expired(&self) -> bool {
        let (ack, deadline) = match self {
            Self::Direct(direct) => (direct.reply.is_some(), direct.deadline),
            Self::General(envelope) => return envelope.is_expired(),
            Self::PeriodicTask(_) => return false,
        };
        ack && is_past(deadline)
    }

    /// The message that is not run; `None` if it is nobody's.
    pub(crate) fn into_unrun(self) -> Option<Unrun> {
        match self {
            Self::Direct(direct) => Some(direct.into()),
            Self::General(envelope) => Some(envelope.into()),
            Self::PeriodicTask(_) => None,
        }
    }
}

/// A message that is not run.
pub struct Unrun {
    pub(crate) command: &'static str,
    pub(crate) sender: Option<Aid>,
    /// Tells its sender.
    pub(crate) refuse: Box<dyn FnOnce(SendError) + Send>,
}

impl From<Envelope> for Unrun {
    fn from(envelope: Envelope) -> Self {
        Self {
            command: envelope.command.name(),
            sender: envelope.sender,
            refuse: Box::new(|error| envelope.reply.refuse(error)),
        }
    }
}

impl<A: Actor> From<Direct<A>> for Unrun {
    fn from(direct: Direct<A>) -> Self {
        Self {
            command: A::METHODS[A::index(&direct.message)].signature.name,
            sender: direct.sender,
            refuse: Box::new(|error| {
                if let Some(caller) = direct.reply {
                    // It may have given up.
                    drop(caller.send(Err(error)));
                }
            }),
        }
    }
}

/// What became of a message that was put into a mailbox.
pub enum Posted<M> {
    /// It waits for its turn.
    Taken,
    /// It was taken, and this one dropped for it.
    TakenFor(Unrun),
    /// There is no room for it.
    Full(M),
    /// Nothing is taken any more.
    Closed(M),
}

impl<M> Posted<M> {
    /// `back` takes the message out of its post again.
    fn of<A: Actor>(put: Put<Post<A>>, back: fn(Post<A>) -> Option<M>) -> Self {
        match put {
            Put::Taken => Self::Taken,
            Put::TakenFor(oldest) => oldest.into_unrun().map_or(Self::Taken, Self::TakenFor),
            Put::Full(post) => back(post).map_or(Self::Taken, Self::Full),
            Put::Closed(post) => back(post).map_or(Self::Taken, Self::Closed),
        }
    }
}

/// A message that waits for room.
type Putting<'a> = Pin<Box<dyn Future<Output = Posted<Envelope>> + Send + 'a>>;

/// The messages of an actor of whatever type.
pub trait Inbox: Any + Send + Sync {
    /// How many may wait.
    fn capacity(&self) -> usize;
    /// How many wait.
    fn depth(&self) -> usize;
    /// What happens to one that finds no room.
    fn overflow(&self) -> Overflow;
    /// Puts a message in now, or not at all.
    fn try_put(&self, envelope: Envelope) -> Posted<Envelope>;
    /// Puts a message in, under [`Overflow::Wait`] as soon as there is room.
    fn put(&self, envelope: Envelope) -> Putting<'_>;
    /// Has the actor's own periodic task take its turn, and waits until it has run or will not.
    fn periodic_task(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
    /// Takes nothing more.
    fn close(&self);
    /// All that waits.
    fn drain(&self) -> Vec<Unrun>;
}

impl<A: Actor> Inbox for Queue<Post<A>> {
    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn depth(&self) -> usize {
        self.depth()
    }

    fn overflow(&self) -> Overflow {
        self.overflow()
    }

    fn try_put(&self, envelope: Envelope) -> Posted<Envelope> {
        Posted::of(self.try_put(Post::General(envelope)), general)
    }

    fn put(&self, envelope: Envelope) -> Putting<'_> {
        let put = self.put(Post::General(envelope));
        Box::pin(async { Posted::of(put.await, general) })
    }

    fn periodic_task(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let (ended, has_ended) = oneshot::channel();
            // Not taken: the mailbox has no room for it or is closed. Then it is left out.
            drop(self.put(Post::PeriodicTask(ended)).await);
            drop(has_ended.await);
        })
    }

    fn close(&self) {
        self.close();
    }

    fn drain(&self) -> Vec<Unrun> {
        let all = self.drain().into_iter();
        all.filter_map(Post::into_unrun).collect()
    }
}

fn general<A: Actor>(post: Post<A>) -> Option<Envelope> {
    match post {
        Post::General(envelope) => Some(envelope),
        Post::Direct(_) | Post::PeriodicTask(_) => None,
    }
}

fn direct<A: Actor>(post: Post<A>) -> Option<Direct<A>> {
    match post {
        Post::Direct(direct) => Some(direct),
        Post::General(_) | Post::PeriodicTask(_) => None,
    }
}

/// Puts a message of an actor's own in, as [`Inbox::put`] does.
pub(crate) async fn put_direct<A: Actor>(
    queue: &Queue<Post<A>>,
    message: Direct<A>,
) -> Posted<Direct<A>> {
    Posted::of(queue.put(Post::Direct(message)).await, direct)
}

/// Puts a message of an actor's own in now, or not at all.
pub(crate) fn try_put_direct<A: Actor>(
    queue: &Queue<Post<A>>,
    message: Direct<A>,
) -> Posted<Direct<A>> {
    Posted::of(queue.try_put(Post::Direct(message)), direct)
}

/// An actor's mailbox, as its senders and the actor itself hold it. Built-in commands have a
/// queue of their own, so that they are answered while a command of the user's awaits.
#[derive(Clone)]
pub struct Mailbox(Arc<Queues>);

struct Queues {
    builtins: Queue<Envelope>,
    messages: Arc<dyn Inbox>,
    stats: MailboxStats,
}

impl Mailbox {
    /// An empty mailbox of an actor of this kind.
    pub fn new(kind: &ActorKind, capacity: usize, overflow: Overflow) -> Self {
        Self(Arc::new(Queues {
            builtins: Queue::new(BUILTIN_CAPACITY, Overflow::Wait),
            messages: (kind.inbox)(capacity, overflow),
            stats: MailboxStats::default(),
        }))
    }

    /// The built-in commands that wait.
    pub fn builtins(&self) -> &Queue<Envelope> {
        &self.0.builtins
    }

    /// The user's commands that wait.
    pub fn messages(&self) -> &dyn Inbox {
        &*self.0.messages
    }

    /// The same, with its types; `None` if the actor is no `A`.
    pub(crate) fn of_type<A: Actor>(&self) -> Option<Arc<Queue<Post<A>>>> {
        let messages: Arc<dyn Any + Send + Sync> = Arc::<dyn Inbox>::clone(&self.0.messages);
        messages.downcast().ok()
    }

    /// Puts a message in, waiting for room where the policy says so.
    ///
    /// # Cancel safety
    ///
    /// A message whose sender gives up while it waits is not put in.
    pub async fn put(&self, envelope: Envelope) -> Posted<Envelope> {
        if envelope.command.is_builtin() {
            return builtin(self.0.builtins.put(envelope).await);
        }
        // While anybody waits for room there is none for others: this overtakes nobody.
        match self.0.messages.try_put(envelope) {
            Posted::Full(envelope) => self.0.messages.put(envelope).await,
            posted => posted,
        }
    }

    /// Puts a message in now, or not at all.
    pub fn try_put(&self, envelope: Envelope) -> Posted<Envelope> {
        match envelope.command.is_builtin() {
            true => builtin(self.0.builtins.try_put(envelope)),
            false => self.0.messages.try_put(envelope),
        }
    }

    pub(crate) fn stats(&self) -> &MailboxStats {
        &self.0.stats
    }

    /// What waits, and what has come and gone.
    pub fn info(&self) -> MailboxInfo {
        let messages = &self.0.messages;
        self.0.stats.info(messages.depth(), messages.capacity())
    }
}

/// The built-ins' queue drops none for another: its policy is to wait.
fn builtin(put: Put<Envelope>) -> Posted<Envelope> {
    match put {
        Put::Taken => Posted::Taken,
        Put::TakenFor(oldest) => Posted::TakenFor(oldest.into()),
        Put::Full(envelope) => Posted::Full(envelope),
        Put::Closed(envelope) => Posted::Closed(envelope),
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({:?})", self.info())
    }
}

/// What became of a message that was put into a mailbox. One that was not taken is given back,
/// with the error that is its only answer.
pub fn settle<M>(cx: &Context, posted: Posted<M>) -> Result<(), (M, SendError)> {
    let capacity = cx.cell.mailbox.messages().capacity();
    match posted {
        Posted::Taken => Ok(()),
        Posted::TakenFor(oldest) => {
            cx.dead_letter(oldest, DeadReason::DroppedForNewer { capacity });
            Ok(())
        }
        Posted::Full(refused) => Err((refused, SendError::MailboxFull { capacity })),
        Posted::Closed(refused) => Err((refused, died(cx))),
    }
}

/// What a message ends with whose actor has closed its mailbox.
pub fn died(cx: &Context) -> SendError {
    let cause = cx.cell.cause.get().cloned();
    let cause = cause.unwrap_or_else(|| match cx.state() {
        // It takes no more messages and will end so.
        State::Stopping => Cause::Stopped,
        _ => Cause::Unknown,
    });
    SendError::ActorDied { cause }
}
