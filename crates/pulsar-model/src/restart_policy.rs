//! Whether an actor that has ended begins anew.

use serde::{Deserialize, Serialize};

/// Whether an actor that has ended is started again, in its place and under its name. The words
/// are those of OTP's supervisors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum RestartPolicy {
    /// It lives once.
    #[default]
    Temporary,
    /// It is restarted if it did not end in order: not after [`Normal`](crate::Cause::Normal) and
    /// [`Stopped`](crate::Cause::Stopped).
    Transient,
    /// It is restarted however it ended, also where it was asked to stop by a message; only the
    /// arbiter ends it for good, asked by `arbiter().stop_actor(…)` in its own process.
    Permanent,
}
