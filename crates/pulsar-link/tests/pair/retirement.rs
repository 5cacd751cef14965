//! The orderly end of a direct link.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use pulsar_link::payload::{Outcome, Payload};
use pulsar_link::{CloseReason, Fare, Link, Peers, Reply, Unsent};
use pulsar_model::Cause;
use pulsar_wire::{Frame, Kind};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::support::{Came, End, Handler, direct, host, message, number, pair, start};

/// Asks in flight each way.
const ASKS: u32 = 20;

fn ask(link: &Arc<Link>, number: u32) -> Reply {
    let sent = link.try_send_ask(message(7, number), Fare::Credit, None);
    Reply::new(Arc::clone(link), sent.unwrap())
}

async fn replied(answer: Reply, number: u32) {
    let outcome = answer.await.unwrap();
    let Outcome::Reply(Payload::Wire(_, body)) = outcome else {
        panic!("no reply but {outcome:?}");
    };
    let frame = Frame::new(Kind::Ask, body.bytes);
    assert_eq!(crate::support::number(&frame), number);
}

/// The asks that came, all of them, in order.
async fn all(end: &mut End) -> Vec<Came> {
    let mut came = Vec::new();
    for expected in 0..ASKS {
        came.push(end.next().await);
        assert_eq!(number(&came.last().unwrap().frame), expected);
    }
    came
}

/// The end of a pump, and that of its link in order.
async fn ended(end: End) {
    let reason = end.pump.await.unwrap();
    let quiet = matches!(reason, CloseReason::Closed | CloseReason::PeerClosed);
    assert!(quiet, "{reason}");
    assert!(end.link.ended_in_order());
    end.link.end(&Cause::Normal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_retire_at_once_with_asks_in_flight_both_ways_and_no_reply_is_lost() {
    for round in 0..200 {
        let (mut one, mut two) = pair();
        let answers: Vec<_> = (0..ASKS)
            .map(|number| (ask(&one.link, number), ask(&two.link, number)))
            .collect();
        let mut asked = all(&mut two).await;
        asked.append(&mut all(&mut one).await);
        // Each from a thread of its own, and the answers with it.
        let first = Arc::clone(&one.link);
        let retiring = tokio::spawn(async move { first.retire() });
        let answering = tokio::spawn(async move {
            for came in &asked {
                came.take_in();
                came.echo();
            }
        });
        if round % 2 == 0 {
            two.link.retire();
        }
        for (number, (from_one, from_two)) in (0..).zip(answers) {
            replied(from_one, number).await;
            replied(from_two, number).await;
        }
        retiring.await.unwrap();
        answering.await.unwrap();
        one.link.is_read_out().await;
        two.link.is_read_out().await;
        ended(one).await;
        ended(two).await;
    }
}

#[tokio::test]
async fn a_link_stays_open_as_long_as_a_reply_is_owed() {
    let (one, mut two) = pair();
    let answer = ask(&one.link, 5);
    let came = two.next().await;
    one.link.retire();
    one.link.is_read_out().await;
    two.link.is_read_out().await;
    assert!(!one.pump.is_finished() && !two.pump.is_finished());
    assert!(!one.link.ended_in_order());
    came.echo();
    drop(came);
    replied(answer, 5).await;
    ended(one).await;
    ended(two).await;
}

#[tokio::test]
async fn who_waits_for_credit_gets_the_message_back() {
    let (one, _two) = pair();
    while one.link.try_send_tell(message(7, 0), Fare::Credit).is_ok() {}
    let waiting = {
        let link = Arc::clone(&one.link);
        tokio::spawn(async move { link.send_tell(message(7, 1), Fare::Credit).await })
    };
    tokio::task::yield_now().await;
    one.link.retire();
    let sent = waiting.await.unwrap();
    assert!(matches!(sent, Err(Unsent::Retired(_))));
}

#[tokio::test]
async fn an_ask_behind_a_retire_is_not_trusted() {
    let (stream, other) = UnixStream::pair().unwrap();
    let two = End::new(1, other, false);
    // A peer that does not use a link, but writes frames as it likes.
    for kind in [Kind::Retire, Kind::Tell] {
        let bytes = crate::support::encoded(&Frame::new(kind, Bytes::new()));
        assert_eq!(stream.try_write(&bytes).unwrap(), bytes.len());
    }
    let reason = two.pump.await.unwrap();
    assert!(matches!(reason, CloseReason::Untrusted(_)), "{reason}");
}

/// A sender's direct links, and where all that comes over them comes out.
struct World {
    peers: Peers,
    commands: mpsc::UnboundedSender<Came>,
    /// Links that ended, and those of them that did so in order.
    ended: AtomicUsize,
    in_order: AtomicUsize,
}

impl World {
    /// A new link to the process in place 2, whose other end runs on its own.
    fn connect(self: &Arc<Self>) -> Arc<Link> {
        let (one, two) = UnixStream::pair().unwrap();
        let near = Arc::new(direct(2));
        let far = Arc::new(direct(1));
        let handler = || Handler {
            commands: self.commands.clone(),
            takes_descriptors: false,
        };
        start(&far, two, handler());
        let pump = start(&near, one, handler());
        self.peers.add(Arc::clone(&near));
        let (world, link) = (Arc::clone(self), Arc::clone(&near));
        tokio::spawn(async move {
            pump.await.unwrap();
            let in_order = usize::from(link.ended_in_order());
            world.in_order.fetch_add(in_order, Ordering::Relaxed);
            world.ended.fetch_add(1, Ordering::Relaxed);
            link.end(&Cause::Normal);
            world.peers.remove(&link);
        });
        near
    }

    /// As a process sends: over the link that is there, or else over a new one.
    async fn send(self: &Arc<Self>, number: u32) {
        let mut body = message(7, number);
        loop {
            let link = match (self.peers.get(host(2)), self.peers.retiring(host(2))) {
                (Some(link), _) => link,
                (None, Some(old)) => {
                    old.is_read_out().await;
                    continue;
                }
                (None, None) => self.connect(),
            };
            match link.send_tell(body, Fare::Credit).await {
                Ok(()) => return,
                Err(Unsent::Retired(back)) => body = *back,
                Err(Unsent::Refused(error)) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_is_kept_from_one_link_to_the_next() {
    const MESSAGES: u32 = 20_000;
    let (commands, mut came) = mpsc::unbounded_channel();
    let world = Arc::new(World {
        peers: Peers::new(4),
        commands,
        ended: AtomicUsize::new(0),
        in_order: AtomicUsize::new(0),
    });
    let done = Arc::new(AtomicBool::new(false));
    let retirer = {
        let (world, done) = (Arc::clone(&world), Arc::clone(&done));
        tokio::spawn(async move {
            let mut retired = 0;
            while !done.load(Ordering::Relaxed) {
                if let Some(link) = world.peers.get(host(2)) {
                    link.retire();
                    retired += 1;
                }
                tokio::task::yield_now().await;
            }
            retired
        })
    };
    let sender = {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            for number in 0..MESSAGES {
                world.send(number).await;
            }
        })
    };
    for expected in 0..MESSAGES {
        let came = came.recv().await.unwrap();
        assert_eq!(number(&came.frame), expected);
        came.take_in();
    }
    sender.await.unwrap();
    done.store(true, Ordering::Relaxed);
    assert!(retirer.await.unwrap() > 10);
    // All close by themselves, once the last is retired too.
    for link in world.peers.links() {
        link.retire();
    }
    while !world.peers.is_empty() {
        tokio::task::yield_now().await;
    }
    let ended = world.ended.load(Ordering::Relaxed);
    assert!(ended > 10);
    assert_eq!(world.in_order.load(Ordering::Relaxed), ended);
}
