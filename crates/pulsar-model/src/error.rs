//! What a send or a spawn ends with when it does not end well.

use std::fmt;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Cause;

/// What a call of a command ends with other than its reply.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// The command ran and returned this error of its own.
    #[error(transparent)]
    Command(E),
    /// The command did not run to its end.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// The own error of a command that has none: there is no value of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Never {}

/// Why a message got no reply.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SendError {
    /// No living actor has this id or name.
    #[error("no actor has the id or name {target:?}")]
    UnknownActor {
        /// The id or name as it was given.
        target: String,
    },
    /// The program registers no such command, or the actor is of another type than that whose
    /// command it is.
    #[error("no command is named {command:?}; {}", hint(command, nearest))]
    UnknownCommand {
        /// The name as it was given.
        command: String,
        /// The commands with the nearest names, the nearest first.
        nearest: Vec<String>,
    },
    /// The actor ended while the message waited or ran.
    #[error("the actor died before it replied: it {cause}")]
    ActorDied {
        /// How it ended.
        cause: Cause,
    },
    /// The actor's next incarnation has not been started yet.
    #[error("the actor is being restarted, not before {until:?} from now")]
    Restarting {
        /// Time until the next attempt, as of this error.
        until: Duration,
    },
    /// No reply came in time. The command may still have run.
    #[error("no reply within {after:?}")]
    Timeout {
        /// The time that the caller allowed.
        after: Duration,
    },
    /// The target's mailbox, or the way to it, is full.
    #[error("the mailbox or link is full (its capacity is {capacity})")]
    MailboxFull {
        /// Its capacity.
        capacity: usize,
    },
    /// The target does not do this for this sender.
    #[error("refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// The sender is itself the target, and the command would wait for the end of the one that
    /// runs. A concurrent command is refused to a concurrent one too: behind an exclusive one, which
    /// waits for the asker, it would wait for ever.
    #[error(
        "the actor asks itself while it holds its own turn: call the function, or send from a task \
         that it has spawned"
    )]
    WouldDeadlock,
    /// The message is over the limit of a frame. Large values do not belong in a link: they travel in
    /// shared memory, as `SharedBytes`.
    #[error(
        "message of {size} bytes is over the limit of {limit} bytes: make its large parts \
         `SharedBytes`, or send it in parts"
    )]
    TooLarge {
        /// Bytes of the whole frame.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Arguments, reply or error could not be written or read.
    #[error("arguments or reply cannot be encoded or decoded: {message}")]
    Codec {
        /// What the codec said.
        message: String,
    },
    /// The command panicked; the actor ends.
    #[error("the command panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// There is no arbiter in this process.
    #[error("no arbiter is running; mark main with #[pulsar::main]")]
    NotRunning,
}

fn hint(command: &str, nearest: &[String]) -> String {
    match nearest {
        // With its type's path: it is one of a type's own.
        [] if command.contains("::") => {
            "the actor is of another type than its proxy says, or has no type".to_owned()
        }
        [] => "mark a function with #[command] to register it".to_owned(),
        some => format!("the nearest are {}", some.join(", ")),
    }
}

impl SendError {
    /// The bare name of the variant, as tools show it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UnknownActor { .. } => "UnknownActor",
            Self::UnknownCommand { .. } => "UnknownCommand",
            Self::ActorDied { .. } => "ActorDied",
            Self::Restarting { .. } => "Restarting",
            Self::Timeout { .. } => "Timeout",
            Self::MailboxFull { .. } => "MailboxFull",
            Self::Refused { .. } => "Refused",
            Self::WouldDeadlock => "WouldDeadlock",
            Self::TooLarge { .. } => "TooLarge",
            Self::Codec { .. } => "Codec",
            Self::Panicked { .. } => "Panicked",
            Self::NotRunning => "NotRunning",
        }
    }

    /// A [`Codec`](Self::Codec) error with this message.
    pub fn codec(error: impl fmt::Display) -> Self {
        Self::Codec {
            message: error.to_string(),
        }
    }
}

/// Why an actor was not spawned.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SpawnError {
    /// A living actor has this name.
    #[error("the name {name:?} is taken by a living actor")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The name cannot be one.
    #[error(
        "{name:?} cannot be a name: up to 64 ASCII letters, digits and -_.: that are not an id"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// The actor was not ready in time; it has been ended.
    #[error("the actor was not ready within {after:?}")]
    BootTimeout {
        /// The time that it had.
        after: Duration,
    },
    /// The actor ended before it was ready.
    #[error("the actor {cause}")]
    Died {
        /// How it ended.
        cause: Cause,
    },
    /// No actor's code spawned it.
    #[error(
        "no actor spawns it: call `spawn` in an actor's code, which `main` is too, rather than in a thread of \
         your own"
    )]
    NotAnActor,
    /// The process could not be made.
    #[error("process cannot be made: {message}")]
    Exec {
        /// The system's error number, 0 if it gave none.
        errno: i32,
        /// The step that failed and what the system said.
        message: String,
    },
    /// The program has no entry for children: it would run its own `main` again.
    #[error(
        "this program has no entry for child processes: mark main with #[pulsar::main], or the \
         test with #[pulsar::test]"
    )]
    NoEntry,
    /// A limit of the runtime is reached.
    #[error("limit reached: {message}")]
    Limit {
        /// Which, and its value.
        message: String,
    },
    /// This cannot be done from here or on this platform.
    #[error("unsupported: {message}")]
    Unsupported {
        /// What, and what to do instead.
        message: String,
    },
    /// The hooks or their arguments cannot be sent to the new actor.
    #[error("hook cannot be passed to the actor: {message}")]
    Hook {
        /// Why.
        message: String,
    },
    /// The request did not reach the arbiter.
    #[error("the arbiter did not answer: {0}")]
    Arbiter(#[from] SendError),
}

/// Any error, as hooks and `main` return it. It keeps the chain of causes, also across processes.
///
/// Like other types of its kind it does not implement [`std::error::Error`] itself, so that any
/// error converts into it with `?`.
pub struct Error(Box<dyn std::error::Error + Send + Sync>);

/// A result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that is only a message.
    pub fn msg(message: impl fmt::Display) -> Self {
        Self(message.to_string().into())
    }

    /// What is a boxed error, or becomes one, with its chain: also the errors of libraries like
    /// this one, which do not implement [`std::error::Error`] and so need more than a `?`.
    ///
    /// ```
    /// use pulsar_model::{Error, Result};
    ///
    /// fn boxed() -> std::result::Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    ///     Ok("7".parse()?)
    /// }
    ///
    /// fn ours() -> Result<u8> {
    ///     boxed().map_err(Error::from_boxed)
    /// }
    /// # assert_eq!(ours().ok(), Some(7));
    /// ```
    pub fn from_boxed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }

    /// The error and its sources, outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
        let first: &(dyn std::error::Error + 'static) = &*self.0;
        std::iter::successors(Some(first), |error| error.source())
    }

    /// The error itself, if it is an `E`.
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }

    /// The whole chain on one line, outermost first.
    pub fn one_line(&self) -> String {
        let mut line = String::new();
        for error in self.chain() {
            let text = error.to_string();
            if line.ends_with(&text) {
                continue;
            }
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
        line.replace('\n', " ")
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl From<CallError<Self>> for Error {
    fn from(error: CallError<Self>) -> Self {
        match error {
            CallError::Command(error) => error,
            CallError::Send(error) => error.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// As `main` prints it: the chain, on one line.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.one_line())
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let chain: Vec<String> = self.chain().map(ToString::to_string).collect();
        chain.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let chain = Vec::<String>::deserialize(deserializer)?;
        let remote = chain.into_iter().rev().fold(None, |source, message| {
            let source = source.map(Box::new);
            Some(RemoteError { message, source })
        });
        let remote = remote.ok_or_else(|| D::Error::custom("an error has at least one message"))?;
        Ok(Self(Box::new(remote)))
    }
}

/// An error that happened in another process: its messages, without its types.
#[derive(Debug)]
struct RemoteError {
    message: String,
    source: Option<Box<RemoteError>>,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RemoteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_keeps_its_chain_across_the_wire() {
        let error = Error::from(Outer(std::io::Error::other("inner")));
        let bytes = postcard::to_stdvec(&error).unwrap();
        let back: Error = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(back.one_line(), "outer: inner");
        assert_eq!(back.chain().count(), 2);
    }

    #[test]
    fn a_message_that_is_too_large_is_told_the_limit_and_what_to_do() {
        let (size, limit) = (20_000_000, 16_777_216);
        let text = SendError::TooLarge { size, limit }.to_string();
        assert!(text.contains("over the limit of 16777216 bytes"), "{text}");
        assert!(
            text.contains("in parts") && text.contains("SharedBytes"),
            "{text}"
        );
    }

    #[test]
    fn an_error_without_a_message_is_refused() {
        assert!(postcard::from_bytes::<Error>(&[0]).is_err());
    }
}
