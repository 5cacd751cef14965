//! The unit of traffic on a link.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::Incarnation;

/// Bytes before the trace and the body.
pub const HEADER_BYTES: usize = 32;
/// The largest frame on a link, header included: 16 MiB. What is larger belongs in shared
/// memory, not in a socket, and a peer cannot make the other side reserve more than this.
pub const MAX_FRAME_BYTES: usize = 16 << 20;
/// Where the number of descriptors stands in an encoded frame.
pub const DESCRIPTORS_AT: usize = 7;
/// The number of descriptors of a frame whose sender could not pass them on. No frame has so many.
pub const DESCRIPTORS_LOST: u8 = u8::MAX;
/// The length field does not count itself.
const LENGTH_BYTES: usize = 4;
/// The deadline field's value for "none".
const NO_DEADLINE: u32 = u32::MAX;

/// One message on a link.
///
/// Layout, little endian: length of the rest (4 bytes), kind (1), codec (1), length of the
/// trace (1), number of descriptors that come with it (1), request (8), place (4), task (4),
/// incarnation (4, 0 = any), milliseconds left until the deadline (4, all ones = none), then
/// the trace and the body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What the frame is.
    pub kind: Kind,
    /// How the body is written.
    pub codec: Codec,
    /// Descriptors that travel beside the frame, or [`DESCRIPTORS_LOST`].
    pub descriptors: u8,
    /// Pairs a reply with its ask; 0 where there is nothing to pair. In a
    /// [`Kind::Credit`], the number of messages.
    pub request: u64,
    /// The target's place.
    pub place: u32,
    /// The target's task number in that place; 0 is the actor itself.
    pub task: u32,
    /// The life that is meant, if only one will do.
    pub incarnation: Option<Incarnation>,
    /// Time left: an ask that arrives with none left is not run. Whole milliseconds, rounded
    /// up, at most 49 days.
    pub deadline: Option<Duration>,
    /// Tracing context, at most 255 bytes.
    pub trace: Bytes,
    /// The first part of the message, where that is in two pieces. What is read has one.
    pub lead: Bytes,
    /// The message.
    pub body: Bytes,
}

impl Frame {
    /// A frame to nobody in particular, without deadline or trace.
    pub fn new(kind: Kind, body: Bytes) -> Self {
        Self::of(Header::new(kind), body)
    }

    /// A frame with this header, without trace.
    fn of(header: Header, body: Bytes) -> Self {
        Self {
            kind: header.kind,
            codec: header.codec,
            descriptors: header.descriptors,
            request: header.request,
            place: header.place,
            task: header.task,
            incarnation: header.incarnation,
            deadline: header.deadline,
            trace: Bytes::new(),
            lead: Bytes::new(),
            body,
        }
    }

    /// Appends the frame to `out`.
    ///
    /// # Errors
    ///
    /// [`FrameError::TooLarge`] if it would be over `limit_bytes`, [`FrameError::Trace`] if its
    /// trace is over 255 bytes; nothing is written then.
    pub fn encode(&self, out: &mut BytesMut, limit_bytes: usize) -> Result<(), FrameError> {
        out.reserve(HEADER_BYTES + self.trace.len() + self.lead.len() + self.body.len());
        self.encode_head(out, limit_bytes)?;
        out.put_slice(&self.body);
        Ok(())
    }

    /// Appends all of the frame but its `body`, which is to follow.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_head(&self, out: &mut BytesMut, limit_bytes: usize) -> Result<(), FrameError> {
        let header = self.header(limit_bytes)?;
        out.reserve(HEADER_BYTES + self.trace.len() + self.lead.len());
        out.put_slice(&header);
        out.put_slice(&self.trace);
        out.put_slice(&self.lead);
        Ok(())
    }

    /// Writes the frame into `room`; its bytes there, or nothing if it does not fit or may not be sent.
    pub fn encode_small<'a>(&self, room: &'a mut [u8]) -> Option<&'a [u8]> {
        let header = self.header(room.len()).ok()?;
        let mut size = 0;
        for part in [&header[..], &self.trace, &self.lead, &self.body] {
            let next = size + part.len();
            room.get_mut(size..next)?.copy_from_slice(part);
            size = next;
        }
        room.get(..size)
    }

    /// What stands before the trace.
    fn header(&self, limit_bytes: usize) -> Result<[u8; HEADER_BYTES], FrameError> {
        let trace_bytes = self.trace.len();
        let size = HEADER_BYTES + trace_bytes + self.lead.len() + self.body.len();
        Header::of(self).encode(trace_bytes, size, limit_bytes)
    }
}

/// What a frame says before its trace and its body. The fields are those of a [`Frame`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// As [`Frame::kind`].
    pub kind: Kind,
    /// As [`Frame::codec`].
    pub codec: Codec,
    /// As [`Frame::descriptors`].
    pub descriptors: u8,
    /// As [`Frame::request`].
    pub request: u64,
    /// As [`Frame::place`].
    pub place: u32,
    /// As [`Frame::task`].
    pub task: u32,
    /// As [`Frame::incarnation`].
    pub incarnation: Option<Incarnation>,
    /// As [`Frame::deadline`].
    pub deadline: Option<Duration>,
}

impl Header {
    /// That of a frame to nobody in particular, as [`Frame::new`] makes it.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            codec: Codec::Postcard,
            descriptors: 0,
            request: 0,
            place: 0,
            task: 0,
            incarnation: None,
            deadline: None,
        }
    }

    /// That of a frame.
    pub fn of(frame: &Frame) -> Self {
        Self {
            kind: frame.kind,
            codec: frame.codec,
            descriptors: frame.descriptors,
            request: frame.request,
            place: frame.place,
            task: frame.task,
            incarnation: frame.incarnation,
            deadline: frame.deadline,
        }
    }

    /// The bytes before the trace, for a frame of `size_bytes` in all.
    ///
    /// # Errors
    ///
    /// As [`Frame::encode`].
    #[inline]
    pub fn encode(
        &self,
        trace_bytes: usize,
        size_bytes: usize,
        limit_bytes: usize,
    ) -> Result<[u8; HEADER_BYTES], FrameError> {
        let trace = u8::try_from(trace_bytes).map_err(|_| FrameError::Trace)?;
        let too_large = FrameError::TooLarge {
            size: size_bytes,
            limit: limit_bytes,
        };
        let length = match u32::try_from(size_bytes.saturating_sub(LENGTH_BYTES)) {
            Ok(length) if size_bytes <= limit_bytes => length,
            _ => return Err(too_large),
        };
        let [kind, codec] = [self.kind as u8, self.codec as u8];
        let incarnation = self.incarnation.map_or(0, |life| life.0);
        let deadline = self.deadline.map_or(NO_DEADLINE, deadline_ms);
        // In whole words: who reads on at once what was stored in smaller pieces waits until all of them have left the
        // processor's own buffer.
        let bytes = u32::from_le_bytes([kind, codec, trace, self.descriptors]);
        let words = [
            pair(length, bytes),
            self.request,
            pair(self.place, self.task),
            pair(incarnation, deadline),
        ];
        let mut header = [0; HEADER_BYTES];
        for (place, word) in header.as_chunks_mut().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        Ok(header)
    }
}

/// Two numbers as a word, the first one first.
fn pair(first: u32, second: u32) -> u64 {
    u64::from(first) | u64::from(second) << 32
}

fn deadline_ms(left: Duration) -> u32 {
    let part_ms = left.subsec_nanos().div_ceil(1_000_000);
    let ms = left.as_secs().saturating_mul(1_000);
    u32::try_from(ms.saturating_add(part_ms.into()))
        .unwrap_or(NO_DEADLINE)
        .min(NO_DEADLINE - 1)
}

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[non_exhaustive]
pub enum Kind {
    /// Manager to child, the first frame: the [`BootRecord`](crate::BootRecord).
    Boot = 1,
    /// Child to manager, its first frame: the [`Hello`](crate::Hello).
    Hello = 2,
    /// Child to manager: alive; the body is the actor's info.
    Notify = 3,
    /// Child to manager, its last frame: how it ended.
    Ended = 4,
    /// Manager to child: stop, gracefully.
    Stop = 5,
    /// A command that wants a reply.
    Ask = 6,
    /// A command that wants none.
    Tell = 7,
    /// The reply of a command.
    Reply = 8,
    /// The command's own error.
    Failure = 9,
    /// The command was not run, its actor died, or an actor was sought that is not there: a send
    /// error.
    Undelivered = 10,
    /// The actor at `place` and `task` has taken in `request` messages of the user's that came
    /// over this link: that many more may be sent to it.
    Credit = 11,
    /// Child to arbiter: how is an actor reached? The header says which; or, if the body is not
    /// empty, that is the actor's name in UTF-8. `request` pairs it with its answer, a
    /// [`Peer`](Self::Peer) or an [`Undelivered`](Self::Undelivered).
    Seek = 12,
    /// Arbiter to child: how the process at `place` is reached. The descriptor that comes with it
    /// is a direct link to that process, in its life `incarnation`.
    ///
    /// With a `request` it answers a [`Seek`](Self::Seek), and `place` and `task` are the
    /// actor's, which for a name is news. It comes without a descriptor if the actor lives in the
    /// arbiter's process and is reached over this link, or if a direct link is there already.
    Peer = 13,
    /// Arbiter to child: the process at `place` has ended its life `incarnation`. The body is the
    /// cause.
    PeerEnded = 14,
    /// On a direct link: the sender asks and tells nothing more over it.
    Retire = 15,
    /// On a direct link, the answer to [`Retire`](Self::Retire): all that came before that has
    /// been handed to those it was for.
    Retired = 16,
    /// Child to arbiter: the body is a name, wanted for the child's own task of the header. Answered
    /// by a [`Peer`](Self::Peer) that says who has it.
    Claim = 17,
    /// Child to arbiter: the task of the header needs the name that is the body no more.
    Release = 18,
    /// Arbiter to child: whoever had the name that is the body, as the child was told, has it no more.
    NameGone = 19,
    /// The maker of a link's rings offers them to the other side: with the descriptor of the memory.
    Rings = 20,
    /// The answer to [`Rings`](Self::Rings): it reads and writes them from now on. The last frame that
    /// goes over the socket in this direction.
    RingsTaken = 21,
    /// The other answer to [`Rings`](Self::Rings): the link stays on its socket.
    RingsRefused = 22,
    /// The maker's answer to [`RingsTaken`](Self::RingsTaken), and its last frame over the socket.
    RingsBegun = 23,
    /// Arbiter to child: with the descriptor of the page on which the processes of the system agree how
    /// many of them poll.
    Seats = 24,
    /// Manager to child: notify. The body is the time at which that was wanted, in microseconds of the system's
    /// monotonic clock: eight bytes, the lowest first.
    NotifyWanted = 25,
}

impl Kind {
    fn from_byte(byte: u8) -> Result<Self, FrameError> {
        use Kind::{
            Ask, Boot, Claim, Credit, Ended, Failure, Hello, NameGone, Notify, NotifyWanted, Peer,
            PeerEnded, Release, Reply, Retire, Retired, Rings, RingsBegun, RingsRefused,
            RingsTaken, Seats, Seek, Stop, Tell, Undelivered,
        };
        const ALL: [Kind; 25] = [
            Boot,
            Hello,
            Notify,
            Ended,
            Stop,
            Ask,
            Tell,
            Reply,
            Failure,
            Undelivered,
            Credit,
            Seek,
            Peer,
            PeerEnded,
            Retire,
            Retired,
            Claim,
            Release,
            NameGone,
            Rings,
            RingsTaken,
            RingsRefused,
            RingsBegun,
            Seats,
            NotifyWanted,
        ];
        // In the order of their bytes, the first of which is 1; a test looks at each.
        let index = usize::from(byte).wrapping_sub(1);
        ALL.get(index).copied().ok_or(FrameError::Kind(byte))
    }
}

/// How a body is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[non_exhaustive]
pub enum Codec {
    /// Compact, between processes of one build.
    Postcard = 1,
    /// Self-describing, for tools.
    Json = 2,
}

impl Codec {
    fn from_byte(byte: u8) -> Result<Self, FrameError> {
        match byte {
            1 => Ok(Self::Postcard),
            2 => Ok(Self::Json),
            _ => Err(FrameError::Codec(byte)),
        }
    }
}

/// Takes frames off the front of a buffer.
#[derive(Clone, Debug)]
pub struct FrameDecoder {
    limit_bytes: usize,
}

impl FrameDecoder {
    /// A decoder that refuses frames over `limit_bytes`, header included.
    pub const fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes }
    }

    /// The next frame, or `None` until more bytes have come. Reserves nothing: a peer that only
    /// announces a large frame costs nothing.
    ///
    /// # Errors
    ///
    /// Any [`FrameError`] means that the stream is out of step: close the link.
    pub fn decode(&self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(view) = self.view(buffer)? else {
            return Ok(None);
        };
        let (size, header, trace_bytes) = (view.size(), view.header, view.trace.len());
        let mut body = buffer.split_to(size).freeze();
        body.advance(HEADER_BYTES);
        let trace = match trace_bytes {
            0 => Bytes::new(),
            bytes => body.split_to(bytes),
        };
        let frame = Frame {
            trace,
            ..Frame::of(header, body)
        };
        Ok(Some(frame))
    }

    /// The next frame where it lies, or `None` until more bytes have come. It is taken out by letting go of its
    /// [`size`](FrameView::size) bytes.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn view<'a>(&self, buffer: &'a [u8]) -> Result<Option<FrameView<'a>>, FrameError> {
        let Some(mut length) = buffer.get(..LENGTH_BYTES) else {
            return Ok(None);
        };
        let size = length.get_u32_le() as usize + LENGTH_BYTES;
        if size > self.limit_bytes {
            let limit = self.limit_bytes;
            return Err(FrameError::TooLarge { size, limit });
        }
        if size < HEADER_BYTES {
            return Err(FrameError::TooSmall { size });
        }
        // No room is made on the word of a length: the buffer grows with what comes.
        let whole = buffer.get(..size);
        whole.map(FrameView::of).transpose()
    }
}

/// A [`Frame`] where it lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameView<'a> {
    /// What it says before the rest.
    pub header: Header,
    /// As [`Frame::trace`].
    pub trace: &'a [u8],
    /// As [`Frame::body`].
    pub body: &'a [u8],
}

impl<'a> FrameView<'a> {
    /// Reads one whole frame; `bytes` holds at least a header.
    fn of(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (mut head, rest) = bytes.split_at(HEADER_BYTES);
        head.advance(LENGTH_BYTES);
        let kind = Kind::from_byte(head.get_u8())?;
        let codec = Codec::from_byte(head.get_u8())?;
        let trace_bytes = usize::from(head.get_u8());
        let descriptors = head.get_u8();
        let request = head.get_u64_le();
        let place = head.get_u32_le();
        let task = head.get_u32_le();
        let incarnation = head.get_u32_le();
        let deadline = head.get_u32_le();
        let parts = rest.split_at_checked(trace_bytes);
        let (trace, body) = parts.ok_or(FrameError::Trace)?;
        let header = Header {
            kind,
            codec,
            descriptors,
            request,
            place,
            task,
            incarnation: (incarnation != 0).then_some(Incarnation(incarnation)),
            deadline: (deadline != NO_DEADLINE).then(|| Duration::from_millis(deadline.into())),
        };
        Ok(Self {
            header,
            trace,
            body,
        })
    }

    /// Its bytes, header included.
    pub fn size(&self) -> usize {
        HEADER_BYTES + self.trace.len() + self.body.len()
    }
}

/// Bytes that are no frame, or a frame that may not be sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Over the limit.
    #[error("frame of {size} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// Bytes of the whole frame.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Shorter than its own header.
    #[error("frame of {size} bytes is shorter than its header of {HEADER_BYTES} bytes")]
    TooSmall {
        /// Bytes of the whole frame.
        size: usize,
    },
    /// A kind of this byte is not known.
    #[error("unknown frame kind {0}")]
    Kind(u8),
    /// A codec of this byte is not known.
    #[error("unknown frame codec {0}")]
    Codec(u8),
    /// The trace is longer than the frame, or than 255 bytes.
    #[error("trace is longer than 255 bytes or than its frame")]
    Trace,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds() -> impl Strategy<Value = Kind> {
        (1_u8..=25).prop_map(|byte| Kind::from_byte(byte).unwrap())
    }

    prop_compose! {
        fn frames()(
            kind in kinds(),
            json: bool,
            descriptors: u8,
            request: u64,
            place: u32,
            task: u32,
            life in proptest::option::of(1_u32..),
            deadline_ms in proptest::option::of(0_u32..u32::MAX),
            trace in proptest::collection::vec(any::<u8>(), 0..=255),
            body in proptest::collection::vec(any::<u8>(), 0..2000),
        ) -> Frame {
            Frame {
                kind,
                codec: if json { Codec::Json } else { Codec::Postcard },
                descriptors,
                request,
                place,
                task,
                incarnation: life.map(Incarnation),
                deadline: deadline_ms.map(|ms| Duration::from_millis(ms.into())),
                trace: trace.into(),
                lead: Bytes::new(),
                body: body.into(),
            }
        }
    }

    fn decode_all(decoder: &FrameDecoder, buffer: &mut BytesMut) -> Vec<Frame> {
        std::iter::from_fn(|| decoder.decode(buffer).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn frames_survive_any_cut_of_the_stream(
            sent in proptest::collection::vec(frames(), 1..5),
            cut in 1_usize..700,
        ) {
            let mut stream = BytesMut::new();
            for frame in &sent {
                frame.encode(&mut stream, MAX_FRAME_BYTES).unwrap();
            }
            let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
            let (mut buffer, mut received) = (BytesMut::new(), Vec::new());
            for chunk in stream.chunks(cut) {
                buffer.extend_from_slice(chunk);
                received.extend(decode_all(&decoder, &mut buffer));
            }
            prop_assert_eq!(received, sent);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn garbage_is_an_error_or_waits_and_never_reserves_past_the_limit(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let decoder = FrameDecoder::new(1024);
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = decoder.decode(&mut buffer) {}
            prop_assert!(buffer.capacity() <= 4096);
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_on_both_sides() {
        let frame = Frame::new(Kind::Ask, Bytes::from(vec![0; 100]));
        let mut stream = BytesMut::new();
        let refused = frame.encode(&mut stream, 131);
        assert_eq!(
            refused,
            Err(FrameError::TooLarge {
                size: 132,
                limit: 131
            })
        );
        assert!(stream.is_empty());
        frame.encode(&mut stream, 132).unwrap();
        assert_eq!(
            FrameDecoder::new(131).decode(&mut stream),
            refused.map(|()| None)
        );
    }

    #[test]
    fn a_length_alone_reserves_nothing() {
        let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
        let length = u32::try_from(MAX_FRAME_BYTES - LENGTH_BYTES).unwrap();
        let mut buffer = BytesMut::from(&length.to_le_bytes()[..]);
        assert_eq!(decoder.decode(&mut buffer), Ok(None));
        assert!(buffer.capacity() < HEADER_BYTES);
    }

    #[test]
    fn each_kind_has_the_byte_that_it_is_read_by() {
        for byte in 1..=25 {
            assert_eq!(Kind::from_byte(byte).unwrap() as u8, byte);
        }
        assert_eq!(Kind::from_byte(0), Err(FrameError::Kind(0)));
        assert_eq!(Kind::from_byte(26), Err(FrameError::Kind(26)));
    }

    #[test]
    fn the_number_of_descriptors_stands_where_it_is_said_to() {
        let frame = Frame {
            descriptors: 61,
            ..Frame::new(Kind::Ask, Bytes::new())
        };
        let mut stream = BytesMut::new();
        frame.encode(&mut stream, MAX_FRAME_BYTES).unwrap();
        assert_eq!(stream[DESCRIPTORS_AT], 61);
    }

    #[test]
    fn a_deadline_is_rounded_up_and_never_becomes_none() {
        assert_eq!(deadline_ms(Duration::from_nanos(1)), 1);
        assert_eq!(deadline_ms(Duration::ZERO), 0);
        assert_eq!(deadline_ms(Duration::MAX), NO_DEADLINE - 1);
    }
}
