//! Bounded mailboxes: what becomes of messages that find no room or no actor.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pulsar::prelude::*;
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::PLACEMENTS;

static LET_GO: Notify = Notify::const_new();

/// Runs until it is let go.
#[command]
async fn hold(_cx: Context) {
    LET_GO.notified().await;
}

async fn let_go(_cx: Context, _: ()) {
    LET_GO.notify_one();
}

/// Tells its place in the order in which its like were run.
#[command]
async fn turn(cx: Context, number: u32) -> u32 {
    cx.set_extra(format!("ran {number}"), true);
    number
}

fn note(cx: Context, letter: DeadLetter) {
    static LETTERS: AtomicU32 = AtomicU32::new(0);
    cx.set_extra("letters", LETTERS.fetch_add(1, Ordering::Relaxed) + 1);
    cx.set_extra("last", letter.command);
}

/// An actor that holds its turn, with room for two more messages.
async fn busy(actor: Spawn) -> Result<Proxy> {
    let actor = actor.mailbox_capacity(2).await?;
    let holding = actor.clone();
    tokio::spawn(async move { send(&holding, hold, ()).await });
    while send(&actor, info, ()).await?.mailbox.depth > 0 || !is_held(&actor).await? {}
    Ok(actor)
}

/// True once a command runs: more was taken in than was answered, beside this very ask.
async fn is_held(actor: &Proxy) -> Result<bool> {
    let mailbox = send(actor, info, ()).await?.mailbox;
    Ok(mailbox.received - mailbox.replied == 2)
}

/// Sends `turn` numbers 1 to `count`, one after the other, and does not wait for the replies.
async fn turns(actor: &Proxy, count: u32) -> Result<Vec<Asked>> {
    let mut asks = Vec::new();
    for number in 1..=count {
        asks.push(tokio::spawn(send(actor, turn, number).into_future()));
        // It is sent now, and a ping behind it by the same way: by the answer it has been
        // delivered, or refused, or waits for room.
        yield_now().await;
        send(actor, ping, ()).await?;
    }
    Ok(asks)
}

type Asked = tokio::task::JoinHandle<Result<u32, CallError<pulsar::Never>>>;

async fn outcome(ask: Asked) -> Result<Option<u32>> {
    match ask.await? {
        Ok(number) => Ok(Some(number)),
        Err(CallError::Send(SendError::MailboxFull { capacity: 2 })) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn outcomes(asks: Vec<Asked>) -> Result<Vec<Option<u32>>> {
    let mut all = Vec::new();
    for ask in asks {
        all.push(outcome(ask).await?);
    }
    Ok(all)
}

#[pulsar::test]
async fn fault_28_a_full_mailbox_rejects() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = busy(spawn().placement(placement).on_overflow(Overflow::Reject)).await?;
        let asks = turns(&actor, 4).await?;
        run(&actor, let_go, ()).await?;
        let expected = [Some(1), Some(2), None, None];
        assert_eq!(outcomes(asks).await?, expected, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn fault_28_a_full_mailbox_drops_the_oldest_and_tells_the_hook() -> Result<()> {
    for placement in PLACEMENTS {
        let described = spawn()
            .placement(placement)
            .on_overflow(Overflow::DropOldest);
        let actor = busy(described.on_dead_letter(note)).await?;
        let asks = turns(&actor, 4).await?;
        let about = send(&actor, info, ()).await?;
        assert_eq!(about.mailbox.dead_letters, 2, "{placement}");
        assert_eq!(about.extra.0["last"], "turn", "{placement}");
        run(&actor, let_go, ()).await?;
        let expected = [None, None, Some(3), Some(4)];
        assert_eq!(outcomes(asks).await?, expected, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn fault_28_senders_in_the_same_process_wait_for_room() -> Result<()> {
    for placement in [Placement::Thread, Placement::Task] {
        let actor = busy(spawn().placement(placement)).await?;
        let asks = turns(&actor, 6).await?;
        assert_eq!(send(&actor, info, ()).await?.mailbox.depth, 2);
        run(&actor, let_go, ()).await?;
        let expected = (1..=6).map(Some).collect::<Vec<_>>();
        assert_eq!(outcomes(asks).await?, expected, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn an_actor_may_refuse_what_waits_when_it_stops() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = busy(spawn().placement(placement).on_stop(OnStop::Refuse)).await?;
        let asks = turns(&actor, 2).await?;
        send(&actor, stop, ()).await?;
        for ask in asks {
            match ask.await? {
                Err(CallError::Send(SendError::ActorDied {
                    cause: Cause::Stopped,
                })) => {}
                other => panic!("{placement}: {other:?}"),
            }
        }
        // What ran is let finish.
        let handle = arbiter();
        let (ended, ran) =
            tokio::join!(handle.ended(&actor), run(&actor, let_go, ()).into_future());
        ran?;
        assert_eq!(ended?, Cause::Stopped, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn what_nobody_waits_for_any_more_is_not_run() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = busy(spawn().placement(placement)).await?;
        let short = Duration::from_millis(30);
        let late = send(&actor, turn, 1_u32).timeout(short).await;
        assert!(matches!(
            late,
            Err(CallError::Send(SendError::Timeout { .. }))
        ));
        // It has come by the answer to this, and its time, as the actor counts it, began before.
        send(&actor, ping, ()).await?;
        tokio::time::sleep(2 * short).await;
        run(&actor, let_go, ()).await?;
        assert_eq!(send(&actor, turn, 2_u32).await?, 2);
        let about = send(&actor, info, ()).await?;
        assert!(!about.extra.0.contains_key("ran 1"), "{placement}");
        assert_eq!(about.mailbox.dead_letters, 1, "{placement}");
    }
    Ok(())
}
