//! Kinds of ends, as rules about restarts name them.

use serde::{Deserialize, Serialize};

use crate::Cause;

/// A kind of end: what a rule about restarts says of [`Cause`]s.
///
/// ```
/// use pulsar_model::{Cause, Ending};
///
/// assert!(Ending::Code(3).covers(&Cause::Code(3)));
/// assert!(!Ending::Code(3).covers(&Cause::Code(4)));
/// assert!(Ending::AnyCode.covers(&Cause::Code(4)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Ending {
    /// [`Cause::Normal`].
    Normal,
    /// [`Cause::Stopped`].
    Stopped,
    /// [`Cause::Code`] with this code.
    Code(i32),
    /// [`Cause::Code`], whatever the code.
    AnyCode,
    /// [`Cause::Panic`].
    Panic,
    /// [`Cause::Signal`] of this number.
    Signal(i32),
    /// [`Cause::Signal`], whatever its number.
    AnySignal,
    /// [`Cause::OutOfMemory`].
    OutOfMemory,
    /// [`Cause::HeartbeatTimeout`].
    HeartbeatTimeout,
    /// [`Cause::BootTimeout`].
    BootTimeout,
    /// [`Cause::Failed`].
    Failed,
    /// [`Cause::Unknown`].
    Unknown,
}

impl Ending {
    /// Whether an actor that ended so ended in this way.
    pub fn covers(self, cause: &Cause) -> bool {
        match (self, cause) {
            (Self::Code(wanted), Cause::Code(code)) => wanted == *code,
            (Self::Signal(wanted), Cause::Signal { signal, .. }) => wanted == *signal,
            (Self::Normal, Cause::Normal)
            | (Self::Stopped, Cause::Stopped)
            | (Self::AnyCode, Cause::Code(_))
            | (Self::Panic, Cause::Panic(_))
            | (Self::AnySignal, Cause::Signal { .. })
            | (Self::OutOfMemory, Cause::OutOfMemory)
            | (Self::HeartbeatTimeout, Cause::HeartbeatTimeout)
            | (Self::BootTimeout, Cause::BootTimeout)
            | (Self::Failed, Cause::Failed(_))
            | (Self::Unknown, Cause::Unknown) => true,
            _ => false,
        }
    }
}
