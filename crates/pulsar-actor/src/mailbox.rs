//! An actor's inbox: bounded, first in first out.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use pulsar_link::payload::{Outcome, Payload};
use pulsar_link::{Body, Intake, Link};
use pulsar_loop::runtime::{Lending, Replies, Ticket};
use pulsar_mailbox::{Deadline, MailboxStats, Put, Queue, ReplyTo};
use pulsar_wire::{Aid, Codec, FrameView, Kind};
use tokio::sync::oneshot;

use crate::actor::{Actor, ActorKind, Method};
use crate::command::CommandDef;
use crate::context::Cell;
use crate::idle::Idle;
use crate::taking_in::take_in;
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
    pub deadline: Option<Deadline>,
    /// Who sent it, as far as this process can tell by itself.
    pub sender: Option<Aid>,
}

impl Envelope {
    /// True if it came too late to be run. Where nobody waits for the reply, its time bounds the
    /// putting only: what was taken is run.
    pub(crate) fn is_expired(&self) -> bool {
        let deadline = self.deadline.filter(|_| self.command.ack());
        deadline.is_some_and(Deadline::is_past)
    }
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
    #[inline]
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

    /// Whether it may await. Free commands do.
    pub(crate) fn awaits(self) -> bool {
        match self {
            Self::Free(_) => true,
            Self::Own { method, .. } => method.awaits,
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
            (Outcome::Reply(value), Self::Own { .. }) => Ok((Kind::Reply, value.into_written()?)),
            (Outcome::Failure(value), Self::Own { .. }) => {
                Ok((Kind::Failure, value.into_written()?))
            }
        }
    }
}

/// A command of an actor's own, with its types; from this process unless it is said otherwise.
pub(crate) struct Direct<A: Actor, C = Option<Ticket>> {
    pub(crate) message: A::Message,
    pub(crate) caller: C,
    pub(crate) sender: Option<Aid>,
}

/// Who waits for the reply of a command. It is made of what a [`Direct`] says of that.
pub(crate) enum Caller {
    Nobody,
    /// Somebody in this process.
    Here(Ticket),
    /// Somebody in another.
    There(There),
}

/// A caller in another process.
pub(crate) struct There {
    pub(crate) reply: ReplyTo,
    /// Its message is not run after this.
    pub(crate) deadline: Option<Deadline>,
}

impl<A: Actor, C> Direct<A, C> {
    /// What it is.
    pub(crate) fn method(&self) -> &'static Method {
        &A::METHODS[A::index(&self.message)]
    }
}

impl Caller {
    /// True if the message came too late to be run; it was in this mailbox.
    pub(crate) fn is_late<A: Actor>(&self, messages: &Messages<A>) -> bool {
        match self {
            Self::Nobody => false,
            Self::Here(ticket) => messages.replies.is_late(*ticket),
            Self::There(there) => there.deadline.is_some_and(Deadline::is_past),
        }
    }
}

impl From<There> for Caller {
    fn from(there: There) -> Self {
        Self::There(there)
    }
}

impl From<Option<Ticket>> for Caller {
    fn from(ticket: Option<Ticket>) -> Self {
        ticket.map_or(Self::Nobody, Self::Here)
    }
}

/// What waits in the mailbox of an `A`.
pub(crate) enum Post<A: Actor> {
    Direct(Direct<A>),
    /// From another process. Boxed, so that the others need no mark of their own beside it.
    There(Box<Direct<A, There>>),
    /// Boxed where it is made, as it is far larger than most messages of an actor's own.
    General(Box<Envelope>),
    /// The actor's own periodic task is due. Dropped when it has run, or will not.
    PeriodicTask(oneshot::Sender<()>),
}

impl<A: Actor> Post<A> {
    /// The message that is not run; `None` if it is nobody's.
    pub(crate) fn into_unrun(self) -> Option<Unrun> {
        match self {
            Self::Direct(direct) => Some(direct.into()),
            Self::There(direct) => Some((*direct).into()),
            Self::General(envelope) => Some(envelope.into()),
            Self::PeriodicTask(_) => None,
        }
    }
}

/// A message that is not run.
pub struct Unrun {
    pub(crate) command: &'static str,
    pub(crate) sender: Option<Aid>,
    caller: Caller,
}

impl Unrun {
    /// One of an actor's own commands.
    pub(crate) fn of(method: &'static Method, sender: Option<Aid>, caller: Caller) -> Self {
        Self {
            command: method.signature.name,
            sender,
            caller,
        }
    }

    /// Tells its sender; `messages` is where it was.
    pub(crate) fn refuse(self, messages: &dyn Inbox, error: SendError) {
        match self.caller {
            Caller::There(there) => there.reply.refuse(error),
            Caller::Here(ticket) => messages.refuse(ticket, error),
            Caller::Nobody => {}
        }
    }
}

impl From<Box<Envelope>> for Unrun {
    fn from(envelope: Box<Envelope>) -> Self {
        Self {
            command: envelope.command.name(),
            sender: envelope.sender,
            caller: Caller::There(There {
                reply: envelope.reply,
                deadline: envelope.deadline,
            }),
        }
    }
}

impl<A: Actor, C: Into<Caller>> From<Direct<A, C>> for Unrun {
    fn from(direct: Direct<A, C>) -> Self {
        Self::of(direct.method(), direct.sender, direct.caller.into())
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
    pub(crate) fn of<A: Actor>(put: Put<Post<A>>, back: fn(Post<A>) -> Option<M>) -> Self {
        match put {
            Put::Taken => Self::Taken,
            Put::TakenFor(oldest) => oldest.into_unrun().map_or(Self::Taken, Self::TakenFor),
            Put::Full(post) => back(post).map_or(Self::Taken, Self::Full),
            Put::Closed(post) => back(post).map_or(Self::Taken, Self::Closed),
        }
    }
}

/// A message that waits for room.
type Putting<'a> = Pin<Box<dyn Future<Output = Posted<Box<Envelope>>> + Send + 'a>>;

/// The messages of an actor of whatever type.
pub trait Inbox: Any + Send + Sync {
    /// How many may wait.
    fn capacity(&self) -> usize;
    /// How many wait.
    fn depth(&self) -> usize;
    /// What happens to one that finds no room.
    fn overflow(&self) -> Overflow;
    /// Puts a message in now, or not at all.
    fn try_put(&self, envelope: Box<Envelope>) -> Posted<Box<Envelope>>;
    /// Takes in a command that came over `link`, and lies still where it was read.
    fn take_in(
        &self,
        cx: &Context,
        link: &Arc<Link>,
        frame: &FrameView<'_>,
        sender: Option<Aid>,
    ) -> Intake;
    /// Puts a message in, under [`Overflow::Wait`] as soon as there is room.
    fn put(&self, envelope: Box<Envelope>) -> Putting<'_>;
    /// Has the actor's own periodic task take its turn, and waits until it has run or will not.
    fn periodic_task(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
    /// Takes nothing more.
    fn close(&self);
    /// All that waits.
    fn drain(&self) -> Vec<Unrun>;
    /// Tells the caller of this ask why its message is not run.
    fn refuse(&self, ticket: Ticket, error: SendError);
    /// Has callers in this process that wait for a reply look at the time.
    fn wake_callers(&self);
    /// The actor is gone: callers in this process that still wait learn that there will be no reply.
    fn answer_no_more(&self);
}

/// The mailbox of an `A` as its own commands see it.
pub(crate) struct Messages<A: Actor> {
    pub(crate) queue: Queue<Post<A>>,
    /// What callers in this process wait for.
    pub(crate) replies: Replies<Result<A::Reply, SendError>>,
    /// The actor's state while it waits for a message.
    pub(crate) idle: Lending<Box<Idle<A>>>,
}

impl<A: Actor> Messages<A> {
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
        Self {
            queue: Queue::new(capacity, overflow),
            replies: Replies::default(),
            idle: Lending::default(),
        }
    }

    /// Puts a message of the actor's own in, as [`Inbox::put`] does.
    pub(crate) async fn put_direct(&self, message: Direct<A>) -> Posted<Direct<A>> {
        Posted::of(self.queue.put(Post::Direct(message)).await, direct)
    }

    /// Puts a message of the actor's own in now, if that is all that there is to it; otherwise it stays where it is, and this is
    /// false.
    #[inline]
    pub(crate) fn put_at_once(
        &self,
        message: &mut Option<A::Message>,
        caller: Option<Ticket>,
        sender: Option<Aid>,
    ) -> bool {
        // Made in its place: a message may be large.
        self.queue.try_put_with(|| {
            let direct = |message| {
                Post::Direct(Direct {
                    message,
                    caller,
                    sender,
                })
            };
            message.take().map(direct)
        })
    }

    /// Puts a message of the actor's own in now, or not at all.
    pub(crate) fn try_put_direct(&self, message: Direct<A>) -> Posted<Direct<A>> {
        Posted::of(self.queue.try_put(Post::Direct(message)), direct)
    }
}

impl<A: Actor> Inbox for Messages<A> {
    fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    fn depth(&self) -> usize {
        self.queue.depth()
    }

    fn overflow(&self) -> Overflow {
        self.queue.overflow()
    }

    fn try_put(&self, envelope: Box<Envelope>) -> Posted<Box<Envelope>> {
        Posted::of(self.queue.try_put(Post::General(envelope)), general)
    }

    fn take_in(
        &self,
        cx: &Context,
        link: &Arc<Link>,
        frame: &FrameView<'_>,
        sender: Option<Aid>,
    ) -> Intake {
        take_in(self, cx, link, frame, sender)
    }

    fn put(&self, envelope: Box<Envelope>) -> Putting<'_> {
        let put = self.queue.put(Post::General(envelope));
        Box::pin(async { Posted::of(put.await, general) })
    }

    fn periodic_task(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let (ended, has_ended) = oneshot::channel();
            // Not taken: the mailbox has no room for it or is closed. Then it is left out.
            drop(self.queue.put(Post::PeriodicTask(ended)).await);
            drop(has_ended.await);
        })
    }

    fn close(&self) {
        self.queue.close();
    }

    fn drain(&self) -> Vec<Unrun> {
        let all = self.queue.drain().into_iter();
        all.filter_map(Post::into_unrun).collect()
    }

    fn refuse(&self, ticket: Ticket, error: SendError) {
        self.replies.give(ticket, Err(error));
    }

    fn wake_callers(&self) {
        self.replies.wake_all();
    }

    fn answer_no_more(&self) {
        self.replies.close();
    }
}

fn general<A: Actor>(post: Post<A>) -> Option<Box<Envelope>> {
    match post {
        Post::General(envelope) => Some(envelope),
        Post::Direct(_) | Post::There(_) | Post::PeriodicTask(_) => None,
    }
}

fn direct<A: Actor>(post: Post<A>) -> Option<Direct<A>> {
    match post {
        Post::Direct(direct) => Some(direct),
        Post::There(_) | Post::General(_) | Post::PeriodicTask(_) => None,
    }
}

pub(crate) fn there<A: Actor>(post: Post<A>) -> Option<Box<Direct<A, There>>> {
    match post {
        Post::There(direct) => Some(direct),
        Post::Direct(_) | Post::General(_) | Post::PeriodicTask(_) => None,
    }
}

/// An actor's mailbox, as its senders and the actor itself hold it. Built-in commands have a
/// queue of their own, so that they are answered while a command of the user's awaits.
#[derive(Clone)]
pub struct Mailbox(Arc<Queues>);

struct Queues {
    builtins: Queue<Box<Envelope>>,
    messages: Box<dyn Inbox>,
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
    pub fn builtins(&self) -> &Queue<Box<Envelope>> {
        &self.0.builtins
    }

    /// The user's commands that wait.
    pub fn messages(&self) -> &dyn Inbox {
        &*self.0.messages
    }

    /// The same, with its types; `None` if the actor is no `A`.
    pub(crate) fn of_type<A: Actor>(&self) -> Option<&Messages<A>> {
        let messages: &dyn Any = &*self.0.messages;
        messages.downcast_ref()
    }

    /// Puts a message in, waiting for room where the policy says so.
    ///
    /// # Cancel safety
    ///
    /// A message whose sender gives up while it waits is not put in.
    pub async fn put(&self, envelope: Box<Envelope>) -> Posted<Box<Envelope>> {
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
    pub fn try_put(&self, envelope: Box<Envelope>) -> Posted<Box<Envelope>> {
        match envelope.command.is_builtin() {
            true => builtin(self.0.builtins.try_put(envelope)),
            false => self.0.messages.try_put(envelope),
        }
    }

    #[inline]
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
fn builtin(put: Put<Box<Envelope>>) -> Posted<Box<Envelope>> {
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
    cx.cell.death()
}

impl Cell {
    pub(crate) fn death(&self) -> SendError {
        let cause = self.cause.get().cloned();
        let cause = cause.unwrap_or_else(|| match self.state.get() {
            // It takes no more messages and will end so.
            State::Stopping => Cause::Stopped,
            _ => Cause::Unknown,
        });
        SendError::ActorDied { cause }
    }
}
