//! What a process writes into the rings of a link, and to its socket, as the other end reads it.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use pulsar_link::{Begun, CloseReason, Link, LinkHandler, RingSettings, pump};
use pulsar_sys::SharedWords;
use pulsar_sys::descriptors::{recv_with_descriptors, send_with_descriptors};
use pulsar_wire::{Aid, ArbiterId, Frame, FrameDecoder, Incarnation, Kind, MAX_FRAME_BYTES};

use crate::Seed;
use crate::frame::{decode, encoded};

/// The length of one ring, and of the page before the two.
const RING_BYTES: usize = 128 << 10;
const CONTROL_BYTES: usize = 4096;
/// Where the index of the ring stands into which the input goes.
const TAIL: usize = 256;
/// Nothing that is written here takes so long to be judged.
const LONG: Duration = Duration::from_secs(60);

/// The input is a list of acts, each a byte that says what, a byte that says how long, and so many bytes:
///
/// * 0: the bytes go into the ring, as they should.
/// * 1: a word of the control page, said by the first byte, becomes the next eight.
/// * 2: the bytes go to the socket.
/// * 3: the bytes go into the ring where it has not come to yet.
///
/// Whatever they are, the link goes on or closes, and hands on nothing that was not written. If all is
/// as it should, each frame is handed on.
///
/// # Panics
///
/// If it is not so.
pub fn ring(input: &[u8]) {
    let acts = acts(input);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a loop can be made");
    let (reason, heard) = runtime.block_on(async {
        let judged = tokio::time::timeout(LONG, converse(&acts));
        judged.await.expect("the link comes to an end")
    });
    let is_true = acts.iter().all(|(act, _)| *act == 0);
    if !is_true {
        return;
    }
    let stream: Vec<u8> = acts.iter().flat_map(|(_, bytes)| bytes.to_vec()).collect();
    let (frames, error) = decode(&stream, stream.len().max(1), MAX_FRAME_BYTES);
    let plain = |frame: &Frame| frame.descriptors == 0 && !is_own(frame.kind);
    if stream.len() > RING_BYTES || !frames.iter().all(plain) {
        return;
    }
    assert_eq!(heard, frames);
    let closed = matches!(reason, CloseReason::PeerClosed);
    let garbage = matches!(reason, CloseReason::Frame(_));
    assert!(if error.is_some() { garbage } else { closed }, "{reason}");
}

fn is_own(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Rings | Kind::RingsTaken | Kind::RingsRefused | Kind::RingsBegun | Kind::Seats
    )
}

fn acts(mut input: &[u8]) -> Vec<(u8, &[u8])> {
    let mut acts = Vec::new();
    while let [act, len, rest @ ..] = input {
        let (bytes, rest) = rest.split_at(rest.len().min(usize::from(*len)));
        acts.push((act % 4, bytes));
        input = rest;
    }
    acts
}

/// Hands on whatever comes.
#[derive(Default)]
struct Heard(Mutex<Vec<Frame>>);

impl LinkHandler for Heard {
    fn frame_came(&self, _: &Arc<Link>, frame: Frame, _: Vec<OwnedFd>) -> Result<(), String> {
        self.0.lock().push(frame);
        Ok(())
    }
}

async fn converse(acts: &[(u8, &[u8])]) -> (CloseReason, Vec<Frame>) {
    let (theirs, ours) = StdStream::pair().expect("there is room for two sockets");
    for stream in [&theirs, &ours] {
        let set = stream.set_nonblocking(true);
        set.expect("a socket need not block");
    }
    let settings = RingSettings {
        makes: true,
        after: 0,
        poll: Duration::ZERO,
    };
    let peer = Aid::new(ArbiterId::from_entropy(1), 2);
    let link = Arc::new(Link::direct(peer, Incarnation::FIRST).with_rings(settings));
    let heard = Heard::default();
    let read = pump(&link, ours, Begun::default(), &heard);
    let (reason, ()) = tokio::join!(read, write(theirs, acts));
    (reason, heard.0.into_inner())
}

/// Takes the rings, and then acts. It ends by closing the socket.
async fn write(stream: StdStream, acts: &[(u8, &[u8])]) {
    let mut descriptors = Vec::new();
    assert_eq!(receive(&stream, &mut descriptors).await, Kind::Rings);
    let bytes = (CONTROL_BYTES + 2 * RING_BYTES).try_into();
    let memory = descriptors.pop().expect("the memory comes with the offer");
    let words = SharedWords::take(memory.as_fd(), bytes.expect("it is not zero"));
    let words = words.expect("the rings are good memory");
    send(
        &stream,
        &encoded(&Frame::new(Kind::RingsTaken, Bytes::new())),
    );
    assert_eq!(receive(&stream, &mut descriptors).await, Kind::RingsBegun);
    let mut tail = 0;
    for (act, bytes) in acts {
        let at = CONTROL_BYTES + RING_BYTES + tail;
        match act {
            0 if tail + bytes.len() > RING_BYTES => return,
            0 => {
                words.copy_in(at, bytes);
                tail += bytes.len();
                words.word(TAIL).store(tail as u64, Ordering::Release);
                send(&stream, &[0]);
            }
            1 => {
                if let [number, value @ ..] = bytes
                    && let Some(value) = value.first_chunk()
                {
                    let word = words.word(usize::from(*number) * 8);
                    word.store(u64::from_le_bytes(*value), Ordering::Release);
                    send(&stream, &[0]);
                }
            }
            2 => send(&stream, bytes),
            _ if tail + bytes.len() <= RING_BYTES => words.copy_in(at, bytes),
            _ => {}
        }
        tokio::task::yield_now().await;
    }
}

/// The next frame of the true end: they come one by one.
async fn receive(stream: &StdStream, descriptors: &mut Vec<OwnedFd>) -> Kind {
    let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
    let mut bytes = BytesMut::new();
    loop {
        let mut buffer = [0; 64];
        if let Ok(received) = recv_with_descriptors(stream, &mut buffer, descriptors) {
            bytes.extend_from_slice(&buffer[..received.bytes]);
        }
        if let Ok(Some(frame)) = decoder.decode(&mut bytes) {
            return frame.kind;
        }
        tokio::task::yield_now().await;
    }
}

/// The reader may have closed, or be full of bells: it learns it all the same.
fn send(stream: &StdStream, bytes: &[u8]) {
    if !bytes.is_empty() {
        drop(send_with_descriptors(stream, bytes, &[]));
    }
}

/// One act.
fn act(act: u8, bytes: &[u8]) -> Vec<u8> {
    let len = u8::try_from(bytes.len()).expect("an act of a seed is short");
    [&[act, len], bytes].concat()
}

fn plain(kind: Kind, descriptors: u8) -> Bytes {
    encoded_of(kind, descriptors, b"\x04\0ping")
}

fn encoded_of(kind: Kind, descriptors: u8, body: &'static [u8]) -> Bytes {
    let frame = Frame {
        descriptors,
        ..Frame::new(kind, Bytes::from_static(body))
    };
    encoded(&frame).into()
}

/// A word of the control page.
fn store(number: u8, value: u64) -> Vec<u8> {
    act(1, &[&[number][..], &value.to_le_bytes()].concat())
}

pub(crate) fn seeds() -> Vec<Seed> {
    const TAIL_WORD: u8 = (TAIL / 8) as u8;
    let ask = plain(Kind::Ask, 0);
    let one = act(0, &ask);
    let halves = ask.split_at(20);
    let after = |bytes: Vec<u8>| [one.clone(), bytes, one.clone()].concat();
    vec![
        ("nothing", Vec::new()),
        ("one_frame", one.clone()),
        ("two_frames", [one.clone(), one.clone()].concat()),
        (
            "frame_in_halves",
            [act(0, halves.0), act(0, halves.1)].concat(),
        ),
        ("frame_that_does_not_end", act(0, halves.0)),
        ("garbage", after(act(0, &[0xff; 40]))),
        ("length_of_nothing", after(act(0, &[0; 4]))),
        (
            "tail_too_far",
            after(store(TAIL_WORD, RING_BYTES as u64 + 1)),
        ),
        ("tail_within_the_ring", after(store(TAIL_WORD, 1000))),
        ("tail_gone_back", after(store(TAIL_WORD, 1))),
        ("tail_of_all_ones", after(store(TAIL_WORD, u64::MAX))),
        ("head_too_far", after(store(16, 1 << 40))),
        ("sleeper_of_all_ones", after(store(80, u64::MAX))),
        ("signal_that_is_none", after(act(2, &[7]))),
        ("descriptors_that_do_not_come", after(act(2, &[1]))),
        ("lost_without_a_frame", after(act(2, &[2]))),
        (
            "lost_with_its_frame",
            [act(0, &plain(Kind::Ask, 1)), act(2, &[2]), one.clone()].concat(),
        ),
        ("held_until_the_end", act(0, &plain(Kind::Ask, 1))),
        ("descriptors_with_a_hello", act(0, &plain(Kind::Hello, 1))),
        ("many_bells", after(act(2, &[0; 255]))),
        ("bytes_ahead_of_the_index", after(act(3, &ask))),
        (
            "rings_within_the_ring",
            after(act(0, &plain(Kind::Rings, 0))),
        ),
    ]
}
