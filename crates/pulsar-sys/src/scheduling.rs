//! How the kernel shares processors between a process's threads.

use crate::platform;

/// Has the calling thread make way for others at once when they wake up: for threads that compute
/// beside one that answers. It gets its part of the processors all the same. Where the system has
/// no such thing nothing changes.
pub fn prefer_others() {
    platform::prefer_others();
}

/// The processor on which the calling thread runs now; it may run on another one in the next instant. Nothing where the
/// system doesn't tell. It costs a few nanoseconds, no call of the kernel.
pub fn current_core() -> Option<u32> {
    platform::current_core()
}
