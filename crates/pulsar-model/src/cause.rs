//! How an actor ended.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Why one incarnation of an actor came to its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Cause {
    /// It ended by itself, with nothing wrong.
    Normal,
    /// It was asked to stop, and did.
    Stopped,
    /// Its process exited with this code, other than 0.
    Code(i32),
    /// One of its commands or hooks panicked, with this message.
    Panic(String),
    /// A signal killed its process.
    Signal {
        /// The signal's number: 9 for KILL, 11 for SEGV.
        signal: i32,
        /// The kernel wrote a core file.
        core_dumped: bool,
    },
    /// It needed more memory than it may have, or than there is: the kernel killed it for that, or
    /// its allocator gave up.
    OutOfMemory,
    /// It was silent for longer than its timeout: its loop was held, or its process stood still.
    HeartbeatTimeout,
    /// It was not ready within the boot timeout.
    BootTimeout,
    /// Its `start` hook failed, or its handshake was refused, with this message.
    Failed(String),
    /// Nobody could say.
    Unknown,
}

impl Cause {
    /// The bare name of the variant, as tools show it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Stopped => "Stopped",
            Self::Code(_) => "Code",
            Self::Panic(_) => "Panic",
            Self::Signal { .. } => "Signal",
            Self::OutOfMemory => "OutOfMemory",
            Self::HeartbeatTimeout => "HeartbeatTimeout",
            Self::BootTimeout => "BootTimeout",
            Self::Failed(_) => "Failed",
            Self::Unknown => "Unknown",
        }
    }

    /// The variant's payload as tools show it; null where it has none.
    pub fn detail(&self) -> Value {
        match self {
            Self::Code(code) => json!(code),
            Self::Panic(message) | Self::Failed(message) => json!(message),
            Self::Signal {
                signal,
                core_dumped,
            } => json!({ "signal": signal, "core_dumped": core_dumped }),
            Self::Normal
            | Self::Stopped
            | Self::OutOfMemory
            | Self::HeartbeatTimeout
            | Self::BootTimeout
            | Self::Unknown => Value::Null,
        }
    }

    /// True if the actor ended as somebody wanted it to.
    pub fn is_orderly(&self) -> bool {
        matches!(self, Self::Normal | Self::Stopped)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("ended normally"),
            Self::Stopped => f.write_str("stopped as asked"),
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Panic(message) => write!(f, "panicked: {message}"),
            Self::Signal {
                signal,
                core_dumped,
            } => {
                let core = if *core_dumped { ", core dumped" } else { "" };
                write!(f, "was killed by signal {signal}{core}")
            }
            Self::OutOfMemory => f.write_str("ran out of memory"),
            Self::HeartbeatTimeout => f.write_str("was silent for longer than its timeout"),
            Self::BootTimeout => f.write_str("was not ready within the boot timeout"),
            Self::Failed(message) => write!(f, "failed to start: {message}"),
            Self::Unknown => f.write_str("ended for an unknown reason"),
        }
    }
}
