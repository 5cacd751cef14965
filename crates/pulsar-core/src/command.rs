//! Commands: named remote operations with typed arguments and a typed reply.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;

use bytes::Bytes;
use linkme::distributed_slice;
use pulsar_wire::Codec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::builtin;
use crate::{Context, SendError};
use pulsar_link::payload::{self, Outcome, Payload};

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
            invoke: invoke::<C>,
            encode_args: Payload::bytes::<C::Args>,
            encode_reply: Payload::bytes::<C::Reply>,
            encode_error: Payload::bytes::<C::Error>,
        }
    }

    /// Built-ins are answered while a command of the user's awaits.
    pub(crate) fn is_builtin(&self) -> bool {
        builtin::ALL
            .iter()
            .any(|builtin| std::ptr::eq(*builtin, self) || builtin.name == self.name)
    }
}

impl std::fmt::Debug for CommandDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommandDef({})", self.name)
    }
}

fn invoke<C: Command>(cx: Context, args: Payload) -> BoxFuture<Outcome> {
    let args = match args.take::<C::Args>() {
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
        })
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

/// Arguments that a tool gave as JSON, as the wire has them: an array, one element each.
pub(crate) fn json_args(args: Vec<serde_json::Value>) -> Result<Payload, SendError> {
    let args = match args.is_empty() {
        // serde writes `()` as null, not as an empty array.
        true => serde_json::Value::Null,
        false => serde_json::Value::Array(args),
    };
    Ok(Payload::Wire(
        Codec::Json,
        payload::encode(Codec::Json, &args)?,
    ))
}
