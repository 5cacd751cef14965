//! How a process ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a process ended.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Exit {
    /// It left by itself with this code, from 0 to 255.
    Code(i32),
    /// A signal killed it.
    Signal {
        /// The signal's number.
        signal: i32,
        /// Whether the system wrote its memory to a core file.
        core_dumped: bool,
    },
    /// It has ended, but somebody else in this process collected how: another part of the program waits for any
    /// child, or the program ignores `SIGCHLD`.
    Lost,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal {
                signal,
                core_dumped,
            } => {
                let core = if *core_dumped { ", core dumped" } else { "" };
                write!(f, "killed by signal {signal}{core}")
            }
            Self::Lost => f.write_str("ended in a way that was lost"),
        }
    }
}
