//! Commands: named remote operations with typed arguments and a typed reply.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;

use bytes::Bytes;
use linkme::distributed_slice;
use pulsar_sys::trusting;
use pulsar_wire::Codec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::builtin;
use crate::json_args::read_json_args;
use crate::{ArgInfo, CommandInfo, Context, SendError};
use pulsar_link::payload::{Outcome, Payload};

/// A boxed future that any loop can run.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

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
    /// [`Command::NAME`].
    pub name: &'static str,
    /// [`Command::DOC`].
    pub doc: &'static str,
    /// [`Command::ARGS`].
    pub args: &'static [(&'static str, &'static str)],
    /// [`Command::REPLY`].
    pub reply: &'static str,
    /// [`Command::ACK`].
    pub ack: bool,
    /// [`Command::BUILTIN`].
    pub(crate) builtin: bool,
    pub(crate) invoke: fn(Context, Payload) -> BoxFuture<Outcome>,
    pub(crate) encode_args: fn(Payload, Codec) -> Result<Bytes, SendError>,
    pub(crate) encode_reply: fn(Payload, Codec) -> Result<Bytes, SendError>,
    pub(crate) encode_error: fn(Payload, Codec) -> Result<Bytes, SendError>,
}

impl CommandDef {
    /// The entry of `C`.
    pub const fn of<C: Command>() -> Self {
        Self {
            name: C::NAME,
            doc: C::DOC,
            args: C::ARGS,
            reply: C::REPLY,
            ack: C::ACK,
            builtin: C::BUILTIN,
            invoke: invoke::<C>,
            encode_args: Payload::bytes::<C::Args>,
            encode_reply: Payload::bytes::<C::Reply>,
            encode_error: Payload::bytes::<C::Error>,
        }
    }

    /// What tools show of it.
    pub(crate) fn info(&self) -> CommandInfo {
        let arg = |(name, type_name): &(&str, &str)| ArgInfo {
            name: (*name).to_owned(),
            type_name: (*type_name).to_owned(),
        };
        CommandInfo {
            name: self.name.to_owned(),
            args: self.args.iter().map(arg).collect(),
            reply: self.reply.to_owned(),
            doc: self.doc.to_owned(),
        }
    }
}

impl std::fmt::Debug for CommandDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommandDef({})", self.name)
    }
}

fn invoke<C: Command>(cx: Context, args: Payload) -> BoxFuture<Outcome> {
    let args = match args {
        Payload::Wire(Codec::Json, bytes) => {
            read_json_args(const { &CommandDef::of::<C>() }, &bytes)
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

/// The command of this name.
pub(crate) fn lookup(name: &str) -> Result<&'static CommandDef, SendError> {
    table()
        .get(name)
        .copied()
        .ok_or_else(|| SendError::UnknownCommand {
            command: name.to_owned(),
            nearest: nearest(name),
        })
}

/// At most this many names are offered for one that nobody has.
const NEAREST: usize = 3;
/// Names less alike than this, from 0 to 1, are not worth offering.
const ALIKE: f64 = 0.4;

/// The names of commands that are most like `name`.
fn nearest(name: &str) -> Vec<String> {
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(name, known);
    let known = table().keys().map(|known| (alike(known), *known));
    let mut known: Vec<_> = known.filter(|(alike, _)| *alike >= ALIKE).collect();
    known.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(x.cmp(y)));
    let nearest = known.into_iter().take(NEAREST);
    nearest.map(|(_, known)| known.to_owned()).collect()
}

/// All commands of the program, by name.
pub(crate) fn all() -> Vec<CommandInfo> {
    let mut all: Vec<_> = table().values().map(|command| command.info()).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Names that more than one command of the program claims, or that a built-in has.
pub(crate) fn duplicates() -> Vec<&'static str> {
    let builtins = builtin::ALL.iter().map(|def| def.name);
    let builtins = builtins.chain(builtin::RESERVED);
    let mut names: Vec<_> = COMMANDS
        .iter()
        .map(|def| def.name)
        .chain(builtins)
        .collect();
    names.sort_unstable();
    let mut twice: Vec<_> = names
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
        .collect();
    twice.dedup();
    twice
}

fn table() -> &'static HashMap<&'static str, &'static CommandDef> {
    static TABLE: OnceLock<HashMap<&str, &CommandDef>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let builtins = builtin::ALL.iter().copied();
        COMMANDS
            .iter()
            .chain(builtins)
            .map(|def| (def.name, def))
            .collect()
    })
}
