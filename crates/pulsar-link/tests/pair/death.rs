//! A direct link whose other process has died.

use std::sync::Arc;
use std::time::Duration;

use pulsar_link::payload::Outcome;
use pulsar_link::{CloseReason, Fare, Peers, Reply};
use pulsar_model::{Cause, SendError};
use pulsar_wire::Incarnation;
use tokio::net::UnixStream;

use crate::support::{End, host, message};

const LONG: Duration = Duration::from_secs(3600);

/// An ask to a process that dies; the arbiter's word comes before the end of the stream or after.
async fn outcome(word_first: bool) -> Outcome {
    let (stream, theirs) = UnixStream::pair().unwrap();
    let one = End::new(2, stream, false);
    let peers = Arc::new(Peers::new(4));
    peers.add(Arc::clone(&one.link));
    let sent = one.link.try_send_ask(message(2, 0), Fare::Credit, None);
    let answer = Reply::new(Arc::clone(&one.link), sent.unwrap());
    let word = || peers.ended(host(2), Incarnation::FIRST, &Cause::Code(9));
    if word_first {
        word();
    }
    drop(theirs);
    let reason = one.pump.await.unwrap();
    assert!(matches!(reason, CloseReason::PeerClosed), "{reason}");
    assert!(!one.link.ended_in_order());
    let ending = {
        let link = Arc::clone(&one.link);
        tokio::spawn(async move {
            let cause = link.verdict(LONG).await;
            link.end(&cause);
        })
    };
    if !word_first {
        tokio::task::yield_now().await;
        assert!(!ending.is_finished());
        word();
    }
    ending.await.unwrap();
    peers.remove(&one.link);
    assert!(peers.is_empty());
    answer.await.unwrap()
}

#[tokio::test]
async fn asks_in_flight_end_with_the_verdict_whichever_comes_first() {
    for word_first in [true, false] {
        let outcome = outcome(word_first).await;
        let cause = Cause::Code(9);
        let died = SendError::ActorDied { cause };
        assert!(matches!(outcome, Outcome::Undelivered(error) if error == died));
    }
}
