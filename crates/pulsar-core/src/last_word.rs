//! The last word of a process that a panic aborts.
//!
//! Where panics unwind, the lifecycle catches them and the actor ends in order. Where they abort
//! (`panic = "abort"`), nothing of the actor runs after the panic hook: so that writes, by itself,
//! what the lifecycle would have said.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pulsar_link::Link;
use pulsar_link::payload::{NATIVE, encode};
use pulsar_wire::{Frame, Kind};

use crate::{Cause, panic_message};

/// How long a manager that does not read is waited for before the process aborts.
const PATIENCE: Duration = Duration::from_millis(100);

/// From now on a panic that aborts this process is told over `link` before, by way of a duplicate of its `descriptor`.
/// Panics that unwind are left to those who catch them.
///
/// # Errors
///
/// If there is no descriptor left for the duplicate.
pub(crate) fn tell_before_abort(link: &Arc<Link>, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    if !cfg!(panic = "abort") {
        return Ok(());
    }
    let (link, descriptor) = (Arc::clone(link), descriptor.try_clone_to_owned()?);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        before(panic);
        tell(&link, &descriptor, panic);
    }));
    Ok(())
}

fn tell(link: &Link, descriptor: &OwnedFd, panic: &PanicHookInfo<'_>) {
    let cause = Cause::Panic(panic_message(panic.payload()).to_owned());
    let Ok(body) = encode(NATIVE, &cause) else {
        return;
    };
    link.send_system(Frame::new(Kind::Ended, body));
    let deadline = Instant::now() + PATIENCE;
    // Errors: the manager is gone, or does not read. There is nobody left to tell.
    let _ = link.flush_blocking(descriptor.as_fd(), deadline);
}
