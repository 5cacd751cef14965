//! What waits to leave by a link.

use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pulsar_model::SendError;
use pulsar_ring::Corrupt;
use pulsar_wire::{Frame, MAX_FRAME_BYTES};
use tokio::sync::Notify;

use crate::Passed;
use crate::changes::Changes;
use crate::queue::{Forwarded, Queue, RingWay, Waits};
use crate::signal::{DESCRIPTORS, LOST, ring_bell};

/// Bytes that may wait before asks are held back: a few of the largest frames, so that a slow
/// reader costs the writer no more than this.
pub(crate) const ASKS_LIMIT_BYTES: usize = 4 * MAX_FRAME_BYTES;
/// Bytes that may wait at all. Replies and system frames are let past the first limit, since
/// holding them back could stop both sides for ever; a peer that lets this much gather is lost.
const LIMIT_BYTES: usize = 16 * MAX_FRAME_BYTES;

/// Frames, encoded, in the order in which they were pushed.
///
/// Over a socket it is the pump that writes them. Into a ring each is put by whoever pushes it, if
/// there is room and nothing waits before it; what is left is the pump's. The first goes at once; those that follow before the
/// pump has its turn go some at a time, and the last by the pump: each time takes lines of the cache from the other side,
/// which costs more than the frame itself.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    /// There is something for the pump to see to, or a reply will come soon.
    filled: Notify,
    /// It takes no more frames; the queue says so too, where it is decided.
    is_closed: AtomicBool,
    /// Asks find room again, or never will.
    room: Changes,
    /// There is something for the pump to see to. It is set after that is there, and taken before the
    /// pump looks.
    attention: AtomicBool,
    /// The pump sleeps, and would rather poll if a reply is to come.
    dozes: AtomicBool,
    /// The pump has had its turn since the last push.
    has_turned: AtomicBool,
}

impl Outbox {
    /// Appends a frame that asks for something, with the descriptors that it announces.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`] if the other side does not keep up, [`PushError::Refused`] if the
    /// frame is too large, [`PushError::Retired`], [`PushError::Closed`].
    pub(crate) fn push_ask(&self, frame: &Frame, passed: &Passed) -> Result<(), PushError> {
        let is_answered = frame.request != 0;
        self.push(is_answered, |queue| match queue.retired {
            true => Err(PushError::Retired),
            false => queue.push_with(frame, passed, false, ASKS_LIMIT_BYTES),
        })
    }

    /// The same for a frame that is encoded already, and announces none; one that `is_answered` is an ask.
    ///
    /// # Errors
    ///
    /// As [`push_ask`](Self::push_ask).
    pub(crate) fn push_encoded_ask(
        &self,
        frame: &[u8],
        is_answered: bool,
    ) -> Result<(), PushError> {
        self.push(is_answered, |queue| match queue.retired {
            true => Err(PushError::Retired),
            false => queue.push_encoded(frame, ASKS_LIMIT_BYTES),
        })
    }

    /// Appends a reply that is encoded already, and announces no descriptors.
    ///
    /// # Errors
    ///
    /// As [`push_reply`](Self::push_reply).
    pub(crate) fn push_encoded_reply(&self, frame: &[u8]) -> Result<(), PushError> {
        self.push(false, |queue| queue.push_encoded(frame, LIMIT_BYTES))
    }

    /// Appends a reply, with the descriptors that it announces.
    ///
    /// # Errors
    ///
    /// As [`push_ask`](Self::push_ask), at a higher limit and not if retired.
    pub(crate) fn push_reply(&self, frame: &Frame, passed: &Passed) -> Result<(), PushError> {
        self.push(false, |queue| {
            queue.push_with(frame, passed, false, LIMIT_BYTES)
        })
    }

    /// Appends a system frame, with the descriptors that it announces.
    ///
    /// # Errors
    ///
    /// As [`push_reply`](Self::push_reply).
    pub(crate) fn push_system(&self, frame: &Frame, passed: &Passed) -> Result<(), PushError> {
        self.push(false, |queue| {
            queue.push_with(frame, passed, true, LIMIT_BYTES)
        })
    }

    /// Appends the frame that says that no more asks come. Under one lock: none comes behind it.
    ///
    /// # Errors
    ///
    /// As [`push_reply`](Self::push_reply); then too there are no more asks.
    pub(crate) fn push_retire(&self, frame: &Frame) -> Result<(), PushError> {
        let pushed = self.push(false, |queue| {
            queue.retired = true;
            queue.push(frame, LIMIT_BYTES)
        });
        self.room.announce();
        pushed
    }

    /// Appends the last frame that goes to the socket: what is pushed from then on goes into the ring.
    ///
    /// # Errors
    ///
    /// As [`push_reply`](Self::push_reply); then nothing changes.
    pub(crate) fn push_switch(&self, frame: &Frame, ring: RingWay) -> Result<(), PushError> {
        self.push(false, |queue| {
            queue.push(frame, LIMIT_BYTES)?;
            queue.switch(ring);
            Ok(())
        })
    }

    fn push(
        &self,
        is_answered: bool,
        push: impl FnOnce(&mut Queue) -> Result<(), PushError>,
    ) -> Result<(), PushError> {
        let mut queue = self.queue.lock();
        // Relaxed: it says only how soon the other side is told.
        let is_first = self.has_turned.load(Ordering::Relaxed);
        queue.gather(!is_first);
        push(&mut queue)?;
        if is_first {
            self.has_turned.store(false, Ordering::Relaxed);
        }
        let forwarded = queue.forward_in_turn();
        drop(queue);
        let needs_pump = self.follow(forwarded);
        if needs_pump {
            // Not said twice: to say it waits until all that was written into the ring has left this processor. If the
            // pump has looked before this was pushed, it has taken what was said before that: by the lock, which both have
            // held, this load sees that.
            if !self.attention.load(Ordering::Relaxed) {
                self.call_pump();
            }
        } else if is_answered && self.dozes.load(Ordering::Relaxed) {
            // Relaxed: one that has just fallen asleep is woken by the reply's own bell.
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Does what is to be done without the lock; true if the rest is the pump's.
    fn follow(&self, forwarded: Forwarded) -> bool {
        if let Some(socket) = forwarded.bell {
            ring_bell(&socket);
        }
        if forwarded.made_room {
            self.room.announce();
        }
        forwarded.needs_pump
    }

    /// There is something for the pump to see to.
    pub(crate) fn call_pump(&self) {
        // Whoever has set it before wakes the pump, or has: it is taken before the pump looks, and the
        // wake-up is kept until the pump sleeps.
        if !self.attention.swap(true, Ordering::AcqRel) {
            self.filled.notify_one();
        }
    }

    /// The pump has its turn: what is pushed next is the first since.
    pub(crate) fn turns(&self) {
        if !self.has_turned.load(Ordering::Relaxed) {
            self.has_turned.store(true, Ordering::Relaxed);
        }
    }

    /// True if there may be something for the pump to see to since this was asked last.
    pub(crate) fn takes_attention(&self) -> bool {
        // Loaded first: a swap would take the line from those who push each time.
        self.attention.load(Ordering::Relaxed) && self.attention.swap(false, Ordering::Acquire)
    }

    /// The pump is about to sleep: an idle link holds no memory.
    pub(crate) fn shrink(&self) {
        self.queue.lock().shrink();
    }

    /// The pump sleeps, or it does not any more.
    pub(crate) fn dozes(&self, dozes: bool) {
        self.dozes.store(dozes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.waits() == Waits::Nothing
    }

    /// What the rest waits for.
    pub(crate) fn waits(&self) -> Waits {
        self.queue.lock().waits()
    }

    /// True if what is first goes to the socket, as bytes.
    pub(crate) fn has_bytes_for_socket(&self) -> bool {
        self.queue.lock().has_bytes_for_socket()
    }

    /// True once frames go into the ring: from then on the socket carries signals.
    pub(crate) fn is_on_ring(&self) -> bool {
        self.queue.lock().is_on_ring()
    }

    /// True if who waits for room need not wait any longer.
    pub(crate) fn has_half_room(&self) -> bool {
        self.queue.lock().has_half_room()
    }

    /// What the other side has stored in the ring's memory that cannot be.
    pub(crate) fn fault(&self) -> Option<Corrupt> {
        self.queue.lock().fault()
    }

    /// Descriptors of system frames that wait to be sent.
    pub(crate) fn descriptors(&self) -> usize {
        let queue = self.queue.lock();
        let system = queue.marks.iter().filter(|mark| mark.is_system);
        system.map(|mark| mark.passed.all().len()).sum()
    }

    pub(crate) fn has_room(&self) -> bool {
        let queue = self.queue.lock();
        queue.retired || queue.closed || queue.bytes.len() <= ASKS_LIMIT_BYTES
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Who finds it so finds the queue closed: that was closed before.
        self.is_closed.load(Ordering::Acquire)
    }

    /// Takes no more frames; what waits is still written.
    pub(crate) fn close(&self) {
        self.queue.lock().closed = true;
        self.is_closed.store(true, Ordering::Release);
        self.call_pump();
        self.room.announce();
    }

    /// Throws away what waits: nobody will read it.
    pub(crate) fn discard(&self) {
        let marks = self.queue.lock().discard();
        drop(marks);
        self.room.announce();
    }

    /// The pump has ended: the ring's memory is let go.
    pub(crate) fn leave_ring(&self) {
        self.queue.lock().leave_ring();
    }

    /// Waits until there is something to write, or nothing more will come.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Waits until an ask would be taken, or none ever will be.
    pub(crate) async fn room(&self) {
        self.room.until(|| self.has_room()).await;
    }

    /// Hands what waits for the socket to `write`, which says how much it took.
    ///
    /// One call carries the descriptors of at most one frame, and that frame's first byte comes
    /// first: a socket passes descriptors on with the first byte of their write. They are let go
    /// once that byte has left.
    ///
    /// A system that does not pass these descriptors, as when too many are on their way already, is no
    /// matter of the link's: the frame goes without them, and says so. Its reader answers whoever waits.
    pub(crate) fn write_with(
        &self,
        write: impl FnOnce(&[u8], &[BorrowedFd<'_>]) -> std::io::Result<usize>,
    ) -> std::io::Result<usize> {
        let mut queue = self.queue.lock();
        let (bytes, descriptors) = queue.next_write();
        let carries = !descriptors.is_empty();
        let written = write(bytes, &descriptors);
        drop(descriptors);
        let written = match written {
            Err(error) if carries && !is_of_the_socket(&error) => {
                tracing::error!(%error, "descriptors cannot be passed; their message goes without them");
                let lost = queue.lose_descriptors();
                drop(queue);
                drop(lost);
                return Ok(0);
            }
            written => written?,
        };
        let sent = match carries && written > 0 {
            true => queue.marks.pop_front(),
            false => None,
        };
        let made_room = queue.advance(written);
        drop(queue);
        drop(sent);
        if made_room {
            self.room.announce();
        }
        Ok(written)
    }

    /// Moves what waits into the ring, and hands to `send` the signals that have to follow a frame there:
    /// each a byte with its descriptors. What then waits, and for what.
    ///
    /// The frame is in the ring before its descriptors leave. So who has them finds it there.
    ///
    /// # Errors
    ///
    /// Those of `send`, but for a socket that takes no more.
    pub(crate) fn forward_with(
        &self,
        mut send: impl FnMut(u8, &[BorrowedFd<'_>]) -> std::io::Result<()>,
    ) -> std::io::Result<Waits> {
        loop {
            let mut queue = self.queue.lock();
            let forwarded = queue.forward();
            drop(queue);
            self.follow(forwarded);
            let mut queue = self.queue.lock();
            let Some(due) = queue.due() else {
                return Ok(queue.waits());
            };
            let Some(mark) = due else { continue };
            let sent = match mark.lost {
                true => send(LOST, &[]),
                false => send(DESCRIPTORS, &mark.passed.borrowed()),
            };
            let sent = match sent {
                Err(error) if !mark.lost && !is_of_the_socket(&error) => {
                    tracing::error!(%error, "descriptors cannot be passed; their message goes without them");
                    mark.lost = true;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Waits::Socket),
                sent => sent.map(|()| due.take()),
            };
            drop(queue);
            drop(sent?);
        }
    }
}

/// True of an error that a write without descriptors would have had as well.
fn is_of_the_socket(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}

/// Why a frame was not taken.
#[derive(Debug)]
pub(crate) enum PushError {
    /// The link is gone.
    Closed,
    /// The link is being retired and takes no more asks.
    Retired,
    /// More than this waits.
    Full {
        /// The limit.
        limit_bytes: usize,
    },
    /// It will never be taken.
    Refused(SendError),
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use bytes::{Bytes, BytesMut};
    use pulsar_wire::{DESCRIPTORS_LOST, FrameDecoder, Kind};

    use super::*;

    fn frame(body: &'static [u8]) -> Frame {
        Frame::new(Kind::Reply, Bytes::from_static(body))
    }

    fn nothing() -> Passed {
        Passed::default()
    }

    /// One end of a socket pair, to pass on, and the other, which tells when that is closed.
    fn descriptor() -> (OwnedFd, UnixStream) {
        let (passed, kept) = UnixStream::pair().unwrap();
        kept.set_nonblocking(true).unwrap();
        (passed.into(), kept)
    }

    fn is_open(kept: &UnixStream) -> bool {
        let read = std::io::Read::read(&mut &*kept, &mut [0]);
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// All writes, as (bytes, descriptors), each of at most `most` bytes.
    fn writes(outbox: &Outbox, most: usize) -> Vec<(usize, usize)> {
        let mut writes = Vec::new();
        while !outbox.is_empty() {
            let write = |bytes: &[u8], descriptors: &[BorrowedFd<'_>]| {
                let taken = bytes.len().min(most);
                writes.push((taken, descriptors.len()));
                Ok(taken)
            };
            outbox.write_with(write).unwrap();
        }
        writes
    }

    #[test]
    fn a_frame_with_descriptors_begins_a_write_of_its_own() {
        let outbox = Outbox::default();
        let (first, first_kept) = descriptor();
        let (second, second_kept) = descriptor();
        outbox.push_reply(&frame(b"before"), &nothing()).unwrap();
        outbox
            .push_reply(&frame(b"one"), &vec![first].into())
            .unwrap();
        outbox.push_reply(&frame(b"between"), &nothing()).unwrap();
        outbox
            .push_reply(&frame(b"two"), &vec![second].into())
            .unwrap();
        assert!(is_open(&first_kept) && is_open(&second_kept));
        assert_eq!(
            writes(&outbox, usize::MAX),
            [(38, 0), (35 + 39, 1), (35, 1)]
        );
        assert!(!is_open(&first_kept) && !is_open(&second_kept));
    }

    #[test]
    fn descriptors_go_with_the_first_byte_only_however_little_is_taken() {
        let outbox = Outbox::default();
        let (passed, _kept) = descriptor();
        outbox.push_reply(&frame(b""), &nothing()).unwrap();
        outbox
            .push_reply(&frame(b""), &vec![passed].into())
            .unwrap();
        let expected = [(20, 0), (12, 0), (20, 1), (12, 0)];
        assert_eq!(writes(&outbox, 20), expected);
    }

    #[test]
    fn a_write_that_takes_nothing_keeps_the_descriptors() {
        let outbox = Outbox::default();
        let (passed, kept) = descriptor();
        outbox
            .push_reply(&frame(b""), &vec![passed].into())
            .unwrap();
        let full = outbox.write_with(|_, _| Err(ErrorKind::WouldBlock.into()));
        assert_eq!(full.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(is_open(&kept));
        assert_eq!(writes(&outbox, usize::MAX), [(32, 1)]);
    }

    #[test]
    fn what_is_discarded_is_closed_and_later_descriptors_keep_their_place() {
        let outbox = Outbox::default();
        let (passed, kept) = descriptor();
        outbox
            .push_reply(&frame(b"x"), &vec![passed].into())
            .unwrap();
        outbox.discard();
        assert!(!is_open(&kept));
        let (passed, _kept) = descriptor();
        outbox.push_reply(&frame(b"yy"), &nothing()).unwrap();
        outbox
            .push_reply(&frame(b"zzz"), &vec![passed].into())
            .unwrap();
        assert_eq!(writes(&outbox, usize::MAX), [(34, 0), (35, 1)]);
    }

    #[test]
    fn descriptors_of_a_frame_that_is_not_taken_are_closed() {
        let outbox = Outbox::default();
        outbox.close();
        let (passed, kept) = descriptor();
        let refused = outbox.push_reply(&frame(b"x"), &vec![passed].into());
        assert!(matches!(refused, Err(PushError::Closed)));
        assert!(!is_open(&kept));
    }

    #[test]
    fn a_frame_whose_descriptors_the_system_does_not_pass_goes_without_them_and_says_so() {
        let outbox = Outbox::default();
        let (first, first_kept) = descriptor();
        let (second, second_kept) = descriptor();
        let one = Frame {
            descriptors: 1,
            ..frame(b"one")
        };
        outbox.push_reply(&frame(b"before"), &nothing()).unwrap();
        outbox.push_reply(&one, &vec![first].into()).unwrap();
        outbox.push_reply(&one, &vec![second].into()).unwrap();
        let (mut sent, mut passed, mut refusals) = (BytesMut::new(), 0, 0);
        while !outbox.is_empty() {
            let write = |bytes: &[u8], descriptors: &[BorrowedFd<'_>]| {
                if !descriptors.is_empty() && refusals == 0 {
                    refusals += 1;
                    return Err(rustix::io::Errno::TOOMANYREFS.into());
                }
                passed += descriptors.len();
                sent.extend_from_slice(bytes);
                Ok(bytes.len())
            };
            outbox.write_with(write).unwrap();
        }
        let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
        let frames = std::iter::from_fn(|| decoder.decode(&mut sent).unwrap());
        let announced: Vec<_> = frames.map(|frame| frame.descriptors).collect();
        assert_eq!(announced, [0, DESCRIPTORS_LOST, 1]);
        assert_eq!((passed, refusals), (1, 1));
        assert!(!is_open(&first_kept) && !is_open(&second_kept));
    }

    #[test]
    fn only_the_runtimes_own_descriptors_are_counted() {
        let outbox = Outbox::default();
        let (first, _kept) = descriptor();
        let (second, _kept) = descriptor();
        outbox.push_ask(&frame(b"x"), &vec![first].into()).unwrap();
        outbox
            .push_system(&frame(b"x"), &vec![second].into())
            .unwrap();
        assert_eq!(outbox.descriptors(), 1);
    }

    #[tokio::test]
    async fn asks_wait_for_room_and_replies_do_not() {
        let outbox = Outbox::default();
        let large = Frame::new(Kind::Ask, Bytes::from(vec![0; MAX_FRAME_BYTES - 1024]));
        while outbox.push_ask(&large, &nothing()).is_ok() {}
        assert!(matches!(
            outbox.push_ask(&frame(b"ask"), &nothing()),
            Err(PushError::Full { .. })
        ));
        outbox.push_reply(&frame(b"reply"), &nothing()).unwrap();
        let mut room = std::pin::pin!(outbox.room());
        assert!(futures_poll(room.as_mut()).await.is_none());
        // One of five large frames leaves.
        let taken = outbox.write_with(|_, _| Ok(MAX_FRAME_BYTES)).unwrap();
        assert_eq!(taken, MAX_FRAME_BYTES);
        room.await;
        outbox.push_ask(&frame(b"ask"), &nothing()).unwrap();
    }

    /// One look at a future: its output if it is done.
    async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match future.as_mut().poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
