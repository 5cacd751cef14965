//! What comes through a link's ring, and is not handled yet.
//!
//! Descriptors cannot go through memory: those of a frame come with a byte on the socket, which leaves
//! after the frame has gone into the ring. So a frame that announces some waits here until its byte has
//! come, and all behind it wait too; and when a byte has come, its frame is there.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use bytes::{Buf, BytesMut};
use pulsar_loop::runtime::TimeSlice;
use pulsar_ring::{Consumer, Sleeper};
use pulsar_sys::occupation::coarse_us;
use pulsar_wire::{DESCRIPTORS_LOST, Frame, FrameDecoder, Kind, MAX_FRAME_BYTES};

use crate::Link;
use crate::inbox::{check_allowed, read, unannounced};
use crate::key::Key;
use crate::mapped::{Mapped, RING_BYTES};
use crate::pump::{BATCH_FRAMES, CloseReason, Intake, Reader};
use crate::rings::Inbound;
use crate::signal::{BELL, DESCRIPTORS, LOST, ring_bell};
use crate::socket::{Leaving, Receive, Socket};

/// What is copied out of the ring at once: some batches of small frames. Its room is given back then,
/// so that the writer goes on while they are handled.
const READ_BYTES: usize = 16 << 10;
/// The buffer that frames are cut from. It is used again when all that was cut from it is gone, so
/// that a small frame takes no allocation of its own.
const CHUNK_BYTES: usize = 4 << 10;
/// Copies in one turn, for a frame that is longer than the ring.
const MOST_READS: usize = 16;
/// Signals in one read. There is one for each sleep and for each frame with descriptors.
const SIGNALS: usize = 512;

/// Reads signals that are left where they are before the next is read with them. Each takes some room in the other side's
/// socket: with these few there is always room for one more.
const MOST_LEFT: u32 = 4;

const DECODER: FrameDecoder = FrameDecoder::new(MAX_FRAME_BYTES);

/// What a turn has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// There was nothing, or nothing that can be handled yet.
    Nothing,
    /// There was something, and no more is there.
    Some,
    /// The same, and all that was there has been run.
    Run,
    /// A batch has been handled, and more may be there.
    Batch,
}

/// The reading end of a ring.
#[derive(Debug)]
pub(crate) struct RingInbox {
    consumer: Consumer<Mapped>,
    pub(crate) sleeper: Sleeper<Mapped>,
    bytes: BytesMut,
    /// It waits for its descriptors.
    held: Option<Frame>,
    /// The descriptors that have come, by frames; nothing where they were lost.
    arrived: VecDeque<Option<Vec<OwnedFd>>>,
    /// The socket has come to its end: no descriptors come any more, and so many bytes at most are
    /// still read from the ring.
    left_bytes: Option<usize>,
    /// Times that signals have come and were left where they are since any were read.
    left_signals: u32,
    /// For whom messages were taken in from where they lay in this turn, and how many.
    taken: (Key, u32),
    /// Bounds what is run before others on the loop have their turn.
    slice: TimeSlice,
}

impl RingInbox {
    pub(crate) fn new(inbound: Inbound) -> Self {
        Self {
            consumer: inbound.consumer,
            sleeper: inbound.sleeper,
            bytes: BytesMut::new(),
            held: None,
            arrived: VecDeque::new(),
            left_bytes: None,
            left_signals: 0,
            taken: Default::default(),
            slice: TimeSlice::default(),
        }
    }

    /// The other side is gone: what it had sent is still read, but no more than the ring holds, as a
    /// process that it has left behind may go on writing.
    pub(crate) fn end_came(&mut self) {
        self.left_bytes = Some(RING_BYTES);
    }

    /// True if there is something in the ring to go on with.
    pub(crate) fn has_more(&mut self) -> Result<bool, CloseReason> {
        Ok(self.held.is_none() && self.consumer.readable()? > 0)
    }

    /// As [`has_more`](Self::has_more), for a moment's look: what is wrong is found by the next turn.
    pub(crate) fn may_have_more(&mut self) -> bool {
        self.held.is_none()
            && self
                .consumer
                .readable()
                .map_or(true, |readable| readable > 0)
    }

    /// It sleeps: an idle link holds no memory.
    pub(crate) fn shrink(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }

    /// Reads what signals there are, or leaves them: most are bells, and have done their work.
    ///
    /// No more is read while descriptors are here that wait for their frame, which is there: so no more
    /// than those of one read gather.
    pub(crate) fn hear(&mut self, socket: &Socket) -> Result<(), CloseReason> {
        if !self.arrived.is_empty() {
            return Ok(());
        }
        if self.held.is_none() && self.left_signals < MOST_LEFT {
            match socket.leave() {
                Leaving::Nothing => return Ok(()),
                Leaving::Left => {
                    self.left_signals += 1;
                    return Ok(());
                }
                Leaving::Refused => return self.listen(socket, Socket::receive_left),
            }
        }
        self.listen(socket, Socket::receive)
    }

    /// Reads signals; the descriptors of one frame at most are among them.
    fn listen(&mut self, socket: &Socket, receive: Receive) -> Result<(), CloseReason> {
        let mut signals = [BELL; SIGNALS];
        let mut descriptors = Vec::new();
        let received = read(socket, receive, SIGNALS, &mut descriptors, |bytes| {
            signals[..bytes.len()].copy_from_slice(bytes);
        })?;
        let Some(received) = received else {
            return Ok(());
        };
        // What is behind these may have been left too.
        let is_all =
            received.bytes < SIGNALS && descriptors.is_empty() && !received.lost_descriptors;
        self.left_signals = u32::from(!is_all);
        let signals = &signals[..received.bytes];
        self.signals_came(signals, descriptors, received.lost_descriptors)
            .map_err(CloseReason::Untrusted)
    }

    /// Signals came, by one read. Descriptors end a read, so that they belong to its last byte.
    ///
    /// # Errors
    ///
    /// If it is not what a peer sends.
    pub(crate) fn signals_came(
        &mut self,
        signals: &[u8],
        descriptors: Vec<OwnedFd>,
        lost: bool,
    ) -> Result<(), String> {
        let brings = lost || !descriptors.is_empty();
        let (others, last) = match signals.split_last() {
            Some((&DESCRIPTORS, others)) if brings => (others, Some(descriptors)),
            _ if brings => return Err(unannounced()),
            _ => (signals, None),
        };
        for signal in others {
            match *signal {
                BELL => {}
                LOST => self.arrived.push_back(None),
                DESCRIPTORS => {
                    return Err("it says that descriptors come, but they did not".to_owned());
                }
                other => return Err(format!("its signal {other} is none")),
            }
        }
        self.arrived
            .extend(last.map(|descriptors| (!lost).then_some(descriptors)));
        Ok(())
    }

    /// Others on the loop have had their turn.
    pub(crate) fn begin_slice(&self) {
        self.slice.begin(coarse_us());
    }

    /// Handles frames, a batch at most, and no longer than a slice takes.
    pub(crate) fn turn(&mut self, reader: &mut Reader<'_>) -> Result<Progress, CloseReason> {
        let progress = self.handle(reader)?;
        self.give_credit_back(reader.link);
        Ok(progress)
    }

    /// One more message to this target was taken in from where it lay.
    fn took_in(&mut self, target: Key, link: &Link) {
        if self.taken.0 != target {
            self.give_credit_back(link);
            self.taken.0 = target;
        }
        self.taken.1 += 1;
    }

    fn give_credit_back(&mut self, link: &Link) {
        let ((place, task), count) = self.taken;
        self.taken.1 = 0;
        link.took_in(place, task, count);
    }

    fn handle(&mut self, reader: &mut Reader<'_>) -> Result<Progress, CloseReason> {
        let (mut frames, mut reads, mut all_run) = (0, 0, true);
        while frames < BATCH_FRAMES && reads < MOST_READS {
            let intake = self.offer(reader)?;
            if intake != Intake::Left {
                frames += 1;
                all_run &= intake == Intake::Run;
                if intake == Intake::Run && self.slice.is_spent() {
                    return Ok(Progress::Batch);
                }
            } else if let Some((frame, descriptors)) = self.next(reader)? {
                if reader.handle(frame, descriptors)?.is_some() {
                    let reason = "it begins rings twice".to_owned();
                    return Err(CloseReason::Untrusted(reason));
                }
                (frames, all_run) = (frames + 1, false);
            } else if self.held.is_some() {
                break;
            } else if self.read(reader.link, reader.socket)? == 0 {
                // A frame is there before its descriptors.
                return match self.arrived.is_empty() {
                    true if frames > 0 && all_run => Ok(Progress::Run),
                    true if frames + reads > 0 => Ok(Progress::Some),
                    true => Ok(Progress::Nothing),
                    false => Err(CloseReason::Untrusted(unannounced())),
                };
            } else {
                reads += 1;
            }
        }
        match self.held.is_some() {
            // What it waits for comes by the socket.
            true if frames == 0 => Ok(Progress::Nothing),
            true => Ok(Progress::Some),
            false => Ok(Progress::Batch),
        }
    }

    /// Takes in the small replies that are next, for those who wait for them; true if there was one. What is wrong is left, as
    /// all else is: the next turn finds it.
    pub(crate) fn take_replies(&mut self, link: &Link, socket: &Socket) -> bool {
        if self.held.is_some() || self.left_bytes.is_some() {
            return false;
        }
        let mut came = false;
        if self.bytes.is_empty() && self.read(link, socket).is_err() {
            return false;
        }
        while let Ok(Some(frame)) = DECODER.view(&self.bytes) {
            if frame.header.descriptors != 0 || !link.take_in_reply(&frame) {
                break;
            }
            came = true;
            let size = frame.size();
            self.bytes.advance(size);
        }
        came
    }

    /// Offers the next frame from where it lies.
    fn offer(&mut self, reader: &Reader<'_>) -> Result<Intake, CloseReason> {
        if self.held.is_some() {
            return Ok(Intake::Left);
        }
        let Some(frame) = DECODER.view(&self.bytes)? else {
            return Ok(Intake::Left);
        };
        let intake = reader.offer(&frame);
        if intake != Intake::Left {
            let (header, size) = (frame.header, frame.size());
            self.bytes.advance(size);
            if matches!(header.kind, Kind::Ask | Kind::Tell) {
                self.took_in((header.place, header.task), reader.link);
            }
        }
        Ok(intake)
    }

    /// The next whole frame, with its descriptors, if these are there.
    fn next(&mut self, reader: &Reader<'_>) -> Result<Option<(Frame, Vec<OwnedFd>)>, CloseReason> {
        let frame = match self.held.take() {
            Some(frame) => frame,
            None => match DECODER.decode(&mut self.bytes)? {
                Some(frame) => frame,
                None => return Ok(None),
            },
        };
        if frame.descriptors == 0 {
            return Ok(Some((frame, Vec::new())));
        }
        check_allowed(&frame, reader.takes_descriptors(frame.kind))
            .map_err(CloseReason::Untrusted)?;
        if frame.descriptors == DESCRIPTORS_LOST {
            return Ok(Some((frame, Vec::new())));
        }
        if self.arrived.is_empty() && self.left_signals > 0 && self.left_bytes.is_none() {
            // They may be among what was left.
            self.held = Some(frame);
            self.left_signals = 0;
            self.listen(reader.socket, Socket::receive_left)?;
            return self.next(reader);
        }
        match self.arrived.pop_front() {
            Some(Some(descriptors)) if descriptors.len() != usize::from(frame.descriptors) => {
                Err(CloseReason::Untrusted(format!(
                    "its frame says that {} descriptors come with it, and {} did",
                    frame.descriptors,
                    descriptors.len()
                )))
            }
            Some(arrived) => Ok(Some((frame, arrived.unwrap_or_default()))),
            // It died between the frame and its descriptors.
            None if self.left_bytes.is_some() => Ok(Some((frame, Vec::new()))),
            None => {
                self.held = Some(frame);
                Ok(None)
            }
        }
    }

    /// Copies bytes out of the ring; how many.
    fn read(&mut self, link: &Link, socket: &Socket) -> Result<usize, CloseReason> {
        let mut most = self.consumer.readable()?.min(READ_BYTES);
        if let Some(left) = &mut self.left_bytes {
            most = most.min(*left);
            *left -= most;
        }
        if most == 0 {
            return Ok(0);
        }
        let before = self.bytes.len();
        if self.bytes.capacity() - before < most {
            self.bytes.reserve(most.max(CHUNK_BYTES));
        }
        self.bytes.resize(before + most, 0);
        let read = self.consumer.read(&mut self.bytes[before..])?;
        self.bytes.truncate(before + read);
        // Before this side's own last frame has left, the other does not sleep for room: see `rings`.
        if self.consumer.release() && link.outbox.is_on_ring() {
            ring_bell(socket);
        }
        Ok(read)
    }
}
