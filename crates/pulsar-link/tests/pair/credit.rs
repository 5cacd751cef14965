//! A target that does not keep up holds up those who send to it, and nobody else.

use std::sync::Arc;

use bytes::Bytes;
use pulsar_link::{CloseReason, Fare, Unsent, WINDOW};
use pulsar_model::{Cause, SendError};
use pulsar_wire::{Frame, Kind, MAX_FRAME_BYTES};
use tokio::net::UnixStream;

use crate::support::{End, host, message, number, pair};

const WINDOW_U32: u32 = WINDOW as u32;

fn is_full(sent: &Result<(), Unsent>) -> bool {
    let full = SendError::MailboxFull { capacity: WINDOW };
    matches!(sent, Err(Unsent::Refused(error)) if *error == full)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sender_keeps_its_order_through_all_waits_for_credit() {
    const SENDERS: u32 = 4;
    const EACH: u32 = 20 * WINDOW_U32;
    let (one, mut two) = pair();
    for sender in 0..SENDERS {
        let link = Arc::clone(&one.link);
        tokio::spawn(async move {
            for count in 0..EACH {
                let body = message(7, sender * EACH + count);
                link.send_tell(body, Fare::Credit).await.unwrap();
            }
        });
    }
    let mut next = [0; SENDERS as usize];
    for _ in 0..SENDERS * EACH {
        let came = two.next().await;
        let number = number(&came.frame);
        let count = &mut next[(number / EACH) as usize];
        assert_eq!(number % EACH, *count);
        *count += 1;
        came.take_in();
    }
}

#[tokio::test]
async fn the_sender_stops_at_the_window_and_goes_on_by_credit() {
    let (one, mut two) = pair();
    for count in 0..WINDOW_U32 {
        one.link
            .try_send_tell(message(7, count), Fare::Credit)
            .unwrap();
    }
    assert!(is_full(
        &one.link.try_send_tell(message(7, 0), Fare::Credit)
    ));
    let waiting = {
        let link = Arc::clone(&one.link);
        tokio::spawn(async move { link.send_tell(message(7, WINDOW_U32), Fare::Credit).await })
    };
    let free = |number| one.link.try_send_tell(message(7, number), Fare::Free);
    tokio::task::yield_now().await;
    // Neither what costs nothing nor what is for another waits.
    free(1000).unwrap();
    one.link
        .try_send_tell(message(8, 2000), Fare::Credit)
        .unwrap();

    let mut came = Vec::new();
    for expected in (0..WINDOW_U32).chain([1000, 2000]) {
        came.push(two.next().await);
        assert_eq!(number(&came.last().unwrap().frame), expected);
    }
    assert!(!waiting.is_finished());
    for taken in &came[..WINDOW / 4] {
        taken.take_in();
    }
    waiting.await.unwrap().unwrap();
    assert_eq!(number(&two.next().await.frame), WINDOW_U32);
    // A quarter came back, of which one is spent.
    for count in 1..WINDOW_U32 / 4 {
        one.link
            .try_send_tell(message(7, count), Fare::Credit)
            .unwrap();
    }
    assert!(is_full(
        &one.link.try_send_tell(message(7, 0), Fare::Credit)
    ));
}

#[tokio::test]
async fn credit_that_was_not_given_closes_the_link() {
    let (one, two) = pair();
    two.link.send_system(Frame {
        place: 7,
        request: 1,
        ..Frame::new(Kind::Credit, Bytes::new())
    });
    let reason = one.pump.await.unwrap();
    assert!(matches!(reason, CloseReason::Untrusted(_)), "{reason}");
}

#[tokio::test]
async fn who_waits_for_credit_learns_how_the_link_ended() {
    let (one, _two) = pair();
    for count in 0..WINDOW_U32 {
        one.link
            .try_send_tell(message(7, count), Fare::Credit)
            .unwrap();
    }
    let waiting = {
        let link = Arc::clone(&one.link);
        tokio::spawn(async move { link.send_tell(message(7, 0), Fare::Credit).await })
    };
    tokio::task::yield_now().await;
    one.link.end(&Cause::Code(3));
    let cause = Cause::Code(3);
    let died = SendError::ActorDied { cause };
    let sent = waiting.await.unwrap();
    assert!(matches!(sent, Err(Unsent::Refused(error)) if error == died));
}

#[tokio::test]
async fn a_peer_that_does_not_read_makes_the_sender_wait_and_loses_nothing() {
    const MESSAGES: u32 = 7;
    let (stream, later) = UnixStream::pair().unwrap();
    let one = End::new(2, stream, false);
    let sender = {
        let link = Arc::clone(&one.link);
        tokio::spawn(async move {
            let args = vec![0; MAX_FRAME_BYTES - 1024];
            for _ in 0..MESSAGES {
                let codec = pulsar_wire::Codec::Postcard;
                let body = pulsar_link::AskBody::new(host(7), "large", codec, &args, None);
                let sent = link.send_tell(body.unwrap(), Fare::Credit).await;
                sent.unwrap();
            }
        })
    };
    // The sender runs until it waits, and there is no room for one more.
    loop {
        tokio::task::yield_now().await;
        match one.link.try_send_tell(message(8, 0), Fare::Free) {
            Ok(()) => {}
            Err(Unsent::Refused(SendError::MailboxFull { .. })) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(!sender.is_finished());
    let mut two = End::new(1, later, false);
    let mut large = 0;
    while large < MESSAGES {
        large += u32::from(two.next().await.frame.place == 7);
    }
    sender.await.unwrap();
}
