//! What a mailbox does when it cannot take a message.

use std::fmt;

use pulsar_wire::Aid;
use serde::{Deserialize, Serialize};

use crate::{Cause, SendError};

/// What happens to a message that finds the mailbox full.
///
/// A message from another process cannot wait at the receiver, since replies and stops may be
/// behind it: under [`Wait`](Self::Wait) it is rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Overflow {
    /// Its sender waits for room, within the timeout of its ask.
    #[default]
    Wait,
    /// Its sender is told `MailboxFull` at once.
    Reject,
    /// It is taken, and the oldest that waits is dropped: that one's sender is told.
    DropOldest,
}

/// What happens to the messages that wait when their actor is asked to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum OnStop {
    /// They are still run, until the drain timeout.
    #[default]
    Drain,
    /// Their senders are told that the actor stops. What runs already is finished.
    Refuse,
}

/// A message that was not run. Its sender has been told, if it waits for a reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetter {
    /// The command.
    pub command: &'static str,
    /// Who sent it, where the receiver's process can tell by itself.
    pub sender: Option<Aid>,
    /// Why it was not run.
    pub reason: DeadReason,
}

/// Why a message was not run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DeadReason {
    /// A newer one took its place in a full mailbox.
    DroppedForNewer {
        /// The mailbox's capacity.
        capacity: usize,
    },
    /// Its sender's timeout had passed before its turn came.
    Expired,
    /// What came with it has been lost, or found no room.
    Lost(SendError),
    /// The actor has ended, or takes no more because it stops.
    ActorEnded(Cause),
}

impl DeadReason {
    /// What the sender is told.
    pub fn error(&self) -> SendError {
        match self {
            Self::DroppedForNewer { capacity } => SendError::MailboxFull {
                capacity: *capacity,
            },
            Self::Expired => SendError::Timeout {
                after: std::time::Duration::ZERO,
            },
            Self::Lost(error) => error.clone(),
            Self::ActorEnded(cause) => SendError::ActorDied {
                cause: cause.clone(),
            },
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DroppedForNewer { .. } => f.write_str("a newer message took its place"),
            Self::Expired => f.write_str("its sender's timeout had passed"),
            Self::Lost(error) => error.fmt(f),
            Self::ActorEnded(cause) => write!(f, "its actor {cause}"),
        }
    }
}
