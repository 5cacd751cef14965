//! Who asks looks for the reply itself.

use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pulsar_link::payload::Outcome;
use pulsar_link::{Fare, Link, Reply, RingSettings, open_seats};
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::task::yield_now;

use crate::support::{End, message, number};
use crate::switching::end;

/// For how long a reply is looked for: far longer than it takes where both sides run.
const REPLY_TIME: Duration = Duration::from_micros(200);

/// How long a reader polls. Long, as a program that is not optimized, on a machine that is busy, takes its time for an ask.
const POLL: Duration = Duration::from_millis(100);

/// The end at this place, on a loop of its own.
fn on_a_loop<T>(stream: StdStream, place: u32, run: impl AsyncFnOnce(End) -> T) -> T {
    stream.set_nonblocking(true).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = RingSettings {
            makes: place == 2,
            after: 0,
            poll: POLL,
        };
        open_seats();
        let stream = UnixStream::from_std(stream).unwrap();
        run(end(place, stream, Some(settings))).await
    })
}

/// Asks and tells of one end, which the other echoes: each ask whose number is odd after a tell of its own.
async fn echo(mut end: End) {
    while let Some(came) = end.commands.recv().await {
        came.take_in();
        let count = number(&came.frame);
        if count % 2 == 1 {
            end.link
                .send_tell(message(7, count), Fare::Credit)
                .await
                .unwrap();
        }
        came.echo();
    }
}

/// Asks once; whether the caller has found a reply itself.
async fn ask(link: &Arc<Link>, count: u32) -> bool {
    let may_look = link.may_look_for_reply();
    let sent = link.send_ask(message(7, count), Fare::Credit).await;
    let mut reply = Reply::new(Arc::clone(link), sent.unwrap());
    // Without a turn of the loop. One look is shorter than an ask of a program that is not optimized.
    let (mut looked, begun) = (false, Instant::now());
    while may_look && !looked && begun.elapsed() < REPLY_TIME {
        looked = link.look_for_reply();
    }
    let outcome = match looked {
        // It is there without a turn of the pump.
        true => futures_util::FutureExt::now_or_never(&mut reply).expect("the reply has come"),
        false => reply.await,
    };
    assert!(matches!(outcome, Some(Outcome::Reply(_))));
    looked
}

/// However they come, all come and in order: what is no reply is left to the pump, with all that is behind it.
#[test]
fn replies_are_found_by_who_asks_and_all_else_is_left_to_the_pump() {
    let (one, two) = StdStream::pair().unwrap();
    let other = thread::spawn(move || on_a_loop(two, 1, echo));
    let found = on_a_loop(one, 2, async |mut end| {
        let begun = Instant::now();
        let mut found = 0;
        for count in 0.. {
            let looked = ask(&end.link, count).await;
            if count % 2 == 1 {
                assert!(!looked, "the tell was first");
                let told = end.next().await;
                assert_eq!(number(&told.frame), count);
                told.take_in();
            } else {
                assert!(end.commands.is_empty());
            }
            found += u32::from(looked);
            if count > 2_000 && found > 100 || begun.elapsed() > Duration::from_secs(20) {
                break;
            }
        }
        end.link.close();
        drop(end.pump.await);
        found
    });
    other.join().unwrap();
    assert!(found > 0 || !has_processors());
}

/// Where there is but one processor nobody looks.
fn has_processors() -> bool {
    thread::available_parallelism().is_ok_and(|processors| processors.get() > 1)
}

#[test]
fn who_is_one_of_several_does_not_look_and_all_have_their_turns() {
    let (one, two) = StdStream::pair().unwrap();
    let other = thread::spawn(move || on_a_loop(two, 1, echo));
    on_a_loop(one, 2, async |mut end| {
        let begun = Instant::now();
        let mut may_look = false;
        while !may_look && begun.elapsed() < Duration::from_secs(20) {
            ask(&end.link, 0).await;
            // While nobody waits, and the pump comes back.
            may_look = end.link.may_look_for_reply();
        }
        assert!(may_look || !has_processors());
        // The first of two that wait, and no turn of the loop in between.
        let sent = end.link.try_send_ask(message(7, 0), Fare::Credit, None);
        assert!(!end.link.may_look_for_reply());
        drop(Reply::new(Arc::clone(&end.link), sent.unwrap()).await);
        // Another task of the loop has its turn however long one that finds its replies goes on.
        let turns = tokio::spawn(async {
            for _ in 0..50 {
                yield_now().await;
            }
        });
        let mut asks = 0;
        while !turns.is_finished() {
            ask(&end.link, 0).await;
            asks += 1;
            assert!(asks < 10_000, "it has no turn");
        }
        end.link.close();
        drop(end.pump.await);
        end.commands.close();
    });
    other.join().unwrap();
}
