//! The end of a process that was forked.

use std::io::{self, Write};

/// Ends this process at once, with this exit code. What was written to the standard streams, by way of the standard library
/// or the C library, leaves before; functions that are to run at an exit (`atexit`) don't run, nor destructors.
///
/// It is for forks: those functions are their template's, and what they tear down costs each fork copies of the pages that
/// it is in. A thread that holds a stream's lock for good, as it writes to a pipe that nobody reads, is waited for: who made
/// this process bounds that.
pub fn leave(code: i32) -> ! {
    // Nobody may be reading.
    let _ = io::stdout().flush();
    // SAFETY: without a stream it flushes all that the C library has; they are its own, and it locks them.
    unsafe { libc::fflush(std::ptr::null_mut()) };
    // SAFETY: it takes a number and ends the process.
    unsafe { libc::_exit(code) }
}
