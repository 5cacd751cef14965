//! The id of a process.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of one process, always above zero.
///
/// Zero and negative numbers address groups of processes in `kill`, so they can't be made, and don't deserialise.
/// A pid names its process only until that process has been waited for: see [`Children`](crate::children::Children).
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[serde(try_from = "i32", into = "i32")]
pub struct Pid(i32);

impl Pid {
    /// The pid with this number, or nothing if it isn't above zero.
    pub const fn new(raw: i32) -> Option<Self> {
        if raw > 0 { Some(Self(raw)) } else { None }
    }

    /// The pid of this process.
    pub fn current() -> Self {
        Self(rustix::process::getpid().as_raw_pid())
    }

    /// The pid of this process's parent; nothing if the parent lives outside of this pid namespace.
    pub fn parent() -> Option<Self> {
        rustix::process::getppid().map(|pid| Self(pid.as_raw_pid()))
    }

    /// The number itself.
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<Pid> for i32 {
    fn from(pid: Pid) -> Self {
        pid.0
    }
}

impl TryFrom<i32> for Pid {
    type Error = PidOutOfRange;

    fn try_from(raw: i32) -> Result<Self, PidOutOfRange> {
        Self::new(raw).ok_or(PidOutOfRange(raw))
    }
}

/// The number is no pid: it isn't above zero.
#[derive(Debug, thiserror::Error)]
#[error("process id {0} is not above zero")]
pub struct PidOutOfRange(i32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_addresses_a_group_is_no_pid() {
        assert_eq!(Pid::new(0), None);
        assert!(Pid::try_from(-1).is_err());
        let group = postcard::to_stdvec(&-1_i32).unwrap();
        assert!(postcard::from_bytes::<Pid>(&group).is_err());
    }

    #[test]
    fn a_pid_survives_the_wire() {
        let bytes = postcard::to_stdvec(&Pid::current()).unwrap();
        assert_eq!(postcard::from_bytes::<Pid>(&bytes).unwrap(), Pid::current());
        assert_eq!(Pid::current().to_string(), std::process::id().to_string());
    }
}
