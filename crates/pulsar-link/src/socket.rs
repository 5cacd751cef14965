//! A link's socket, as its pump reads and writes it.

use std::future::pending;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use pulsar_sys::descriptors::{Received, recv_with_descriptors};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;
use tokio::time::sleep;

use crate::queue::Waits;

/// How soon one looks again whether there is room, who has no descriptor left by which to be told.
const NAP: Duration = Duration::from_millis(1);

/// It is registered for reading only. One that is registered for writing as well is woken each time that the other
/// side has read: for each bell that it has rung.
#[derive(Debug)]
pub(crate) struct Socket(AsyncFd<OwnedFd>);

impl Socket {
    /// # Errors
    ///
    /// The system's.
    pub(crate) fn new(stream: UnixStream) -> io::Result<Self> {
        let descriptor = OwnedFd::from(stream.into_std()?);
        register(descriptor, Interest::READABLE).map(Self)
    }

    /// Reads what there is, with the descriptors that came with it.
    ///
    /// # Errors
    ///
    /// The system's; `WouldBlock` if there is nothing.
    pub(crate) fn receive(
        &self,
        buffer: &mut [u8],
        descriptors: &mut Vec<OwnedFd>,
    ) -> io::Result<Received> {
        let read = |socket: &OwnedFd| recv_with_descriptors(socket, buffer, descriptors);
        self.0.try_io(Interest::READABLE, read)
    }

    /// Waits until there is something to read, or for what else the pump waits; true if there may be something to
    /// read.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(crate) async fn ready(&self, waits: Waits) -> io::Result<bool> {
        let room = async {
            match waits {
                Waits::Socket => self.writable().await,
                Waits::Nothing | Waits::Room => pending().await,
            }
        };
        tokio::select! {
            biased;
            ready = self.0.readable() => {
                ready?.retain_ready();
                Ok(true)
            }
            () = room => Ok(false),
        }
    }

    /// Waits until the socket may take more. For this once it is registered by another descriptor.
    async fn writable(&self) {
        let registered = self.0.get_ref().try_clone();
        let registered = registered.and_then(|descriptor| register(descriptor, Interest::WRITABLE));
        match registered {
            // An error is met by the next write.
            Ok(other) => drop(other.writable().await.map(|mut ready| ready.retain_ready())),
            Err(_) => sleep(NAP).await,
        }
    }
}

#[expect(
    deprecated,
    reason = "its successor is `unsafe` and asks for what `OwnedFd` promises: it stays open"
)]
fn register(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, interest)
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}
