//! Actor types: a struct with commands of its own.

use std::any::{TypeId, type_name};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};

use pulsar_link::{BodyView, Draft};
use pulsar_model::{RawProxy, Signature};
use pulsar_wire::Codec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::command::BoxFuture;
use crate::context::Called;
use crate::mailbox::{Inbox, Messages};
use crate::{Context, Overflow, Result, SendError};

/// A type of actors: what `#[pulsar::actor]` makes of an `impl` block.
///
/// Users do not implement this; they write
///
/// ```
/// # use pulsar_core as pulsar;
/// use pulsar::{Context, Result};
///
/// struct Counter {
///     total: u64,
/// }
///
/// #[pulsar::actor]
/// impl Counter {
///     async fn start(_cx: Context, first: u64) -> Result<Self> {
///         Ok(Self { total: first })
///     }
///
///     #[command]
///     async fn add(&mut self, by: u64) -> u64 {
///         self.total += by;
///         self.total
///     }
/// }
///
/// # async fn example() -> Result<()> {
/// let counter = Counter::spawn(10).thread().await?;
/// assert_eq!(counter.add(5).await?, 15);
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no actor",
    note = "mark one of its `impl` blocks with #[pulsar::actor]"
)]
pub trait Actor: Sized + Send + 'static {
    /// Its commands, as methods on the reference.
    type Calls: From<RawProxy> + AsRef<RawProxy> + Clone + Send + Sync + 'static;
    /// The arguments of its `start`, as a tuple.
    type Start: Send + 'static;
    /// One of its commands, with the arguments.
    #[doc(hidden)]
    type Message: Send + 'static;
    /// What one of its commands returned.
    #[doc(hidden)]
    type Reply: Send + 'static;
    /// Its commands; a message's [`index`](Self::index) is its command's place here.
    #[doc(hidden)]
    const METHODS: &'static [Method];
    /// Whether it lives on after a command has panicked.
    #[doc(hidden)]
    const OUTLIVES_PANICS: bool = false;

    /// Makes the state, before the actor is ready.
    #[doc(hidden)]
    fn start(cx: Context, args: Self::Start) -> impl Future<Output = Result<Self>> + Send;

    /// Runs its commands, one after the other or, where they allow it, side by side.
    #[doc(hidden)]
    fn work(self, cx: Context) -> BoxFuture<Worked>;

    /// Its last act, after its last command.
    #[doc(hidden)]
    fn stopping(&mut self, _cx: Context) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Whether it has a periodic task of its own.
    #[doc(hidden)]
    const HAS_PERIODIC_TASK: bool = false;

    /// Its periodic task, which takes its turn among the commands.
    #[doc(hidden)]
    fn periodic_task(&mut self, _cx: Context) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    #[doc(hidden)]
    fn index(message: &Self::Message) -> usize;

    /// Runs a command that has the state for itself and does not await.
    #[doc(hidden)]
    fn dispatch_at_once(&mut self, called: Called<'_>, message: Self::Message) -> Self::Reply;

    /// Runs a command that has the state for itself and may await.
    #[doc(hidden)]
    fn dispatch(
        &mut self,
        called: Called<'_>,
        message: Self::Message,
    ) -> impl Future<Output = Self::Reply> + Send;

    /// True if the command has returned an error of its own.
    #[doc(hidden)]
    fn is_failure(reply: &Self::Reply) -> bool;

    /// A message's arguments, for another process.
    #[doc(hidden)]
    fn write_message(message: &Self::Message, draft: &mut Draft) -> Result<(), SendError>;

    /// A message from another process or a tool.
    #[doc(hidden)]
    fn read_message(
        index: usize,
        codec: Codec,
        body: BodyView<'_>,
    ) -> Result<Self::Message, SendError>;

    /// The reply or the command's own error, for another process or a tool.
    #[doc(hidden)]
    fn write_reply(reply: &Self::Reply, draft: &mut Draft) -> Result<(), SendError>;
}

/// An actor some of whose commands run side by side.
#[doc(hidden)]
pub trait Concurrent: Actor + Sync {
    /// Runs a command that shares the state with others.
    fn dispatch_shared(
        &self,
        called: Called<'_>,
        message: Self::Message,
    ) -> impl Future<Output = Self::Reply> + Send;
}

/// An actor that can live in a process of its own: any but a local one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a local actor: it cannot live in a process of its own, nor be restarted",
    label = "this is for actors whose `start` can be sent to another process",
    note = "spawn it as .thread() or .task(), or write #[pulsar::actor] without `local` and derive serde's traits \
            for what it takes and gives"
)]
pub trait Roaming: Actor<Start: Portable> {}

impl Roaming for Anyone {}

/// A command of an actor's own.
#[doc(hidden)]
#[derive(Debug)]
pub struct Method {
    /// Its name, types and documentation.
    pub signature: Signature,
    /// Whether the sender waits for a reply.
    pub ack: bool,
    /// Whether it runs beside others of its kind.
    pub concurrent: bool,
    /// Whether it may await: it is asynchronous, or runs beside others.
    pub awaits: bool,
}

/// How an actor's work ended.
#[doc(hidden)]
#[derive(Debug)]
pub enum Worked {
    /// Its mailbox was closed, and is empty.
    Drained,
    /// A command panicked, with this message.
    Panicked(String),
}

/// An actor type as the runtime needs it before there is an actor: its types erased.
#[derive(Debug)]
pub struct ActorKind {
    pub(crate) name: TypeName,
    pub(crate) methods: &'static [Method],
    /// [`Actor::HAS_PERIODIC_TASK`].
    pub(crate) has_periodic_task: bool,
    /// Makes the queue of its mailbox.
    pub(crate) inbox: fn(usize, Overflow) -> Box<dyn Inbox>,
}

impl ActorKind {
    /// The kind of `A`.
    pub fn of<A: Actor>() -> &'static Self {
        const {
            &Self {
                name: TypeName::of::<A>(),
                methods: A::METHODS,
                has_periodic_task: A::HAS_PERIODIC_TASK,
                inbox: |capacity, overflow| Box::new(Messages::<A>::new(capacity, overflow)),
            }
        }
    }

    /// The name of a command of its own on the wire, which no other type has: the type's name, a
    /// dot, and the command's name.
    pub(crate) fn wire_name(&self, method: &Method) -> String {
        format!("{}.{}", self.name, method.signature.name)
    }

    /// The command of this name on the wire.
    pub(crate) fn by_wire_name(&self, name: &str) -> Option<usize> {
        let name = name.strip_prefix((self.name.path)())?;
        let (mark, short) = name.strip_prefix('#')?.split_once('.')?;
        let mark = u64::from_str_radix(mark, 16).ok()?;
        self.by_name(short).filter(|_| mark == (self.name.mark)())
    }

    /// What a command is told that another type has, or had: for people, without the mark.
    pub(crate) fn no_such_type(wire_name: &str) -> Option<SendError> {
        let (path, rest) = wire_name.split_once('#')?;
        let (_, short) = rest.split_once('.')?;
        Some(SendError::UnknownCommand {
            command: format!("{path}.{short}"),
            nearest: Vec::new(),
        })
    }

    /// The command that a tool calls so.
    pub(crate) fn by_name(&self, name: &str) -> Option<usize> {
        let mut methods = self.methods.iter();
        methods.position(|method| method.signature.name == name)
    }
}

/// The name of a type on the wire: its path, which it may share with types that stand in blocks of
/// functions, and a mark that it shares with none. It is the same in all processes of one build.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypeName {
    path: fn() -> &'static str,
    mark: fn() -> u64,
}

impl TypeName {
    pub(crate) const fn of<A: 'static>() -> Self {
        Self {
            path: type_name::<A>,
            mark: || {
                // Always begins with the same keys.
                let mut hasher = DefaultHasher::new();
                TypeId::of::<A>().hash(&mut hasher);
                hasher.finish()
            },
        }
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{:x}", (self.path)(), (self.mark)())
    }
}

/// Writes a command's arguments or reply. For the expansion of `#[pulsar::actor]`.
#[doc(hidden)]
pub fn write<T: Serialize>(value: &T, draft: &mut Draft) -> Result<(), SendError> {
    draft.write(value)
}

/// Reads a command's arguments. For the expansion of `#[pulsar::actor]`.
#[doc(hidden)]
pub fn read_args<T: DeserializeOwned>(
    method: &'static Method,
    codec: Codec,
    body: BodyView<'_>,
) -> Result<T, SendError> {
    match codec {
        Codec::Json => method.signature.read_json(body.bytes()),
        codec => body.read(codec),
    }
}

/// What a local actor answers to what comes from another process.
#[doc(hidden)]
pub fn local_only() -> SendError {
    SendError::Refused {
        reason: "it is a local actor: commands of its own come from its own process only"
            .to_owned(),
    }
}

/// What can be an argument, a reply or an error of a command: it may travel between processes.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between processes",
    label = "needs `serde::Serialize` and `serde::Deserialize`",
    note = "derive both for it, or write #[pulsar::actor(local)]: such actors are threads or tasks, and \
            spoken to from their own process only"
)]
pub trait Portable: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Portable for T {}

/// Compiles for what may travel. For the expansion of `#[pulsar::actor]`.
#[doc(hidden)]
pub const fn assert_portable<T: Portable>() {}

/// An actor of no type of its own: it answers the built-in and the free commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Anyone;

impl Actor for Anyone {
    type Calls = RawProxy;
    type Start = ();
    type Message = Infallible;
    type Reply = Infallible;
    const METHODS: &'static [Method] = &[];

    async fn start(_cx: Context, (): ()) -> Result<Self> {
        Ok(Self)
    }

    fn work(self, cx: Context) -> BoxFuture<Worked> {
        Box::pin(crate::worker::in_turn(self, cx))
    }

    fn index(message: &Infallible) -> usize {
        match *message {}
    }

    fn dispatch_at_once(&mut self, _called: Called<'_>, message: Infallible) -> Infallible {
        message
    }

    async fn dispatch(&mut self, _called: Called<'_>, message: Infallible) -> Infallible {
        message
    }

    fn is_failure(reply: &Infallible) -> bool {
        match *reply {}
    }

    fn write_message(message: &Infallible, _draft: &mut Draft) -> Result<(), SendError> {
        match *message {}
    }

    fn read_message(
        _index: usize,
        _codec: Codec,
        _body: BodyView<'_>,
    ) -> Result<Infallible, SendError> {
        Err(SendError::codec("the actor has no commands of its own"))
    }

    fn write_reply(reply: &Infallible, _draft: &mut Draft) -> Result<(), SendError> {
        match *reply {}
    }
}
