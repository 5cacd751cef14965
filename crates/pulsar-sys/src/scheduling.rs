//! How the kernel shares processors between a process's threads.

use crate::platform;

/// Has the calling thread make way for others at once when they wake up: for threads that compute
/// beside one that answers. It gets its part of the processors all the same. Where the system has
/// no such thing nothing changes.
pub fn prefer_others() {
    platform::prefer_others();
}
