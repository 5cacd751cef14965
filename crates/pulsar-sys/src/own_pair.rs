//! A pair of sockets that a library keeps for itself, and that each fork must have anew.

use std::{
    io,
    os::fd::{BorrowedFd, RawFd},
};

use rustix::net::{RecvFlags, recv, send};

use crate::{descriptors::open_descriptors, platform, single_thread::SingleThread};

/// The numbers of two Unix sockets, connected to each other, of which whoever opened them keeps no more than the numbers'
/// descriptors. The two sides are alike, so which is which makes no difference.
#[derive(Debug)]
pub(crate) struct OwnPair([RawFd; 2]);

impl OwnPair {
    /// Runs `begin`, drops what it gives, and finds the pair that is left.
    ///
    /// # Errors
    ///
    /// Those of `begin`; something else is left. Then forks would have that in common.
    pub(crate) fn left_by<T>(
        _alone: &SingleThread,
        begin: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<Self> {
        let before = open_descriptors()?;
        drop(begin()?);
        let mut left = open_descriptors()?;
        left.retain(|number| before.binary_search(number).is_err());
        match left[..] {
            [one, other] if speaks(one, other)? && speaks(other, one)? => Ok(Self([one, other])),
            _ => {
                let count = left.len();
                let message = format!("{count} descriptors are left open, which are no pair");
                Err(io::Error::other(message))
            }
        }
    }

    /// In a fork: puts a new pair in the place of that which it has inherited. Neither blocks, and both are closed by `exec`.
    ///
    /// # Errors
    ///
    /// The system's. The process has a pair in common with others then, and should leave.
    pub(crate) fn renew(&self, _alone: &SingleThread) -> io::Result<()> {
        let (one, other) = platform::nonblocking_pair()?;
        for (end, number) in [one, other].into_iter().zip(self.0) {
            // SAFETY: the number is an end of the template's pair: this process is a fork with one thread, which has closed
            // nothing of it. Whoever owns the descriptor owns an end of the new pair from now on, of the same kind and with
            // the same flags, and as for the old one nothing of what was sent over it is awaited.
            unsafe { platform::take_place(end, number) }?;
        }
        Ok(())
    }
}

/// Whether what is sent over one socket comes to the other.
fn speaks(from: RawFd, to: RawFd) -> io::Result<bool> {
    // SAFETY: it was listed just now, and no other thread can have closed it since.
    let from = unsafe { BorrowedFd::borrow_raw(from) };
    // SAFETY: the same.
    let to = unsafe { BorrowedFd::borrow_raw(to) };
    let flags = platform::SEND_FLAGS | rustix::net::SendFlags::DONTWAIT;
    let mut byte = [0; 2];
    let sent = send(from, b"?", flags)?;
    let (_, came) = recv(to, &mut byte[..], RecvFlags::DONTWAIT)?;
    Ok((sent, came, byte[0]) == (1, 1, b'?'))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        os::{fd::AsRawFd, unix::net::UnixStream},
    };

    use super::*;

    #[test]
    fn only_sockets_of_one_pair_speak_with_each_other() {
        let (one, other) = UnixStream::pair().unwrap();
        let (stranger, _its_other) = UnixStream::pair().unwrap();
        assert!(speaks(one.as_raw_fd(), other.as_raw_fd()).unwrap());
        assert!(speaks(one.as_raw_fd(), stranger.as_raw_fd()).is_err());
        let nothing = std::fs::File::open("/dev/null").unwrap();
        assert!(speaks(nothing.as_raw_fd(), other.as_raw_fd()).is_err());
    }

    #[test]
    fn a_new_pair_takes_the_place_of_the_old_one() {
        let (old_one, old_other) = UnixStream::pair().unwrap();
        // What another process that has inherited the pair holds of it.
        let mut inherited = old_other.try_clone().unwrap();
        inherited.set_nonblocking(true).unwrap();
        let (one, other) = platform::nonblocking_pair().unwrap();
        for (end, old) in [(one, &old_one), (other, &old_other)] {
            // SAFETY: both are Unix sockets of this test.
            unsafe { platform::take_place(end, old.as_raw_fd()) }.unwrap();
        }
        (&old_one).write_all(b"x").unwrap();
        let mut byte = [0];
        assert_eq!((&old_other).read(&mut byte).unwrap(), 1);
        // The other end of its pair is closed here, and nothing was sent over it.
        assert_eq!(inherited.read(&mut byte).unwrap(), 0);
        let empty = (&old_other).read(&mut byte).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
    }
}
