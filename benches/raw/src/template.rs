//! A template process: it has one thread, and forks a child for each socket that it is handed.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::exit;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::{Signal, WaitOptions, set_parent_process_death_signal, wait};

use crate::fork::{Child, fork};

/// The template, as the process that made it has it. Its children end with it.
pub struct Template {
    socket: UnixStream,
    _process: Child,
}

impl Template {
    /// Forks the template. Each child runs `work` with its socket, and ends with the exit code that it gives.
    ///
    /// # Errors
    /// As [`fork`]'s.
    pub fn start(work: impl Fn(UnixStream) -> i32) -> io::Result<Self> {
        let (socket, others) = UnixStream::pair()?;
        let process = fork(|| match serve(&others, work) {
            Ok(()) => 0,
            Err(_) => 1,
        })?;
        Ok(Self {
            socket,
            _process: process,
        })
    }

    /// Has a child forked; the socket to it. It does not wait for the child.
    ///
    /// # Errors
    /// The system's; the template has ended.
    pub fn spawn(&self) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        send_descriptor(&self.socket, theirs.as_fd())?;
        Ok(ours)
    }
}

/// In the template. It runs until its maker closes the socket.
fn serve(orders: &UnixStream, work: impl Fn(UnixStream) -> i32) -> io::Result<()> {
    while let Some(descriptor) = receive_descriptor(orders)? {
        // SAFETY: this process has one thread: `fork` counted it, and this loop makes none. So no lock is held by a
        // thread that the child lacks: it may do whatever a program may.
        match unsafe { libc::fork() } {
            -1 => return Err(io::Error::last_os_error()),
            0 => {
                let _ = set_parent_process_death_signal(Some(Signal::KILL));
                exit(work(descriptor.into()))
            }
            _ => drop(descriptor),
        }
        // Those that have ended meanwhile. None, or no child left: the next one is waited for next time.
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    }
    Ok(())
}

/// Sends a byte with a descriptor.
///
/// # Errors
/// The system's.
pub fn send_descriptor(
    socket: &UnixStream,
    descriptor: std::os::fd::BorrowedFd<'_>,
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    sendmsg(
        socket,
        &[IoSlice::new(&[1])],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// Receives a byte with a descriptor; none at the end.
///
/// # Errors
/// The system's; there is no descriptor with it.
pub fn receive_descriptor(socket: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let buffers = &mut [IoSliceMut::new(&mut byte)];
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(socket, buffers, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptor = descriptors.flatten().next();
    Ok(Some(descriptor.ok_or(io::ErrorKind::InvalidData)?))
}
