//! From the socket to the rings, and what holds there alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pulsar_link::payload::Outcome;
use pulsar_link::{CloseReason, Fare, Link, Reply, RingSettings};
use pulsar_wire::{Frame, Incarnation, Kind, MAX_FRAME_BYTES};
use rustix::time::{ClockId, clock_gettime};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::support::{End, Handler, host, message, number, pair, start};

/// Lets both pumps run until both ends are on their rings.
async fn on_rings(one: &Link, two: &Link) {
    while !(one.is_on_ring() && two.is_on_ring()) {
        tokio::task::yield_now().await;
    }
}

fn link(place: u32, settings: Option<RingSettings>) -> Arc<Link> {
    let link = Link::direct(host(place), Incarnation::FIRST);
    Arc::new(match settings {
        Some(settings) => link.with_rings(settings),
        None => link,
    })
}

fn settings(makes: bool, after: u32) -> RingSettings {
    RingSettings {
        makes,
        after,
        poll: Duration::ZERO,
    }
}

/// An end with these settings, over `stream`.
pub(crate) fn end(place: u32, stream: UnixStream, settings: Option<RingSettings>) -> End {
    let (sender, commands) = mpsc::unbounded_channel();
    let handler = Handler {
        commands: sender,
        takes_descriptors: true,
    };
    let link = link(place, settings);
    let pump = start(&link, stream, handler);
    End {
        link,
        commands,
        pump,
    }
}

#[tokio::test]
async fn the_order_is_kept_from_the_socket_to_the_rings_in_both_directions() {
    const MESSAGES: u32 = 2_000;
    let (stream, other) = UnixStream::pair().unwrap();
    let mut one = end(2, stream, Some(settings(true, 5)));
    let mut two = end(1, other, Some(settings(false, 5)));
    let sending = |link: &Arc<Link>| {
        let link = Arc::clone(link);
        tokio::spawn(async move {
            for count in 0..MESSAGES {
                let body = message(7, count);
                link.send_tell(body, Fare::Credit).await.unwrap();
            }
        })
    };
    let (first, second) = (sending(&one.link), sending(&two.link));
    for expected in 0..MESSAGES {
        for end in [&mut one, &mut two] {
            let came = end.next().await;
            assert_eq!(number(&came.frame), expected);
            came.take_in();
        }
    }
    first.await.unwrap();
    second.await.unwrap();
    on_rings(&one.link, &two.link).await;
}

#[tokio::test]
async fn rings_are_offered_after_some_messages_and_not_before() {
    let (stream, other) = UnixStream::pair().unwrap();
    let one = end(2, stream, Some(settings(true, 3)));
    let mut two = end(1, other, Some(settings(false, 3)));
    for count in 0..2 {
        one.link
            .try_send_tell(message(7, count), Fare::Credit)
            .unwrap();
        two.next().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!one.link.is_on_ring() && !two.link.is_on_ring());
    one.link.try_send_tell(message(7, 2), Fare::Credit).unwrap();
    on_rings(&one.link, &two.link).await;
}

#[tokio::test]
async fn an_end_that_wants_no_rings_refuses_them_and_the_link_goes_on() {
    let (stream, other) = UnixStream::pair().unwrap();
    let mut one = end(2, stream, Some(settings(true, 0)));
    let mut two = end(1, other, None);
    for count in 0..1_000 {
        let there = one.link.send_tell(message(7, count), Fare::Free);
        there.await.unwrap();
        let back = two.link.send_tell(message(7, count), Fare::Free);
        back.await.unwrap();
        assert_eq!(number(&two.next().await.frame), count);
        assert_eq!(number(&one.next().await.frame), count);
    }
    assert!(!one.link.is_on_ring() && !two.link.is_on_ring());
}

/// Asks that fill the ring of replies: each reply is as large as a frame may be.
#[tokio::test]
async fn replies_that_fill_their_ring_all_come_and_hold_up_no_ask() {
    const ASKS: u32 = 6;
    const REPLY_BYTES: usize = MAX_FRAME_BYTES - 1024;
    let (one, mut two) = pair();
    on_rings(&one.link, &two.link).await;
    let mut answers = Vec::new();
    for count in 0..ASKS {
        let sent = one.link.try_send_ask(message(7, count), Fare::Credit, None);
        answers.push(Reply::new(Arc::clone(&one.link), sent.unwrap()));
    }
    for count in 0..ASKS {
        let came = two.next().await;
        assert_eq!(number(&came.frame), count);
        let body = Bytes::from(vec![count as u8; REPLY_BYTES]);
        let answer = Ok((Kind::Reply, body.into()));
        came.link
            .answer(came.frame.request, came.frame.codec, answer);
    }
    // The ring is full by now, and the other direction is not.
    one.link.try_send_tell(message(7, 100), Fare::Free).unwrap();
    assert_eq!(number(&two.next().await.frame), 100);
    for (count, answer) in (0..).zip(answers) {
        let Outcome::Reply(pulsar_link::payload::Payload::Wire(_, body)) = answer.await.unwrap()
        else {
            panic!("no reply");
        };
        assert_eq!(body.bytes.len(), REPLY_BYTES);
        assert!(body.bytes.iter().all(|byte| *byte == count));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_hot_links_of_one_loop_all_go_on() {
    const LINKS: usize = 24;
    const ASKS: u32 = 300;
    let mut tasks = Vec::new();
    for _ in 0..LINKS {
        let (one, mut two) = pair();
        tasks.push(tokio::spawn(async move {
            while let Some(came) = two.commands.recv().await {
                came.take_in();
                came.echo();
            }
        }));
        tasks.push(tokio::spawn(async move {
            for count in 0..ASKS {
                let sent = one.link.send_ask(message(7, count), Fare::Credit).await;
                let reply = Reply::new(Arc::clone(&one.link), sent.unwrap());
                assert!(matches!(reply.await.unwrap(), Outcome::Reply(_)));
            }
            assert!(one.link.is_on_ring());
            one.link.close();
            let reason = one.pump.await.unwrap();
            assert!(matches!(reason, CloseReason::Closed), "{reason}");
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn what_one_has_said_before_its_end_is_read_from_the_ring() {
    let (one, mut two) = pair();
    on_rings(&one.link, &two.link).await;
    for count in 0..500 {
        one.link
            .try_send_tell(message(7, count), Fare::Free)
            .unwrap();
    }
    one.link.close();
    drop(one.pump.await.unwrap());
    for count in 0..500 {
        assert_eq!(number(&two.next().await.frame), count);
    }
    let reason = two.pump.await.unwrap();
    assert!(matches!(reason, CloseReason::PeerClosed), "{reason}");
}

/// Processor time of this process.
fn used() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

/// It runs in a process of its own, which is this test once more: what other tests use is no idle link's.
#[test]
fn links_that_have_been_hot_and_are_idle_use_no_processor() {
    const NAME: &str = "switching::links_that_have_been_hot_and_are_idle_use_no_processor";
    const ALONE: &str = "PULSAR_LINK_IDLE_TEST";
    if std::env::var_os(ALONE).is_none() {
        let program = std::env::current_exe().unwrap();
        let mut test = std::process::Command::new(program);
        test.args(["--exact", NAME]).env(ALONE, "1");
        assert!(test.status().unwrap().success());
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (one, mut two) = pair();
        tokio::spawn(async move {
            while let Some(came) = two.commands.recv().await {
                came.take_in();
                came.echo();
            }
        });
        for count in 0..1_000 {
            let sent = one.link.try_send_ask(message(7, count), Fare::Credit, None);
            let reply = Reply::new(Arc::clone(&one.link), sent.unwrap());
            reply.await.unwrap();
        }
        // Longer than any reader polls.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let before = used();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let used = used() - before;
        assert!(used < Duration::from_millis(10), "{used:?}");
    });
}

#[tokio::test]
async fn the_memory_of_the_rings_is_gone_with_the_pump() {
    let mapped = || {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        maps.matches("memfd:pulsar-words").count()
    };
    let (one, two) = pair();
    on_rings(&one.link, &two.link).await;
    assert!(mapped() >= 2);
    one.link.close();
    drop(one.pump.await.unwrap());
    drop(two.pump.await.unwrap());
    // Both are on no ring any more, whoever holds the links.
    assert!(!one.link.is_on_ring() && !two.link.is_on_ring());
}

#[tokio::test]
async fn what_may_not_be_said_of_rings_now_is_not_trusted() {
    let frame = |kind| Frame::new(kind, Bytes::new());
    let with_body = Frame::new(Kind::RingsRefused, Bytes::from_static(b"x"));
    let cases = [
        // The maker is offered rings.
        (true, frame(Kind::Rings)),
        // Offered without their memory.
        (false, frame(Kind::Rings)),
        (false, frame(Kind::RingsTaken)),
        (false, frame(Kind::RingsRefused)),
        (false, frame(Kind::RingsBegun)),
        (true, frame(Kind::RingsTaken)),
        (true, frame(Kind::RingsBegun)),
        (false, with_body),
        // Seats come from the arbiter.
        (false, frame(Kind::Seats)),
    ];
    for (makes, frame) in cases {
        let (stream, other) = UnixStream::pair().unwrap();
        let one = end(2, stream, Some(settings(makes, 100)));
        other.try_write(&crate::support::encoded(&frame)).unwrap();
        let reason = one.pump.await.unwrap();
        let untrusted = matches!(reason, CloseReason::Untrusted(_));
        assert!(untrusted, "{:?}: {reason}", frame.kind);
    }
}

/// Most bells are left on the socket unread. What is passed between them is found all the same, and nobody sleeps through
/// one: each message here finds the other side asleep.
#[tokio::test]
async fn what_is_passed_between_bells_comes_with_its_frame() {
    let (stream, other) = UnixStream::pair().unwrap();
    let one = end(2, stream, Some(settings(true, 0)));
    let mut two = end(1, other, Some(settings(false, 0)));
    on_rings(&one.link, &two.link).await;
    for count in 0..300 {
        // In ever other steps from one to the next, so that each comes behind any number of bells.
        let passes = (0..count)
            .map(|step| step * (step + 1) / 2)
            .any(|at| at == count);
        let descriptors = match passes {
            true => vec![std::fs::File::open("/dev/null").unwrap().into()],
            false => Vec::new(),
        };
        let frame = Frame {
            request: count,
            ..Frame::new(Kind::Notify, Bytes::new())
        };
        one.link.send_with_descriptors(frame, descriptors);
        let came = two.next().await;
        assert_eq!(came.frame.request, count);
        assert_eq!(came.descriptors.len(), usize::from(passes), "{count}");
        // It is asleep again by then.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    assert!(two.link.is_on_ring());
}
