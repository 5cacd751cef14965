//! Open files, passed to another process over a Unix socket.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{Dir, Mode, OFlags},
    io::retry_on_intr,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, recvmsg, send, sendmsg,
    },
};

use crate::platform;

/// The most descriptors that one message carries. The kernel allows 253; fewer keep the buffers small.
pub const MAX_DESCRIPTORS: usize = 64;

/// Room for the control data of one message.
const SPACE: usize = rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS));

/// Sends bytes with descriptors; returns how many bytes were taken, as `write` does.
///
/// The descriptors go with the first byte, so they have been sent if it succeeds at all. A closed peer is an error and
/// not a signal.
///
/// # Errors
///
/// `InvalidInput` for more than [`MAX_DESCRIPTORS`], or for descriptors without a byte to carry them. `WouldBlock` on
/// a non-blocking socket that is full: nothing has been sent.
pub fn send_with_descriptors(
    link: impl AsFd,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    if bytes.is_empty() && !descriptors.is_empty() {
        return Err(invalid_input("descriptors need a byte to travel with"));
    }
    if descriptors.is_empty() {
        // The shorter way: bells are rung so.
        return Ok(retry_on_intr(|| send(&link, bytes, platform::SEND_FLAGS))?);
    }
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fits = descriptors.len() <= MAX_DESCRIPTORS
        && control.push(SendAncillaryMessage::ScmRights(descriptors));
    if !fits {
        return Err(invalid_input("a message carries at most 64 descriptors"));
    }
    let slices = [IoSlice::new(bytes)];
    let sent = retry_on_intr(|| sendmsg(&link, &slices, &mut control, platform::SEND_FLAGS));
    Ok(sent?)
}

/// What was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// The number of bytes; zero at the end.
    pub bytes: usize,
    /// Descriptors came with the bytes and could not be opened here, for want of room, or were more than
    /// [`MAX_DESCRIPTORS`]. Those that could be are closed again.
    pub lost_descriptors: bool,
}

/// Receives bytes, and adds the descriptors that came with them to `received`. The descriptors are closed by `exec`.
///
/// # Errors
///
/// `WouldBlock` on a non-blocking socket that is empty.
/// `InvalidInput` for an empty buffer, whose result couldn't be told from the end.
pub fn recv_with_descriptors(
    link: impl AsFd,
    buffer: &mut [u8],
    received: &mut Vec<OwnedFd>,
) -> io::Result<Received> {
    if buffer.is_empty() {
        return Err(invalid_input("the buffer is empty"));
    }
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(buffer)];
    let message =
        retry_on_intr(|| recvmsg(&link, &mut slices, &mut control, platform::RECV_FLAGS))?;
    // Owned first, so that an error closes them.
    let before = received.len();
    for data in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = data {
            received.extend(descriptors);
        }
    }
    let lost_descriptors = message.flags.contains(ReturnFlags::CTRUNC);
    if lost_descriptors {
        received.truncate(before);
    }
    if let Err(error) = platform::close_on_exec(&received[before..]) {
        received.truncate(before);
        return Err(error);
    }
    Ok(Received {
        bytes: message.bytes,
        lost_descriptors,
    })
}

/// Reads what is there; zero bytes at the end.
///
/// # Errors
///
/// `WouldBlock` on a non-blocking descriptor that has nothing.
pub fn read_now(from: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::io::read(&from, &mut *buffer))?)
}

/// The numbers of all open descriptors of this process, in rising order, without the one that looks.
///
/// # Errors
///
/// If `/proc/self/fd` can't be read.
pub fn open_descriptors() -> io::Result<Vec<i32>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let looking = rustix::fs::open("/proc/self/fd", flags, Mode::empty())?;
    let own = looking.as_raw_fd();
    let mut open = Vec::new();
    for entry in Dir::new(looking)? {
        // The names `.` and `..` aren't numbers.
        let number = entry?
            .file_name()
            .to_str()
            .ok()
            .and_then(|name| name.parse::<i32>().ok());
        open.extend(number.filter(|number| *number != own));
    }
    open.sort_unstable();
    Ok(open)
}

/// How many descriptors of this process are open. Since Linux 6.2 it costs one call; before, as much as the list.
///
/// # Errors
///
/// If `/proc/self/fd` can't be read.
pub fn count_open_descriptors() -> io::Result<usize> {
    let told = rustix::fs::stat("/proc/self/fd")?.st_size;
    match usize::try_from(told) {
        // Older kernels say so of any directory there; at least the standard streams' numbers are mostly taken.
        Ok(0) | Err(_) => Ok(open_descriptors()?.len()),
        Ok(count) => Ok(count),
    }
}

fn invalid_input(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read, Seek, Write},
        os::unix::net::UnixStream,
    };

    use rustix::{io::FdFlags, net::SendFlags};

    use super::*;

    #[test]
    fn as_many_are_counted_as_are_listed() {
        // Other tests of this process open and close some meanwhile.
        let agree = || count_open_descriptors().unwrap() == open_descriptors().unwrap().len();
        let _more = [(); 8].map(|()| File::open("/dev/null").unwrap());
        assert!((0..1_000).any(|_| agree()));
    }

    #[test]
    fn a_descriptor_arrives_with_its_bytes() {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut kept, passed) = UnixStream::pair().unwrap();
        let sent = send_with_descriptors(&one, b"here", &[passed.as_fd()]).unwrap();
        assert_eq!(sent, 4);
        drop(passed);

        let (mut buffer, mut received) = ([0; 16], Vec::new());
        let count = recv_with_descriptors(&other, &mut buffer, &mut received)
            .unwrap()
            .bytes;
        assert_eq!((&buffer[..count], received.len()), (&b"here"[..], 1));
        let arrived = received.remove(0);
        let flags = rustix::io::fcntl_getfd(&arrived).unwrap();
        assert!(flags.contains(FdFlags::CLOEXEC));
        UnixStream::from(arrived).write_all(b"x").unwrap();
        let mut byte = [0];
        kept.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
    }

    #[test]
    fn the_full_number_of_descriptors_arrives_and_one_more_is_refused() {
        let (one, other) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let many = vec![file.as_fd(); MAX_DESCRIPTORS + 1];
        let error = send_with_descriptors(&one, b"x", &many).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        send_with_descriptors(&one, b"x", &many[1..]).unwrap();
        let mut received = Vec::new();
        recv_with_descriptors(&other, &mut [0; 8], &mut received).unwrap();
        assert_eq!(received.len(), MAX_DESCRIPTORS);
    }

    #[test]
    fn cut_off_control_data_is_told_and_leaves_nothing_open() {
        let (one, other) = UnixStream::pair().unwrap();
        let mut file = File::open("/proc/self/status").unwrap();
        let many = vec![file.as_fd(); MAX_DESCRIPTORS * 2];
        let mut space = vec![MaybeUninit::uninit(); SPACE * 3];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&many)));
        sendmsg(
            &one,
            &[IoSlice::new(b"x")],
            &mut control,
            SendFlags::empty(),
        )
        .unwrap();

        let mut received = Vec::new();
        let cut = recv_with_descriptors(&other, &mut [0; 8], &mut received).unwrap();
        assert!(cut.lost_descriptors && cut.bytes == 1);
        assert!(received.is_empty());
        file.rewind().unwrap();
    }

    #[test]
    fn the_end_is_zero_bytes_and_a_closed_peer_is_an_error() {
        let (one, other) = UnixStream::pair().unwrap();
        drop(one);
        let count = recv_with_descriptors(&other, &mut [0; 8], &mut Vec::new())
            .unwrap()
            .bytes;
        assert_eq!(count, 0);
        let error = send_with_descriptors(&other, b"x", &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn descriptors_without_a_byte_are_refused() {
        let (one, _other) = UnixStream::pair().unwrap();
        let error = send_with_descriptors(&one, b"", &[one.as_fd()]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn an_open_descriptor_is_listed() {
        let file = File::open("/dev/null").unwrap();
        assert!(open_descriptors().unwrap().contains(&file.as_raw_fd()));
    }
}
