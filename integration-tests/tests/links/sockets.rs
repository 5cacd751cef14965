//! The sockets of this process, found without the runtime's knowledge.

use std::fs::{read_dir, read_link};
use std::os::fd::OwnedFd;

use pulsar::prelude::*;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, getppid, pidfd_getfd, pidfd_open};

/// Other descriptors of all sockets that this process has open.
pub(crate) fn own_sockets() -> Result<Vec<OwnedFd>> {
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    let mut sockets = Vec::new();
    for entry in read_dir("/proc/self/fd")? {
        let entry = entry?;
        // The descriptor of the folder itself is no socket, and closed by the end.
        let is_socket = read_link(entry.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"));
        if is_socket {
            let number = entry.file_name().to_string_lossy().parse()?;
            sockets.push(pidfd_getfd(&own, number, PidfdGetfdFlags::empty())?);
        }
    }
    Ok(sockets)
}

/// The link to the arbiter, past the runtime. This process has no other yet.
pub(crate) fn arbiters_link() -> Result<OwnedFd> {
    let parent = getppid();
    let is_parents = |socket: &OwnedFd| {
        let peer = rustix::net::sockopt::socket_peercred(socket);
        peer.is_ok_and(|peer| Some(peer.pid) == parent)
    };
    let link = own_sockets()?.into_iter().find(is_parents);
    link.ok_or_else(|| Error::msg("no link"))
}

/// How many descriptors this process has open, one of them for looking.
pub(crate) fn open_files() -> Result<usize> {
    Ok(read_dir("/proc/self/fd")?.count())
}
