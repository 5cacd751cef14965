//! A stream of frames on a real socket, as the arbiter reads it from a child.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use pulsar_link::{Begun, CloseReason, Link, LinkHandler, pump};
use pulsar_wire::{Aid, ArbiterId, Frame, Kind, MAX_FRAME_BYTES};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::Seed;
use crate::frame::{decode, encoded};

/// The first byte says how the others are cut; they are a stream of frames, and the pump hands on each of them up to
/// the first that is none, or that its handler refuses, and then closes the link for that reason. Replies that
/// nobody waits for are dropped and counted.
///
/// # Panics
///
/// If it is not so.
pub fn link(input: &[u8]) {
    let Some((cut, stream)) = input.split_first() else {
        return;
    };
    let begun = stream.len().min(usize::from(cut >> 4));
    // One byte at a time, or a few, or all at once.
    let piece = match cut & 0xf {
        0 => stream.len().max(1),
        few => usize::from(few),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let runtime = runtime.expect("a loop can be made");
    let (end, heard, strays) = runtime.block_on(converse(stream, begun, piece));
    let expected = expect(stream);
    assert_eq!(
        (end, heard.len(), strays),
        (expected.end, expected.frames.len(), expected.strays)
    );
    assert_eq!(heard, expected.frames);
}

/// How a link may end here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The peer closed it, behind whole frames or within one.
    Closed,
    /// What came was no frame.
    Garbage,
    /// What came was a frame that a child does not send.
    Refused,
}

/// What a stream should come to.
struct Expected {
    frames: Vec<Frame>,
    end: End,
    strays: u64,
}

fn expect(stream: &[u8]) -> Expected {
    let (decoded, error) = decode(stream, stream.len().max(1), MAX_FRAME_BYTES);
    let count = decoded.len();
    let mut strays = 0;
    let mut frames = Vec::new();
    let mut offered = false;
    for frame in decoded {
        if is_first_offer_without_memory(&frame, &mut offered) {
            continue;
        }
        if refusal(&frame).is_some() {
            return Expected {
                frames,
                end: End::Refused,
                strays,
            };
        }
        // Request 0 pairs with nothing.
        strays += u64::from(is_reply(&frame));
        frames.push(frame);
    }
    assert_eq!(frames.len(), count - usize::from(offered));
    let end = match error {
        Some(_) => End::Garbage,
        None => End::Closed,
    };
    Expected {
        frames,
        end,
        strays,
    }
}

/// An offer of rings whose memory was lost is refused, once, and the link goes on.
fn is_first_offer_without_memory(frame: &Frame, offered: &mut bool) -> bool {
    let lost = frame.descriptors == pulsar_wire::DESCRIPTORS_LOST;
    let is_offer = frame.kind == Kind::Rings && lost && frame.body.is_empty();
    is_offer && !std::mem::replace(offered, true)
}

fn is_reply(frame: &Frame) -> bool {
    matches!(frame.kind, Kind::Reply | Kind::Failure | Kind::Undelivered)
}

/// Why the link is closed by this frame: no descriptor comes with any here, and nothing was lent.
fn refusal(frame: &Frame) -> Option<&'static str> {
    let may_pass = matches!(
        frame.kind,
        Kind::Ask | Kind::Tell | Kind::Reply | Kind::Failure
    );
    let lost = frame.descriptors == pulsar_wire::DESCRIPTORS_LOST;
    match (frame.descriptors, frame.kind) {
        (
            _,
            Kind::Rings | Kind::RingsTaken | Kind::RingsRefused | Kind::RingsBegun | Kind::Seats,
        ) => Some("what is not its to say of rings"),
        (0, Kind::Boot | Kind::Credit) => Some("a child does not send it"),
        (0, _) => None,
        _ if may_pass && lost => None,
        _ => Some("descriptors that are not there"),
    }
}

/// Hands on what comes, as the arbiter's handler does.
#[derive(Default)]
struct Heard(Mutex<Vec<Frame>>);

impl LinkHandler for Heard {
    fn frame_came(&self, link: &Arc<Link>, frame: Frame, _: Vec<OwnedFd>) -> Result<(), String> {
        match frame.kind {
            Kind::Boot => return Err("a child does not boot its arbiter".to_owned()),
            Kind::Credit => link.credit_came(&frame)?,
            _ if is_reply(&frame) => link.reply_came(frame.clone(), Vec::new()),
            _ => {}
        }
        self.0.lock().push(frame);
        Ok(())
    }
}

async fn converse(stream: &[u8], begun: usize, piece: usize) -> (End, Vec<Frame>, u64) {
    let (mut theirs, ours) = UnixStream::pair().expect("there is room for two sockets");
    let link = Arc::new(Link::new(Aid::new(ArbiterId::from_entropy(1), 1)));
    let heard = Heard::default();
    let (first, rest) = stream.split_at(begun);
    let before = Begun {
        bytes: BytesMut::from(first),
        ..Begun::default()
    };
    let write = async move {
        for bytes in rest.chunks(piece) {
            // Its reader may have closed.
            if theirs.write_all(bytes).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let ours = ours.into_std().expect("a socket can be let go of");
    let read = async {
        // Its end closes the stream: a writer that still waits for room finds nobody.
        pump(&link, ours, before, &heard).await
    };
    let ((), reason) = tokio::join!(write, read);
    let end = match reason {
        CloseReason::PeerClosed => End::Closed,
        CloseReason::Frame(_) => End::Garbage,
        CloseReason::Untrusted(_) => End::Refused,
        other => panic!("the link ended by {other}"),
    };
    (end, heard.0.into_inner(), link.stray_replies())
}

/// A stream that is cut so: how many bytes are there before the pump, and the length of the pieces.
fn cut(begun: u8, piece: u8, frames: &[Frame]) -> Vec<u8> {
    let stream = frames.iter().flat_map(encoded);
    std::iter::once(begun << 4 | piece).chain(stream).collect()
}

fn plain(kind: Kind) -> Frame {
    Frame::new(kind, Bytes::new())
}

fn asked(kind: Kind, request: u64) -> Frame {
    Frame {
        request,
        ..Frame::new(kind, Bytes::from_static(b"\x04\0ping"))
    }
}

/// What an orderly child might say.
fn talk() -> [Frame; 5] {
    [
        plain(Kind::Hello),
        plain(Kind::Notify),
        asked(Kind::Ask, 1),
        asked(Kind::Tell, 0),
        plain(Kind::Ended),
    ]
}

pub(crate) fn seeds() -> Vec<Seed> {
    [whole_streams(), refused(), broken()].concat()
}

fn whole_streams() -> Vec<Seed> {
    let talk = talk();
    let replies = [
        asked(Kind::Reply, 1 << 40),
        asked(Kind::Failure, 2),
        asked(Kind::Undelivered, 3),
        asked(Kind::Reply, 0),
    ];
    let twice = [asked(Kind::Reply, 1), asked(Kind::Reply, 1)];
    let many = vec![asked(Kind::Ask, 9); 100];
    vec![
        ("empty", Vec::new()),
        ("nothing", vec![0]),
        ("talk_at_once", cut(0, 0, &talk)),
        ("talk_byte_by_byte", cut(0, 1, &talk)),
        ("talk_in_pieces", cut(0, 13, &talk)),
        ("talk_that_had_begun", cut(15, 1, &talk)),
        ("talk_of_which_a_length_had_come", cut(4, 0, &talk)),
        ("replies_that_nobody_waits_for", cut(0, 5, &replies)),
        ("reply_twice", cut(0, 0, &twice)),
        ("a_hundred_frames", cut(0, 0, &many)),
    ]
}

/// Frames after which the link is closed, but for those whose descriptors were lost.
fn refused() -> Vec<Seed> {
    let passing = |kind, descriptors| Frame {
        descriptors,
        ..plain(kind)
    };
    let credit = |request| Frame {
        request,
        place: 1,
        ..plain(Kind::Credit)
    };
    let one = |frame| cut(0, 0, &[frame, plain(Kind::Notify)]);
    vec![
        ("credit_that_was_not_lent", one(credit(1))),
        ("credit_of_everything", one(credit(u64::MAX))),
        ("boot_of_the_arbiter", one(plain(Kind::Boot))),
        ("descriptors_that_did_not_come", one(passing(Kind::Ask, 1))),
        ("more_descriptors_than_pass", one(passing(Kind::Reply, 200))),
        ("descriptors_that_were_lost", one(passing(Kind::Tell, 255))),
        ("descriptors_with_a_hello", one(passing(Kind::Hello, 1))),
    ]
}

fn broken() -> Vec<Seed> {
    let whole = cut(0, 0, &talk());
    let behind = |bytes: &[u8]| [&whole[..], bytes].concat();
    let over_the_limit = [&[0][..], &(16_u32 << 20).to_le_bytes()].concat();
    vec![
        ("garbage_behind_frames", behind(&[0xff; 40])),
        ("length_of_nothing_behind_frames", behind(&[0; 4])),
        ("length_over_the_limit", over_the_limit),
        ("length_that_never_comes", behind(&[0xff, 0xff, 0xff, 0])),
        ("truncated_in_its_header", whole[..20].to_vec()),
        (
            "truncated_at_its_last_byte",
            whole[..whole.len() - 1].to_vec(),
        ),
        ("text", b"\0GET / HTTP/1.1\r\n\r\n".to_vec()),
    ]
}
