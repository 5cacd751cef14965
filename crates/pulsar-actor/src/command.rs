//! Commands: named remote operations with typed arguments and a typed reply.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::OnceLock;

use linkme::distributed_slice;
use pulsar_loop::runtime::Recent;
use pulsar_model::Signature;
use pulsar_sys::trusting;
use pulsar_wire::Codec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::actor::ActorKind;
use crate::builtin;
use crate::mailbox::Named;
use crate::remote;
use crate::{CommandInfo, Context, SendError};
use pulsar_link::Body;
use pulsar_link::payload::{Outcome, Payload};

/// A boxed future that any loop can run.
#[doc(hidden)]
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What `#[command]` makes of a function: its name, its types and its body.
///
/// Users do not implement this; they write
///
/// ```
/// # use pulsar_core as pulsar;
/// use pulsar::{Context, command};
///
/// #[command]
/// async fn add(_cx: Context, a: u64, b: u64) -> u64 {
///     a + b
/// }
/// # fn main() {}
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no command",
    note = "mark the function with #[command]"
)]
pub trait Command: Sized + 'static {
    /// The name on the wire: the function's.
    const NAME: &'static str;
    /// The function's documentation.
    const DOC: &'static str;
    /// Name and type of each argument, as written.
    const ARGS: &'static [(&'static str, &'static str)];
    /// The type of the reply, as written.
    const REPLY: &'static str;
    /// Whether the sender waits for a reply.
    const ACK: bool = true;
    /// Whether it is one of the runtime's own, which are answered while a command of the user's
    /// awaits.
    #[doc(hidden)]
    const BUILTIN: bool = false;
    /// The arguments, as a tuple.
    type Args: Serialize + DeserializeOwned + Send + 'static;
    /// What the command returns.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// What it fails with; [`Never`](crate::Never) where it cannot.
    type Error: Serialize + DeserializeOwned + Send + 'static;

    /// Runs the command on the actor of `cx`.
    fn call(
        cx: Context,
        args: Self::Args,
    ) -> impl Future<Output = Result<Self::Reply, Self::Error>> + Send + 'static;
}

/// The table entry of a command: its types erased.
#[doc(hidden)]
pub struct CommandDef {
    /// Its name, types and documentation.
    pub signature: Signature,
    /// [`Command::ACK`].
    pub ack: bool,
    /// [`Command::BUILTIN`].
    pub(crate) builtin: bool,
    pub(crate) invoke: fn(Context, Payload) -> BoxFuture<Outcome>,
    pub(crate) encode_args: fn(&Payload, Codec) -> Result<Body, SendError>,
    pub(crate) encode_reply: fn(&Payload, Codec) -> Result<Body, SendError>,
    pub(crate) encode_error: fn(&Payload, Codec) -> Result<Body, SendError>,
}

impl CommandDef {
    /// The entry of `C`.
    pub const fn of<C: Command>() -> Self {
        Self {
            signature: Signature {
                name: C::NAME,
                doc: C::DOC,
                args: C::ARGS,
                reply: C::REPLY,
            },
            ack: C::ACK,
            builtin: C::BUILTIN,
            invoke: invoke::<C>,
            encode_args: |args, codec| args.written::<C::Args>(codec),
            encode_reply: |reply, codec| reply.written::<C::Reply>(codec),
            encode_error: |error, codec| error.written::<C::Error>(codec),
        }
    }
}

impl std::fmt::Debug for CommandDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommandDef({})", self.signature.name)
    }
}

fn invoke<C: Command>(cx: Context, args: Payload) -> BoxFuture<Outcome> {
    let args = match args {
        Payload::Wire(Codec::Json, body) => {
            const { &CommandDef::of::<C>().signature }.read_json(&body.bytes)
        }
        // `run` and `spawn`: who may send them has been checked when they came.
        args if builtin::NAMING_CODE.contains(&C::NAME) => trusting(|| args.take::<C::Args>()),
        args => args.take::<C::Args>(),
    };
    let args = match args {
        Ok(args) => args,
        Err(error) => return Box::pin(async { Outcome::Undelivered(error) }),
    };
    let call = C::call(cx, args);
    Box::pin(async move {
        match call.await {
            Ok(reply) => Outcome::Reply(Payload::local(reply)),
            Err(error) => Outcome::Failure(Payload::local(error)),
        }
    })
}

/// The commands of the program: each `#[command]` adds itself at link time.
#[doc(hidden)]
#[distributed_slice]
pub static COMMANDS: [CommandDef];

/// Built-in commands of the layers above.
#[doc(hidden)]
#[distributed_slice]
pub static BUILTINS: [CommandDef];

fn builtins() -> impl Iterator<Item = &'static CommandDef> {
    builtin::ALL.iter().copied().chain(BUILTINS.iter())
}

/// The command that an actor of this kind has under this name, as a tool or a frame gives it. A
/// tool's short name means one of the actor's own first.
///
/// # Errors
///
/// [`SendError::UnknownCommand`] with the nearest names that this actor knows.
pub fn named(kind: &'static ActorKind, name: &str, codec: Codec) -> Result<Named, SendError> {
    if let Some(named) = known(kind, name.as_bytes(), codec) {
        return Ok(named);
    }
    let key = (ptr::from_ref(kind), codec == Codec::Json);
    let named = look_up(kind, name, codec)?;
    let mark = mark(name.as_bytes());
    RECOGNISED.with(|recognised| recognised.enter(mark, (key, name.into(), named)));
    Ok(named)
}

/// The same, if it is among those that this thread has been asked for last.
pub(crate) fn known(kind: &'static ActorKind, name: &[u8], codec: Codec) -> Option<Named> {
    let key = (ptr::from_ref(kind), codec == Codec::Json);
    let look = |(known, its_name, named): &Recognised| {
        (*known == key && its_name.as_bytes() == name).then_some(*named)
    };
    RECOGNISED.with(|recognised| recognised.find(mark(name), look))
}

/// A command by its name and the actor's type, in a tool's words or in those of the wire. Types are only compared.
type Recognised = ((*const ActorKind, bool), Box<str>, Named);

thread_local! {
    /// Those that came last.
    static RECOGNISED: Recent<Recognised> = const { Recent::new() };
}

fn mark(name: &[u8]) -> usize {
    // The last letters tell names of one type apart.
    let last = name
        .last_chunk()
        .map_or(0, |last| u64::from_le_bytes(*last));
    let mixed = last.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    name.len()
        .wrapping_add(usize::try_from(mixed).unwrap_or_default())
}

fn look_up(kind: &ActorKind, name: &str, codec: Codec) -> Result<Named, SendError> {
    let own = match codec {
        Codec::Json => kind.by_name(name),
        _ => kind.by_wire_name(name),
    };
    if let Some(index) = own {
        let method = &kind.methods[index];
        return Ok(Named::Own { method, index });
    }
    let free = table().get(name).copied().map(Named::Free);
    free.ok_or_else(|| {
        let unknown = || SendError::UnknownCommand {
            command: name.to_owned(),
            nearest: nearest(kind, name),
        };
        ActorKind::no_such_type(name).unwrap_or_else(unknown)
    })
}

/// At most this many names are offered for one that nobody has.
const NEAREST: usize = 3;
/// Names less alike than this, from 0 to 1, are not worth offering.
const ALIKE: f64 = 0.4;

/// The names of commands that are most like `name`.
fn nearest(kind: &ActorKind, name: &str) -> Vec<String> {
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(name, known);
    let own = kind.methods.iter().map(|method| method.signature.name);
    let known = table().keys().copied().chain(own);
    let known = known.map(|known| (alike(known), known));
    let mut known: Vec<_> = known.filter(|(alike, _)| *alike >= ALIKE).collect();
    known.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(x.cmp(y)));
    let nearest = known.into_iter().take(NEAREST);
    nearest.map(|(_, known)| known.to_owned()).collect()
}

/// True if a built-in has this name.
pub fn is_builtin(name: &str) -> bool {
    // The mark of a type is in the name of each command of an actor's own.
    !name.contains('#') && builtins().any(|def| def.signature.name == name)
}

/// All commands of an actor of this kind: its own, in their order, then the program's, by name.
pub(crate) fn all(kind: &ActorKind) -> Vec<CommandInfo> {
    let own = kind.methods.iter().map(|method| method.signature.info());
    let free = table().values().map(|command| command.signature.info());
    let mut free: Vec<_> = free.collect();
    free.sort_by(|a, b| a.name.cmp(&b.name));
    own.chain(free).collect()
}

/// Names that more than one command of the program claims, or that a built-in has; and those of more
/// than one function that runs anywhere.
pub fn duplicates() -> Vec<&'static str> {
    let builtins = builtins().map(|def| def.signature.name);
    let builtins = builtins.chain(builtin::RESERVED);
    let commands = COMMANDS.iter().map(|def| def.signature.name);
    let mut all = twice(commands.chain(builtins).collect());
    all.extend(twice(remote::names().collect()));
    all
}

fn twice(mut names: Vec<&'static str>) -> Vec<&'static str> {
    names.sort_unstable();
    let pairs = names.windows(2).filter(|pair| pair[0] == pair[1]);
    let mut twice: Vec<_> = pairs.map(|pair| pair[0]).collect();
    twice.dedup();
    twice
}

fn table() -> &'static HashMap<&'static str, &'static CommandDef> {
    static TABLE: OnceLock<HashMap<&str, &CommandDef>> = OnceLock::new();
    TABLE.get_or_init(|| {
        COMMANDS
            .iter()
            .chain(builtins())
            .map(|def| (def.signature.name, def))
            .collect()
    })
}
