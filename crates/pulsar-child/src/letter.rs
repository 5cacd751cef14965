//! What a child process is told first.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use pulsar_sys::descriptors::send_with_descriptors;

/// The boot record on its way to a process, with the descriptors that go with it, and after it a byte that lets the process
/// go on.
///
/// The record can be sent before the process is there: it waits in the socket, so that the process reads it and makes itself
/// ready while its maker does the rest. Nothing of the user's runs before the last byte has come, and that is sent only
/// once the letter was [released](Self::release): when all limits of the process are set.
#[derive(Debug)]
pub struct Letter {
    /// The last one is [`GO`](Self::GO).
    bytes: Vec<u8>,
    sent: usize,
    is_released: bool,
    descriptors: Vec<Arc<OwnedFd>>,
}

impl Letter {
    /// The byte behind the boot record.
    pub const GO: u8 = 0x60;

    /// A letter of which nothing is sent yet. The descriptors go with the first byte.
    pub fn new(mut record: Vec<u8>, descriptors: Vec<Arc<OwnedFd>>) -> Self {
        record.push(Self::GO);
        Self {
            bytes: record,
            sent: 0,
            is_released: false,
            descriptors,
        }
    }

    /// The process may go on once it has read this.
    pub fn release(&mut self) {
        self.is_released = true;
    }

    /// Sends what may be sent, as far as the socket has room. True once all of that has left.
    ///
    /// # Errors
    ///
    /// The system's, but for a socket without room.
    pub fn send(&mut self, link: impl AsFd) -> io::Result<bool> {
        let end = self.bytes.len() - usize::from(!self.is_released);
        while self.sent < end {
            let descriptors: Vec<BorrowedFd<'_>> = match self.sent {
                0 => self.descriptors.iter().map(|fd| fd.as_fd()).collect(),
                _ => Vec::new(),
            };
            match send_with_descriptors(&link, &self.bytes[self.sent..end], &descriptors) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// It goes to another process: the one that it was for does not come.
    pub(crate) fn begin_anew(&mut self) {
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_last_byte_waits_for_the_release() {
        let (link, mut child) = UnixStream::pair().unwrap();
        let mut letter = Letter::new(b"record".to_vec(), Vec::new());
        assert!(letter.send(&link).unwrap());
        let mut bytes = [0; 16];
        assert_eq!(child.read(&mut bytes).unwrap(), b"record".len());
        letter.release();
        assert!(letter.send(&link).unwrap());
        assert_eq!(child.read(&mut bytes).unwrap(), 1);
        assert_eq!(bytes[0], Letter::GO);
    }

    #[test]
    fn what_finds_no_room_is_sent_later_and_its_descriptors_once() {
        let (link, child) = UnixStream::pair().unwrap();
        link.set_nonblocking(true).unwrap();
        let (mut told, tells) = UnixStream::pair().unwrap();
        let record = vec![7; 1 << 20];
        let mut letter = Letter::new(record.clone(), vec![Arc::new(tells.into())]);
        letter.release();
        let (mut came, mut descriptors) = (Vec::new(), Vec::new());
        let mut sends = 0;
        while came.len() <= record.len() {
            let _ = letter.send(&link).unwrap();
            sends += 1;
            let mut chunk = vec![0; 1 << 16];
            let received = pulsar_sys::descriptors::recv_with_descriptors(
                &child,
                &mut chunk,
                &mut descriptors,
            );
            came.extend_from_slice(&chunk[..received.unwrap().bytes]);
        }
        assert!(sends > 1, "it fits at once");
        let (last, read) = came.split_last().unwrap();
        assert_eq!((*last, read), (Letter::GO, &record[..]));
        assert_eq!(descriptors.len(), 1);
        drop(letter);
        let mut other_end = UnixStream::from(descriptors.remove(0));
        other_end.write_all(b"x").unwrap();
        drop(other_end);
        let mut word = Vec::new();
        told.read_to_end(&mut word).unwrap();
        assert_eq!(word, b"x");
    }

    #[test]
    fn another_process_gets_the_whole_of_it() {
        let mut letter = Letter::new(b"record".to_vec(), Vec::new());
        for _ in 0..2 {
            let (link, mut child) = UnixStream::pair().unwrap();
            letter.begin_anew();
            assert!(letter.send(&link).unwrap());
            let mut bytes = [0; 16];
            assert_eq!(child.read(&mut bytes).unwrap(), b"record".len());
        }
    }
}
