//! Frames.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pulsar_wire::{
    Codec, DESCRIPTORS_LOST, Frame, FrameDecoder, FrameError, HEADER_BYTES, Incarnation, Kind,
};

use crate::Seed;

/// The limit of the decoder under test, small enough that inputs reach it.
const LIMIT_BYTES: usize = 4096;
/// What a buffer has room for beyond twice what it was given: the least that is allocated.
const LEAST_BYTES: usize = 64;

/// The bytes are a stream of frames, or are refused; in the same way however they are cut.
///
/// # Panics
///
/// If they are not.
pub fn frame(input: &[u8]) {
    for limit in [LIMIT_BYTES, pulsar_wire::MAX_FRAME_BYTES] {
        let at_once = decode(input, input.len().max(1), limit);
        for cut in [1, 7, HEADER_BYTES] {
            assert_eq!(decode(input, cut, limit), at_once, "cut into {cut}");
        }
        let mut again = BytesMut::new();
        for frame in &at_once.0 {
            let written = frame.encode(&mut again, limit);
            written.expect("what was within the limit still is");
        }
        assert_eq!(again, input[..again.len()], "a frame has one form only");
    }
}

/// What a stream came to, fed in pieces of so many bytes: the frames, and the error after them.
pub(crate) fn decode(input: &[u8], piece: usize, limit: usize) -> (Vec<Frame>, Option<FrameError>) {
    let decoder = FrameDecoder::new(limit);
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for bytes in input.chunks(piece) {
        buffer.extend_from_slice(bytes);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        let most = 2 * input.len() + LEAST_BYTES;
        assert!(buffer.capacity() <= most, "it reserves {most} and more");
    }
    (frames, None)
}

/// The kinds that there are, by their bytes, and one that there is not.
const KINDS: std::ops::RangeInclusive<u8> = 1..=20;
const KIND_AT: usize = 4;
const CODEC_AT: usize = 5;
const TRACE_AT: usize = 6;

pub(crate) fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    let written = frame.encode(&mut bytes, pulsar_wire::MAX_FRAME_BYTES);
    written.expect("a seed is a frame that may be sent");
    bytes.to_vec()
}

fn ask() -> Frame {
    Frame {
        request: 7,
        place: 3,
        task: 2,
        incarnation: Some(Incarnation(5)),
        deadline: Some(Duration::from_secs(30)),
        trace: Bytes::from_static(b"00-trace-01"),
        ..Frame::new(Kind::Ask, Bytes::from_static(b"\x04\0ping"))
    }
}

/// An ask in which one byte is another.
fn with(at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = encoded(&ask());
    bytes[at] = byte;
    bytes
}

/// An ask that says that it is so long, whatever it is.
fn claiming(length: u32) -> Vec<u8> {
    let mut bytes = encoded(&ask());
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

pub(crate) fn seeds() -> Vec<Seed> {
    let one = encoded(&ask());
    let plain = encoded(&Frame::new(Kind::Stop, Bytes::new()));
    let json = Frame {
        codec: Codec::Json,
        ..Frame::new(Kind::Reply, Bytes::from_static(b"{\"pong\":1}"))
    };
    let largest = LIMIT_BYTES as u32 - 4;
    let full = Frame::new(Kind::Tell, vec![b'x'; LIMIT_BYTES - HEADER_BYTES].into());
    let lost = Frame {
        descriptors: DESCRIPTORS_LOST,
        ..ask()
    };
    let longest_trace = Frame {
        trace: vec![b't'; 255].into(),
        ..ask()
    };
    let last_deadline = Frame {
        deadline: Some(Duration::MAX),
        ..ask()
    };
    let every_kind = KINDS.flat_map(|kind| with(KIND_AT, kind)).collect();
    vec![
        ("empty", Vec::new()),
        ("plain", plain.clone()),
        ("ask", one.clone()),
        ("json_reply", encoded(&json)),
        ("two_frames", [one.clone(), plain.clone()].concat()),
        ("frame_and_a_half", [&one[..], &one[..20]].concat()),
        ("every_kind_and_one_more", every_kind),
        ("unknown_kind", with(KIND_AT, 0)),
        (
            "unknown_kind_behind_a_frame",
            [plain, with(KIND_AT, 0)].concat(),
        ),
        ("unknown_codec", with(CODEC_AT, 3)),
        ("longest_trace", encoded(&longest_trace)),
        ("trace_longer_than_its_frame", with(TRACE_AT, 255)),
        ("trace_as_long_as_its_frame", with(TRACE_AT, 17)),
        ("descriptors_lost", encoded(&lost)),
        ("last_deadline", encoded(&last_deadline)),
        ("deadline_of_no_time", {
            let deadline = Some(Duration::ZERO);
            encoded(&Frame { deadline, ..ask() })
        }),
        ("length_of_nothing", claiming(0)),
        (
            "length_shorter_than_a_header",
            claiming(HEADER_BYTES as u32 - 5),
        ),
        ("length_of_a_header", claiming(HEADER_BYTES as u32 - 4)),
        ("length_at_the_limit", claiming(largest)),
        ("length_over_the_limit", claiming(largest + 1)),
        // It once made the receiver reserve 16 MiB for these few bytes.
        ("length_at_the_links_limit", claiming((16 << 20) - 4)),
        ("length_over_the_links_limit", claiming(16 << 20)),
        ("length_of_all_ones", claiming(u32::MAX)),
        ("largest", encoded(&full)),
        ("truncated_in_its_length", one[..3].to_vec()),
        ("truncated_behind_its_length", one[..4].to_vec()),
        ("truncated_in_its_header", one[..HEADER_BYTES - 1].to_vec()),
        ("truncated_behind_its_header", one[..HEADER_BYTES].to_vec()),
        ("truncated_at_its_last_byte", one[..one.len() - 1].to_vec()),
        ("text", b"GET / HTTP/1.1\r\nHost: example\r\n\r\n".to_vec()),
    ]
}
