//! A peer that writes what it likes into the memory of the rings, and to the socket.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pulsar_link::{CloseReason, Link, RingSettings};
use pulsar_sys::SharedWords;
use pulsar_sys::descriptors::{recv_with_descriptors, send_with_descriptors};
use pulsar_wire::{Frame, FrameDecoder, Incarnation, Kind, MAX_FRAME_BYTES};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::support::{End, Handler, encoded, host, start};

/// The length of one ring, and of the page before the two.
const RING_BYTES: usize = 128 << 10;
const CONTROL_BYTES: usize = 4096;
/// Where the indices stand of the ring into which the maker writes, and of the taker's.
const MAKERS_HEAD: usize = 128;
const TAKERS_TAIL: usize = 256;

/// A taker by hand, of a maker that is true.
struct Liar {
    stream: StdStream,
    words: SharedWords,
    tail: u64,
}

/// The true end, and the liar at the other, both on rings.
async fn scene() -> (End, Liar) {
    let (stream, ours) = StdStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let (sender, commands) = mpsc::unbounded_channel();
    let handler = Handler {
        commands: sender,
        takes_descriptors: true,
    };
    let settings = RingSettings {
        makes: true,
        after: 0,
        poll: Duration::ZERO,
    };
    let link = Link::direct(host(2), Incarnation::FIRST).with_rings(settings);
    let link = Arc::new(link);
    let pump = start(&link, UnixStream::from_std(ours).unwrap(), handler);
    let end = End {
        link,
        commands,
        pump,
    };
    let (offer, descriptors) = receive(&stream).await;
    assert_eq!(offer, Kind::Rings);
    let bytes = CONTROL_BYTES + 2 * RING_BYTES;
    let words = SharedWords::take(descriptors[0].as_fd(), bytes.try_into().unwrap()).unwrap();
    let liar = Liar {
        stream,
        words,
        tail: 0,
    };
    liar.send(&Frame::new(Kind::RingsTaken, Bytes::new()));
    assert_eq!(receive(&liar.stream).await.0, Kind::RingsBegun);
    (end, liar)
}

/// The next frame of the true end: they come one by one.
async fn receive(stream: &StdStream) -> (Kind, Vec<OwnedFd>) {
    stream.set_nonblocking(true).unwrap();
    let (mut bytes, mut descriptors) = (BytesMut::new(), Vec::new());
    let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
    loop {
        let mut buffer = [0; 64];
        match recv_with_descriptors(stream, &mut buffer, &mut descriptors) {
            Ok(received) => bytes.extend_from_slice(&buffer[..received.bytes]),
            Err(_) => tokio::task::yield_now().await,
        }
        if let Some(frame) = decoder.decode(&mut bytes).unwrap() {
            return (frame.kind, descriptors);
        }
    }
}

impl Liar {
    fn send(&self, frame: &Frame) {
        self.signal(&encoded(frame), 0);
    }

    /// Bytes on the socket, with so many descriptors.
    fn signal(&self, bytes: &[u8], descriptors: usize) {
        let null = std::fs::File::open("/dev/null").unwrap();
        let passed = vec![null.as_fd(); descriptors];
        let sent = send_with_descriptors(&self.stream, bytes, &passed).unwrap();
        assert_eq!(sent, bytes.len());
    }

    /// Bytes into its ring, as a true peer would, and a bell.
    fn write(&mut self, bytes: &[u8]) {
        let at = CONTROL_BYTES + RING_BYTES + self.tail as usize % RING_BYTES;
        self.words.copy_in(at, bytes);
        self.tail += bytes.len() as u64;
        self.store(TAKERS_TAIL, self.tail);
        self.signal(&[0], 0);
    }

    /// So many bells, one by one, that those who leave them where they are read them.
    async fn ring(&self) {
        for _ in 0..8 {
            // It may have closed.
            drop(send_with_descriptors(&self.stream, &[0], &[]));
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn store(&self, at: usize, value: u64) {
        self.words.word(at).store(value, Ordering::Release);
    }
}

fn announcing(descriptors: u8) -> Bytes {
    encoded(&Frame {
        descriptors,
        ..Frame::new(Kind::Ask, Bytes::new())
    })
}

fn is_untrusted(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::Untrusted(_))
}

#[tokio::test]
async fn a_true_taker_by_hand_is_heard() {
    let (mut end, mut liar) = scene().await;
    liar.write(&announcing(0));
    liar.write(&announcing(2));
    liar.signal(&[1], 2);
    liar.write(&announcing(1));
    liar.signal(&[2], 0);
    liar.write(&announcing(pulsar_wire::DESCRIPTORS_LOST));
    for count in [0, 2, 0, 0] {
        assert_eq!(end.next().await.descriptors.len(), count);
    }
    drop(liar);
    let reason = end.pump.await.unwrap();
    assert!(matches!(reason, CloseReason::PeerClosed), "{reason}");
}

#[tokio::test]
async fn indices_that_cannot_be_close_the_link() {
    for tail in [RING_BYTES as u64 + 1, u64::MAX, 1 << 63] {
        let (end, liar) = scene().await;
        liar.store(TAKERS_TAIL, tail);
        liar.signal(&[0], 0);
        let reason = end.pump.await.unwrap();
        assert!(matches!(reason, CloseReason::Ring(_)), "{tail}: {reason}");
    }
    // More is said to have been read than was written: found when there is no room by what was known.
    let (end, liar) = scene().await;
    liar.store(MAKERS_HEAD, 1 << 40);
    let large = Bytes::from(vec![0; 2 * RING_BYTES]);
    end.link.send_system(Frame::new(Kind::Notify, large));
    let reason = end.pump.await.unwrap();
    assert!(matches!(reason, CloseReason::Ring(_)), "{reason}");
}

#[tokio::test]
async fn garbage_in_the_ring_closes_the_link() {
    for garbage in [[0xff; 40], [0; 40]] {
        let (end, mut liar) = scene().await;
        liar.write(&garbage);
        let reason = end.pump.await.unwrap();
        assert!(matches!(reason, CloseReason::Frame(_)), "{reason}");
    }
}

#[tokio::test]
async fn signals_that_are_none_close_the_link() {
    for signal in [3, 0xff] {
        let (end, liar) = scene().await;
        liar.signal(&[0, signal], 0);
        liar.ring().await;
        let reason = end.pump.await.unwrap();
        assert!(is_untrusted(&reason), "{reason}");
    }
}

#[tokio::test]
async fn descriptors_that_do_not_match_what_the_frames_say_close_the_link() {
    /// Frames first, each announcing so many descriptors; then signals, with so many.
    type Case<'a> = (&'a [u8], &'a [(&'a [u8], usize)]);
    let cases: [Case<'_>; 7] = [
        // Descriptors without a frame.
        (&[], &[(&[1], 1)]),
        (&[0], &[(&[1], 1)]),
        // Lost ones without a frame.
        (&[], &[(&[2], 0)]),
        // More than the frame says, or fewer.
        (&[1], &[(&[1], 2)]),
        (&[2], &[(&[1], 1)]),
        // Said to come, and not there.
        (&[1], &[(&[1], 0)]),
        // With a bell.
        (&[1], &[(&[0], 1)]),
    ];
    for (number, (frames, signals)) in cases.into_iter().enumerate() {
        let (end, mut liar) = scene().await;
        for count in frames {
            liar.write(&announcing(*count));
        }
        for (bytes, descriptors) in signals {
            liar.signal(bytes, *descriptors);
        }
        liar.ring().await;
        let reason = end.pump.await.unwrap();
        assert!(is_untrusted(&reason), "case {number}: {reason}");
    }
}

#[tokio::test]
async fn a_storm_of_bells_stops_nobody() {
    let (mut end, mut liar) = scene().await;
    let mut heard = 0;
    for _ in 0..200 {
        // As many as the socket takes.
        while send_with_descriptors(&liar.stream, &[0; 64], &[]).is_ok() {}
        tokio::task::yield_now().await;
        while end.commands.try_recv().is_ok() {
            heard += 1;
        }
        if heard == 0 && liar.tail == 0 {
            liar.words
                .copy_in(CONTROL_BYTES + RING_BYTES, &announcing(0));
            liar.tail = announcing(0).len() as u64;
            liar.store(TAKERS_TAIL, liar.tail);
        }
    }
    assert_eq!(heard, 1);
    assert!(!end.pump.is_finished());
}

#[tokio::test]
async fn a_frame_that_its_writer_did_not_live_to_end_is_no_frame() {
    let (mut end, mut liar) = scene().await;
    liar.write(&announcing(0));
    let half = announcing(0);
    liar.write(&half[..half.len() - 1]);
    drop(liar);
    end.next().await;
    let reason = end.pump.await.unwrap();
    assert!(matches!(reason, CloseReason::PeerClosed), "{reason}");
    assert!(end.commands.recv().await.is_none());
}

#[tokio::test]
async fn a_frame_whose_writer_died_before_its_descriptors_comes_without_them() {
    let (mut end, mut liar) = scene().await;
    liar.write(&announcing(1));
    drop(liar);
    let came = end.next().await;
    assert_eq!((came.frame.descriptors, came.descriptors.len()), (1, 0));
}

#[tokio::test]
async fn memory_that_is_no_rings_is_not_taken() {
    let plain = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let short = || SharedWords::create(4096.try_into().unwrap()).unwrap().1;
    for memory in [plain(), short()] {
        let (stream, ours) = StdStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let one = End::new(1, UnixStream::from_std(ours).unwrap(), true);
        let offer = Frame {
            descriptors: 1,
            ..Frame::new(Kind::Rings, Bytes::new())
        };
        send_with_descriptors(&stream, &encoded(&offer), &[memory.as_fd()]).unwrap();
        let reason = one.pump.await.unwrap();
        assert!(is_untrusted(&reason), "{reason}");
    }
}
