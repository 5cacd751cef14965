//! A link's socket, as its pump reads and writes it.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use pulsar_sys::descriptors::{Received, recv_with_descriptors};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use crate::queue::Waits;

/// How soon one looks again whether there is room, who has no descriptor left by which to be told.
const NAP: Duration = Duration::from_millis(1);

/// A read that did not fill its buffer, and brought no descriptors, has emptied the socket: only those end a read where more
/// may follow. The end of the stream is an event of its own, which what is known of the socket keeps.
const EMPTIED_BY_SHORT_READ: bool = cfg!(target_os = "linux");

/// Whoever waits for what comes is told of each thing that comes, also where what came before still lies there.
const LEAVES: bool = cfg!(target_os = "linux");

/// What has become of an attempt to leave what has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Leaving {
    /// Nothing has come.
    Nothing,
    Left,
    /// It is to be read: it may be the end.
    Refused,
}

/// One of the ways to read from a socket.
pub(crate) type Receive = fn(&Socket, &mut [u8], &mut Vec<OwnedFd>) -> io::Result<Received>;

/// It is registered for reading only. One that is registered for writing as well is woken each time that the other
/// side has read: for each bell that it has rung.
#[derive(Debug)]
pub(crate) struct Socket(AsyncFd<OwnedFd>);

impl Socket {
    /// The stream does not block.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(crate) fn new(stream: UnixStream) -> io::Result<Self> {
        register(stream.into(), Interest::READABLE).map(Self)
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
        let (room, before) = (buffer.len(), descriptors.len());
        let mut received = None;
        let read = self.0.try_io(Interest::READABLE, |socket| {
            let read = recv_with_descriptors(socket, buffer, descriptors)?;
            received = Some(read);
            let was_emptied = EMPTIED_BY_SHORT_READ
                && (1..room).contains(&read.bytes)
                && descriptors.len() == before
                && !read.lost_descriptors;
            match was_emptied {
                // So the event loop waits for the next that comes, and this is not asked once more.
                true => Err(ErrorKind::WouldBlock.into()),
                false => Ok(()),
            }
        });
        match received {
            Some(received) => Ok(received),
            None => Err(read.err().unwrap_or_else(|| ErrorKind::WouldBlock.into())),
        }
    }

    /// The same without asking first whether there is something: for what lies there since before.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub(crate) fn receive_left(
        &self,
        buffer: &mut [u8],
        descriptors: &mut Vec<OwnedFd>,
    ) -> io::Result<Received> {
        recv_with_descriptors(self.0.get_ref(), buffer, descriptors)
    }

    /// Leaves where it is what has come, if that can be: one is still told of what comes next.
    pub(crate) fn leave(&self) -> Leaving {
        match self.forget() {
            false => Leaving::Nothing,
            // The end stays known.
            true if !LEAVES || self.forget() => Leaving::Refused,
            true => Leaving::Left,
        }
    }

    /// Forgets that something has come, if it has: whoever waits is told of the next that comes. That it has come to its
    /// end is not forgotten.
    fn forget(&self) -> bool {
        let mut has_come = false;
        let forgotten = self.0.try_io(Interest::READABLE, |_| {
            has_come = true;
            Err::<(), _>(ErrorKind::WouldBlock.into())
        });
        drop(forgotten);
        has_come
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use pulsar_sys::descriptors::send_with_descriptors;
    use tokio::time::timeout;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// What comes next, waited for as the pump does.
    async fn next(socket: &Socket, descriptors: &mut Vec<OwnedFd>) -> Vec<u8> {
        loop {
            socket.ready(Waits::Nothing).await.unwrap();
            let mut buffer = [0; 64];
            match socket.receive(&mut buffer, descriptors) {
                Ok(received) => return buffer[..received.bytes].to_vec(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }

    #[tokio::test]
    async fn what_lies_behind_descriptors_is_read_and_so_is_the_end() {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let socket = Socket::new(near).unwrap();
        let (passed, _) = UnixStream::pair().unwrap();
        for _ in 0..3 {
            // All of it is there before any is read.
            send_with_descriptors(&far, b"one", &[]).unwrap();
            send_with_descriptors(&far, b"two", &[passed.as_fd()]).unwrap();
            send_with_descriptors(&far, b"three", &[]).unwrap();
            let (mut bytes, mut descriptors) = (Vec::new(), Vec::new());
            while bytes.len() < b"onetwothree".len() {
                let read = timeout(LIMIT, next(&socket, &mut descriptors)).await;
                bytes.extend(read.expect("what was sent is read"));
            }
            assert_eq!((&bytes[..], descriptors.len()), (&b"onetwothree"[..], 1));
        }
        send_with_descriptors(&far, b"last", &[]).unwrap();
        drop(far);
        let mut descriptors = Vec::new();
        for expected in [&b"last"[..], b""] {
            let read = timeout(LIMIT, next(&socket, &mut descriptors)).await;
            assert_eq!(read.expect("the end is read"), expected);
        }
    }

    #[tokio::test]
    async fn a_socket_that_a_read_has_emptied_is_not_asked_once_more() {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let socket = Socket::new(near).unwrap();
        send_with_descriptors(&far, b"one", &[]).unwrap();
        let mut descriptors = Vec::new();
        assert_eq!(next(&socket, &mut descriptors).await, b"one");
        let ready = socket.ready(Waits::Nothing).now_or_never();
        assert_eq!(ready.is_none(), EMPTIED_BY_SHORT_READ);
    }
}
