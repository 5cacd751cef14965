//! Descriptors on their way between frames.

use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pulsar_link::payload::{NATIVE, Outcome};
use pulsar_link::{AskBody, Body, CloseReason, Due, Fare, Link, Reply, SharedBytes};
use pulsar_sys::descriptors::{MAX_DESCRIPTORS, send_with_descriptors};
use pulsar_wire::{CommandBody, Frame, Incarnation, Kind};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::net::UnixStream;

use crate::support::{End, encoded, host, pair};

/// A descriptor from which `tag` can be read.
fn tagged(tag: u64) -> OwnedFd {
    let (passed, mut kept) = StdStream::pair().unwrap();
    kept.write_all(&tag.to_le_bytes()).unwrap();
    passed.into()
}

fn tag(descriptor: OwnedFd) -> u64 {
    let mut bytes = [0; 8];
    StdStream::from(descriptor).read_exact(&mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}

/// How many descriptors go with frame `number`: few have any, some have two.
fn count(number: u64) -> u64 {
    match number % 100 {
        17 => 1,
        18 => 2,
        _ => 0,
    }
}

#[tokio::test]
async fn each_frame_gets_its_own_descriptors_through_a_full_socket() {
    const FRAMES: u64 = 10_000;
    let (one, two) = UnixStream::pair().unwrap();
    let sender = End::new(2, one, false);
    for number in 0..FRAMES {
        let frame = Frame {
            request: number,
            // Of all sizes, so that writes and reads are cut everywhere.
            ..Frame::new(Kind::Notify, Bytes::from(vec![7; (number % 700) as usize]))
        };
        let descriptors = (0..count(number)).map(|_| tagged(number)).collect();
        sender.link.send_with_descriptors(frame, descriptors);
    }
    // It writes until the socket is full before anybody reads.
    tokio::task::yield_now().await;
    let mut receiver = End::new(1, two, true);
    for number in 0..FRAMES {
        let came = receiver.next().await;
        assert_eq!(came.frame.request, number);
        assert_eq!(came.descriptors.len() as u64, count(number));
        for descriptor in came.descriptors {
            assert_eq!(tag(descriptor), number);
        }
    }
}

#[tokio::test]
async fn a_process_without_a_loop_writes_descriptors_too() {
    const FRAMES: u64 = 3000;
    let (one, two) = StdStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    two.set_nonblocking(true).unwrap();
    let link = Link::new(host(2));
    for number in 0..FRAMES {
        let frame = Frame {
            request: number,
            ..Frame::new(Kind::Notify, Bytes::from(vec![7; 300]))
        };
        let descriptors = (0..count(number)).map(|_| tagged(number)).collect();
        link.send_with_descriptors(frame, descriptors);
    }
    let writing = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + Duration::from_secs(60);
        link.flush_blocking(one.as_fd(), deadline).unwrap();
    });
    let two = UnixStream::from_std(two).unwrap();
    let mut receiver = End::new(1, two, true);
    for number in 0..FRAMES {
        let came = receiver.next().await;
        let tags: Vec<_> = came.descriptors.into_iter().map(tag).collect();
        assert_eq!(tags, vec![number; count(number) as usize]);
    }
    writing.await.unwrap();
    let reason = receiver.pump.await.unwrap();
    assert!(matches!(reason, CloseReason::PeerClosed), "{reason}");
}

#[tokio::test]
async fn a_way_that_the_arbiter_passes_is_open_at_both_ends() {
    let (one, two) = UnixStream::pair().unwrap();
    let (arbiter, mut child) = (End::new(2, one, false), End::new(1, two, true));
    let (request, sought) = child.link.seek(host(5)).unwrap();
    let mut arbiter = arbiter;
    let seek = arbiter.next().await.frame;
    assert_eq!((seek.kind, seek.place), (Kind::Seek, 5));
    let (way, mut end) = StdStream::pair().unwrap();
    let way = Some((Incarnation(3), way.into()));
    arbiter.link.send_peer(seek.request, host(5), way);
    let mut came = child.next().await;
    assert_eq!(came.frame.kind, Kind::Peer);
    assert_eq!(came.frame.incarnation, Some(Incarnation(3)));
    let mut stream = StdStream::from(came.descriptors.remove(0));
    assert_eq!(came.frame.request, request);
    child.link.reply_came(came.frame, Vec::new());
    assert!(sought.await.unwrap().unwrap().has_descriptor);
    stream.write_all(b"x").unwrap();
    let mut byte = [0];
    end.read_exact(&mut byte).unwrap();
}

/// What a link does with these bytes and that many descriptors with the first of them.
async fn verdict(bytes: &[u8], descriptors: usize, takes_descriptors: bool) -> CloseReason {
    let (one, two) = StdStream::pair().unwrap();
    let passed: Vec<_> = (0..descriptors).map(|_| tagged(0)).collect();
    let passed: Vec<_> = passed.iter().map(AsFd::as_fd).collect();
    let sent = send_with_descriptors(&one, bytes, &passed).unwrap();
    assert_eq!(sent, bytes.len());
    drop(one);
    two.set_nonblocking(true).unwrap();
    let two = UnixStream::from_std(two).unwrap();
    End::new(1, two, takes_descriptors).pump.await.unwrap()
}

#[tokio::test]
async fn shared_bytes_go_with_asks_and_with_their_replies() {
    const ASKS: usize = 1_000;
    let (mut one, mut two) = pair();
    let asking = async {
        let mut answers = Vec::new();
        for number in 0..ASKS {
            let text = format!("text {number}");
            let shared = SharedBytes::copy_from(text.as_bytes()).unwrap();
            let args = Body::of(NATIVE, &(number, shared)).unwrap();
            let lead = CommandBody::lead("shout").unwrap();
            let body = AskBody::in_pieces(host(2), lead, NATIVE, args, Due::Never);
            let sent = one.link.send_ask(body, Fare::Free).await;
            answers.push(Reply::new(Arc::clone(&one.link), sent.unwrap()));
        }
        for (number, answer) in answers.into_iter().enumerate() {
            let Outcome::Reply(reply) = answer.await.unwrap() else {
                panic!("no reply");
            };
            let shared: SharedBytes = reply.take().unwrap();
            assert_eq!(&*shared, format!("TEXT {number}").as_bytes());
        }
    };
    let answering = async {
        for number in 0..ASKS {
            let came = two.next().await;
            let command = CommandBody::decode(&came.frame.body).unwrap();
            let passed = came.link.admit(&came.frame, came.descriptors, &mut None);
            let args = Body {
                bytes: command.args,
                passed: passed.unwrap(),
            };
            let (at, text): (usize, SharedBytes) = args.read(NATIVE).unwrap();
            assert_eq!(at, number);
            let reply = SharedBytes::copy_from(&text.to_ascii_uppercase()).unwrap();
            let reply = Body::of(NATIVE, &reply).map(|body| (Kind::Reply, body));
            came.link.answer(came.frame.request, NATIVE, reply);
        }
    };
    tokio::join!(asking, answering);
    assert!(one.commands.try_recv().is_err());
}

fn announcing(descriptors: u8) -> Bytes {
    encoded(&announcing_as(descriptors, 0))
}

fn announcing_as(descriptors: u8, request: u64) -> Frame {
    Frame {
        descriptors,
        request,
        ..Frame::new(Kind::Peer, Bytes::new())
    }
}

#[tokio::test]
async fn descriptors_that_do_not_match_what_the_frame_says_close_the_link() {
    let ended = |reason| matches!(reason, CloseReason::PeerClosed);
    let untrusted = |reason| matches!(reason, CloseReason::Untrusted(_));
    assert!(ended(verdict(&announcing(1), 1, true).await));
    assert!(ended(verdict(&announcing(0), 0, true).await));
    assert!(ended(verdict(&announcing(0), 0, false).await));
    // Announced, and not there.
    assert!(untrusted(verdict(&announcing(1), 0, true).await));
    assert!(untrusted(verdict(&announcing(2), 1, true).await));
    // There, and not announced.
    assert!(untrusted(verdict(&announcing(0), 1, true).await));
    assert!(untrusted(verdict(&announcing(1), 2, true).await));
    // To whom none may be passed.
    assert!(untrusted(verdict(&announcing(1), 1, false).await));
}

#[tokio::test]
async fn descriptors_that_gather_behind_a_frame_that_never_ends_close_the_link() {
    let (one, two) = StdStream::pair().unwrap();
    two.set_nonblocking(true).unwrap();
    let two = UnixStream::from_std(two).unwrap();
    let receiver = End::new(1, two, true);
    let passed: Vec<_> = (0..40).map(tagged).collect();
    let passed: Vec<_> = passed.iter().map(AsFd::as_fd).collect();
    let bytes = announcing(40);
    for byte in &bytes[..2] {
        send_with_descriptors(&one, &[*byte], &passed).unwrap();
    }
    let reason = receiver.pump.await.unwrap();
    assert!(matches!(reason, CloseReason::Untrusted(_)), "{reason}");
}

/// Sends bytes with more descriptors than a receiver has room for: there they are lost.
fn send_with_too_many(stream: &StdStream, bytes: &[u8]) {
    const TOO_MANY: usize = 2 * MAX_DESCRIPTORS;
    let passed: Vec<_> = (0..TOO_MANY as u64).map(tagged).collect();
    let passed: Vec<_> = passed.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(TOO_MANY))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&passed)));
    let sent = sendmsg(
        stream,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::empty(),
    );
    assert_eq!(sent.unwrap(), bytes.len());
}

#[tokio::test]
async fn a_frame_whose_descriptors_were_lost_does_not_take_those_of_the_next() {
    let (one, two) = StdStream::pair().unwrap();
    two.set_nonblocking(true).unwrap();
    let mut receiver = End::new(1, UnixStream::from_std(two).unwrap(), true);
    send_with_too_many(&one, &encoded(&announcing_as(1, 1)));
    let cut = encoded(&announcing_as(1, 2));
    send_with_too_many(&one, &cut[..7]);
    let first = receiver.next().await;
    assert_eq!((first.frame.request, first.descriptors.len()), (1, 0));
    // The beginning of the second has been read by itself. Its end comes in one read with the third.
    tokio::task::yield_now().await;
    send_with_descriptors(&one, &cut[7..], &[]).unwrap();
    let passed = tagged(3);
    let third = encoded(&announcing_as(1, 3));
    send_with_descriptors(&one, &third, &[passed.as_fd()]).unwrap();
    let second = receiver.next().await;
    assert_eq!((second.frame.request, second.descriptors.len()), (2, 0));
    let mut third = receiver.next().await;
    assert_eq!(third.frame.request, 3);
    assert_eq!(tag(third.descriptors.remove(0)), 3);
    // One loss is forgiven to one frame.
    send_with_descriptors(&one, &announcing(1), &[]).unwrap();
    let reason = receiver.pump.await.unwrap();
    assert!(matches!(reason, CloseReason::Untrusted(_)), "{reason}");
}

#[tokio::test]
async fn lost_descriptors_that_no_frame_announces_close_the_link() {
    let (one, two) = StdStream::pair().unwrap();
    two.set_nonblocking(true).unwrap();
    let receiver = End::new(1, UnixStream::from_std(two).unwrap(), true);
    let bytes = announcing(1);
    for byte in &bytes[..2] {
        send_with_too_many(&one, &[*byte]);
    }
    let reason = receiver.pump.await.unwrap();
    assert!(matches!(reason, CloseReason::Untrusted(_)), "{reason}");
}
