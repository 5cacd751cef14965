//! What a link's socket carries once its frames go through rings: single bytes, of which none is
//! ever cut in two.

use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;

use pulsar_sys::descriptors::send_with_descriptors;

use crate::socket::Socket;

/// Wake up: there is something in the ring, or room.
pub(crate) const BELL: u8 = 0;
/// With it come the descriptors of the next frame in the ring that announces some.
pub(crate) const DESCRIPTORS: u8 = 1;
/// The descriptors of the next such frame could not be passed.
pub(crate) const LOST: u8 = 2;

/// Wakes the other side.
///
/// The socket is asked and not what the event loop knows of it, which may be old: if it takes no
/// byte, then because bytes lie there that the other side has not read; so it is woken, or awake, and
/// needs no further one. If the other side is gone there is nobody to wake, and the reader learns it.
pub(crate) fn ring_bell(socket: &Socket) {
    let rung = send_with_descriptors(socket, &[BELL], &[]);
    if let Err(error) = rung
        && error.kind() != ErrorKind::WouldBlock
    {
        tracing::trace!(%error, "nobody hears the bell");
    }
}

/// Sends one byte, with these descriptors.
pub(crate) fn send_signal(
    socket: impl std::os::fd::AsFd,
    signal: u8,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send_with_descriptors(socket, &[signal], descriptors).map(drop)
}
