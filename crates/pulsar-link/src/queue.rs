//! The frames of an outbox, in the order in which they leave.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};

use bytes::{Buf, BytesMut};
use pulsar_model::SendError;
use pulsar_ring::{Corrupt, Producer};
use pulsar_wire::{DESCRIPTORS_AT, DESCRIPTORS_LOST, Frame, FrameError, MAX_FRAME_BYTES};

use crate::Passed;
use crate::mapped::Mapped;
use crate::outbox::{ASKS_LIMIT_BYTES, PushError};
use crate::socket::Socket;

/// An empty buffer larger than this is given back: an idle link costs next to nothing.
const KEEP_BYTES: usize = 64 << 10;

/// A frame of no more than this is put together before it is written. Most are far smaller.
const SMALL_BYTES: usize = 256;

/// Frames of one burst that go into the ring at once, where the other side is told of them. Each time takes lines of the cache
/// from the other side, and the next locked instruction waits until they are here, some hundred nanoseconds: which these
/// frames share, as their lines come side by side. And the reader has this many to go on with meanwhile.
const MOST_GATHERED: u32 = 16;
/// Bytes after which they go all the same; and frames of more are not gathered.
const GATHERED_BYTES: usize = 4 << 10;

/// Frames, encoded, and where they go.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) bytes: BytesMut,
    /// Bytes that have left before those in `bytes`.
    pub(crate) left: u64,
    /// The frames among `bytes` that carry descriptors, in order.
    pub(crate) marks: VecDeque<Mark>,
    /// No more asks: the link is being retired.
    pub(crate) retired: bool,
    pub(crate) closed: bool,
    /// What is pushed now may wait for what follows it.
    gathers: bool,
    way: Way,
}

/// Where the bytes go.
#[derive(Debug, Default)]
enum Way {
    #[default]
    Socket,
    /// To the socket, up to this position, and those behind it into the ring.
    Switching(u64, RingWay),
    Ring(RingWay),
}

/// The ring, as the way of what leaves.
#[derive(Debug)]
pub(crate) struct RingWay {
    producer: Producer<Mapped>,
    /// For the bell. The pump owns it: when that ends it is closed.
    socket: Weak<Socket>,
    /// The descriptors of the frame that has just gone into the ring. Nothing follows it before they do.
    due: Option<Mark>,
    /// Times that something was pushed and not written.
    gathered: u32,
    fault: Option<Corrupt>,
}

/// Descriptors that go with a frame.
#[derive(Debug)]
pub(crate) struct Mark {
    /// How many bytes leave before that frame's first, counted from the link's first.
    position: u64,
    /// And before the byte behind its last.
    end: u64,
    pub(crate) passed: Passed,
    /// They are the runtime's own, not a message's.
    pub(crate) is_system: bool,
    /// The system does not pass them.
    pub(crate) lost: bool,
}

/// What has come of a look at the queue.
#[derive(Debug, Default)]
#[must_use = "the other side may sleep until the bell is rung"]
pub(crate) struct Forwarded {
    /// Where to ring.
    pub(crate) bell: Option<Arc<Socket>>,
    /// Asks find room again.
    pub(crate) made_room: bool,
    /// Something is left for the pump to do.
    pub(crate) needs_pump: bool,
}

/// What the rest of a queue waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waits {
    /// There is none.
    Nothing,
    /// The socket takes no more.
    Socket,
    /// The ring is full.
    Room,
}

impl RingWay {
    pub(crate) fn new(producer: Producer<Mapped>, socket: Weak<Socket>) -> Self {
        Self {
            producer,
            socket,
            due: None,
            gathered: 0,
            fault: None,
        }
    }
}

/// What a frame that cannot be written is to its sender.
pub(crate) fn refused(error: FrameError) -> PushError {
    PushError::Refused(match error {
        FrameError::TooLarge { size, limit } => SendError::TooLarge { size, limit },
        other => SendError::codec(other),
    })
}

impl Queue {
    /// Gives back the room of what has left.
    pub(crate) fn shrink(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }

    pub(crate) fn push_with(
        &mut self,
        frame: &Frame,
        passed: &Passed,
        is_system: bool,
        limit_bytes: usize,
    ) -> Result<(), PushError> {
        let position = self.left + self.bytes.len() as u64;
        if passed.is_empty() {
            return self.push(frame, limit_bytes);
        }
        self.append(frame, limit_bytes)?;
        self.marks.push_back(Mark {
            position,
            end: self.left + self.bytes.len() as u64,
            passed: passed.clone(),
            is_system,
            lost: false,
        });
        Ok(())
    }

    /// Appends a frame without descriptors. If nothing waits before it, what the ring has room for goes there straight
    /// away, which saves a copy.
    pub(crate) fn push(&mut self, frame: &Frame, limit_bytes: usize) -> Result<(), PushError> {
        // In one piece: the ring takes what stands at odd places byte for byte.
        let mut small = [0; SMALL_BYTES];
        if let Some(frame) = frame.encode_small(&mut small) {
            return self.push_encoded(frame, limit_bytes);
        }
        self.check_open(limit_bytes)?;
        let is_first = self.bytes.is_empty();
        let encoded = frame.encode_head(&mut self.bytes, MAX_FRAME_BYTES);
        encoded.map_err(refused)?;
        let mut written = 0;
        if is_first {
            let head = self.bytes.split();
            let in_ring = self.write_through(&head);
            match head.len() - in_ring {
                0 => written = self.write_through(&frame.body),
                _ => self.bytes.extend_from_slice(&head[in_ring..]),
            }
        }
        self.bytes.extend_from_slice(&frame.body[written..]);
        Ok(())
    }

    /// The same for one that is encoded already.
    pub(crate) fn push_encoded(
        &mut self,
        frame: &[u8],
        limit_bytes: usize,
    ) -> Result<(), PushError> {
        self.check_open(limit_bytes)?;
        let is_gathered = self.gathers && frame.len() <= GATHERED_BYTES;
        let written = match self.bytes.is_empty() && !is_gathered {
            true => self.write_through(frame),
            false => 0,
        };
        self.bytes.extend_from_slice(&frame[written..]);
        Ok(())
    }

    /// Writes into the ring, where nothing waits before it; how much of it.
    fn write_through(&mut self, bytes: &[u8]) -> usize {
        let Way::Ring(ring) = &mut self.way else {
            return 0;
        };
        if ring.due.is_some() || ring.fault.is_some() {
            return 0;
        }
        match ring.producer.write(bytes) {
            Ok(written) => {
                self.left += written as u64;
                written
            }
            Err(corrupt) => {
                ring.fault = Some(corrupt);
                0
            }
        }
    }

    fn append(&mut self, frame: &Frame, limit_bytes: usize) -> Result<(), PushError> {
        self.check_open(limit_bytes)?;
        frame
            .encode(&mut self.bytes, MAX_FRAME_BYTES)
            .map_err(refused)
    }

    fn check_open(&self, limit_bytes: usize) -> Result<(), PushError> {
        if self.closed {
            return Err(PushError::Closed);
        }
        match self.bytes.len() > limit_bytes {
            true => Err(PushError::Full { limit_bytes }),
            false => Ok(()),
        }
    }

    /// What is pushed from now on goes into the ring, once all that was pushed before has gone to the
    /// socket.
    pub(crate) fn switch(&mut self, ring: RingWay) {
        self.way = Way::Switching(self.left + self.bytes.len() as u64, ring);
        self.settle_way();
    }

    /// Lets go of the ring: the link is at its end, and nothing leaves any more.
    pub(crate) fn leave_ring(&mut self) {
        self.way = Way::Socket;
    }

    pub(crate) fn is_on_ring(&self) -> bool {
        matches!(self.way, Way::Ring(_))
    }

    /// What the other side has stored that cannot be.
    pub(crate) fn fault(&self) -> Option<Corrupt> {
        match &self.way {
            Way::Ring(ring) => ring.fault,
            Way::Socket | Way::Switching(..) => None,
        }
    }

    /// Nothing waits, but perhaps descriptors that belong to what has left.
    pub(crate) fn waits(&self) -> Waits {
        match &self.way {
            Way::Ring(ring) if ring.due.is_some() => Waits::Socket,
            _ if self.bytes.is_empty() => Waits::Nothing,
            Way::Ring(_) => Waits::Room,
            Way::Socket | Way::Switching(..) => Waits::Socket,
        }
    }

    /// True if what is first in the line goes to the socket.
    pub(crate) fn has_bytes_for_socket(&self) -> bool {
        self.bytes_for_socket() > 0
    }

    fn bytes_for_socket(&self) -> usize {
        match &self.way {
            Way::Socket => self.bytes.len(),
            // Positions only move on to the switch, not past it: see `settle_way`.
            Way::Switching(at, _) => (at - self.left) as usize,
            Way::Ring(_) => 0,
        }
    }

    /// What goes out in one write: up to the next frame that carries descriptors, or from it on
    /// up to the one after it.
    pub(crate) fn next_write(&self) -> (&[u8], Vec<BorrowedFd<'_>>) {
        let all = &self.bytes[..self.bytes_for_socket()];
        // A mark's byte has not left yet, so its position is no less than `left`. It may stand behind
        // the switch.
        let until = |mark: Option<&Mark>| match mark {
            Some(mark) => &all[..all.len().min((mark.position - self.left) as usize)],
            None => all,
        };
        match self.marks.front() {
            Some(mark) if mark.position == self.left => {
                (until(self.marks.get(1)), mark.passed.borrowed())
            }
            next => (until(next), Vec::new()),
        }
    }

    /// The frame whose first byte is the next to leave goes without its descriptors.
    pub(crate) fn lose_descriptors(&mut self) -> Option<Mark> {
        if let Some(count) = self.bytes.get_mut(DESCRIPTORS_AT) {
            *count = DESCRIPTORS_LOST;
        }
        self.marks.pop_front()
    }

    /// So many bytes have left; true if asks find room again by that.
    pub(crate) fn advance(&mut self, bytes: usize) -> bool {
        let before = self.bytes.len();
        match bytes == before {
            // It begins anew at the buffer's first byte.
            true => self.bytes.clear(),
            false => self.bytes.advance(bytes),
        }
        self.left += bytes as u64;
        if self.bytes.is_empty() && self.bytes.capacity() > KEEP_BYTES {
            self.bytes = BytesMut::new();
        }
        self.settle_way();
        before > ASKS_LIMIT_BYTES && self.bytes.len() <= ASKS_LIMIT_BYTES
    }

    /// Throws away what waits.
    pub(crate) fn discard(&mut self) -> VecDeque<Mark> {
        self.left += self.bytes.len() as u64;
        self.bytes = BytesMut::new();
        if let Way::Ring(ring) = &mut self.way {
            ring.due = None;
        }
        if let Way::Switching(at, _) = &mut self.way {
            *at = self.left;
        }
        self.settle_way();
        std::mem::take(&mut self.marks)
    }

    fn settle_way(&mut self) {
        // Looked at where it lies: it is large, and this is done for each frame.
        if !matches!(&self.way, Way::Switching(at, _) if *at == self.left) {
            return;
        }
        if let Way::Switching(_, ring) = std::mem::take(&mut self.way) {
            self.way = Way::Ring(ring);
        }
    }

    /// Moves what waits into the ring, as far as there is room, and up to the end of the first frame
    /// whose descriptors have to follow it.
    pub(crate) fn forward(&mut self) -> Forwarded {
        let mut made_room = false;
        loop {
            let until = match self.marks.front() {
                Some(mark) => (mark.end - self.left) as usize,
                None => self.bytes.len(),
            };
            let Way::Ring(ring) = &mut self.way else {
                let needs_pump = true;
                return Forwarded {
                    needs_pump,
                    ..Forwarded::default()
                };
            };
            if ring.due.is_some() || ring.fault.is_some() || until == 0 {
                break;
            }
            let written = match ring.producer.write(&self.bytes[..until]) {
                Ok(written) => written,
                Err(corrupt) => {
                    ring.fault = Some(corrupt);
                    break;
                }
            };
            if written == until {
                ring.due = self.marks.pop_front();
            }
            made_room |= self.advance(written);
            if written < until {
                break;
            }
        }
        self.publish(made_room)
    }

    /// Says whether what is pushed next may wait for what follows it, or for the pump.
    pub(crate) fn gather(&mut self, gathers: bool) {
        self.gathers = gathers;
    }

    /// The same as [`forward`](Self::forward), if enough has been gathered.
    pub(crate) fn forward_in_turn(&mut self) -> Forwarded {
        if let Way::Ring(ring) = &mut self.way
            && self.gathers
            && self.bytes.len() <= GATHERED_BYTES
            && ring.gathered < MOST_GATHERED
        {
            ring.gathered += 1;
            let needs_pump = true;
            return Forwarded {
                needs_pump,
                ..Forwarded::default()
            };
        }
        self.forward()
    }

    fn publish(&mut self, made_room: bool) -> Forwarded {
        let needs_pump = self.waits() != Waits::Nothing || self.fault().is_some();
        let Way::Ring(ring) = &mut self.way else {
            return Forwarded::default();
        };
        ring.gathered = 0;
        let bell = match ring.producer.publish() {
            true => ring.socket.upgrade(),
            false => None,
        };
        Forwarded {
            bell,
            made_room,
            needs_pump,
        }
    }

    /// The descriptors that have to follow the last frame that went into the ring.
    pub(crate) fn due(&mut self) -> Option<&mut Option<Mark>> {
        match &mut self.way {
            Way::Ring(ring) if ring.due.is_some() => Some(&mut ring.due),
            _ => None,
        }
    }

    /// True if there is so much room in the ring that it is worth to go on.
    pub(crate) fn has_half_room(&mut self) -> bool {
        match &mut self.way {
            Way::Ring(ring) => match ring.producer.has_half_room() {
                Ok(has_room) => has_room,
                Err(corrupt) => {
                    ring.fault = Some(corrupt);
                    true
                }
            },
            Way::Socket | Way::Switching(..) => true,
        }
    }
}
