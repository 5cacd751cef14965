//! The signals that are sent to children.

use serde::{Deserialize, Serialize};

/// A signal that may be sent to a child.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Signal {
    /// `SIGTERM`: leave in good order.
    Terminate,
    /// `SIGKILL`: end at once; can't be caught.
    Kill,
    /// `SIGABRT`: end now, and leave a trace of where.
    Abort,
    /// `SIGINT`.
    Interrupt,
    /// `SIGQUIT`.
    Quit,
    /// `SIGHUP`.
    Hangup,
    /// `SIGSTOP`: stand still; can't be caught.
    Stop,
    /// `SIGCONT`: go on.
    Continue,
}

impl Signal {
    /// The system's number.
    pub const fn as_raw(self) -> i32 {
        match self {
            Self::Terminate => libc::SIGTERM,
            Self::Kill => libc::SIGKILL,
            Self::Abort => libc::SIGABRT,
            Self::Interrupt => libc::SIGINT,
            Self::Quit => libc::SIGQUIT,
            Self::Hangup => libc::SIGHUP,
            Self::Stop => libc::SIGSTOP,
            Self::Continue => libc::SIGCONT,
        }
    }
}
