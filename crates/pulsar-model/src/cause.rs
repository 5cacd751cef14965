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
    /// A signal killed its process. A thread or task that is killed ends as a killed process does, by signal 9.
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
                write!(f, "was killed by signal {signal}")?;
                if let Some(name) = signal_name(*signal) {
                    write!(f, " ({name})")?;
                }
                if *signal == SIGXCPU {
                    f.write_str(": over its processor time")?;
                }
                if *core_dumped {
                    f.write_str(", core dumped")?;
                }
                Ok(())
            }
            Self::OutOfMemory => f.write_str("ran out of memory"),
            Self::HeartbeatTimeout => f.write_str("was silent for longer than its timeout"),
            Self::BootTimeout => f.write_str("was not ready within the boot timeout"),
            Self::Failed(message) => write!(f, "failed to start: {message}"),
            Self::Unknown => f.write_str("ended for an unknown reason"),
        }
    }
}

/// The kernel's word that a process has used up its processor time.
const SIGXCPU: i32 = 24;

/// The name of a signal by which processes die, by its number on Linux.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        SIGXCPU => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_with_its_number_and_its_name() {
        let told = |signal, core_dumped| {
            let cause = Cause::Signal {
                signal,
                core_dumped,
            };
            cause.to_string()
        };
        assert_eq!(told(9, false), "was killed by signal 9 (SIGKILL)");
        assert_eq!(
            told(11, true),
            "was killed by signal 11 (SIGSEGV), core dumped"
        );
        assert_eq!(
            told(24, false),
            "was killed by signal 24 (SIGXCPU): over its processor time"
        );
        assert_eq!(told(40, false), "was killed by signal 40");
    }
}
