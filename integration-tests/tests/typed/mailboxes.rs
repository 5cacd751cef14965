//! Bounded mailboxes of typed actors: what becomes of calls that find no room.

use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{ActorCall, Never, Unsent};

use crate::PLACEMENTS;
use crate::counter::{Counter, TooMuch};
use crate::gate::Gate;
use crate::scene::{InFlight, Scene, depth, everywhere, expect, expect_eq, in_flight};

fn counter() -> Spawn<Counter> {
    Counter::spawn(0)
}

#[pulsar::test]
async fn a_call_can_be_sent_without_waiting() -> Result<()> {
    everywhere(counter, |_, (counter, gate): Scene<Counter>| async move {
        // The first one has the way made.
        counter.total().await?;
        let held = sent(counter.add_behind(gate.clone(), 1))?;
        let added = sent(counter.add(2))?;
        // Nobody will read this one's reply: it is run all the same.
        drop(sent(counter.add(4))?);
        sent(counter.note("noted".to_owned()))?.await?;
        let refused = sent(counter.take(100))?;
        gate.open(1).await?;
        expect_eq((held.await?, added.await?), (1, 3))?;
        match refused.await {
            Err(CallError::Command(TooMuch { total: 7 })) => {}
            other => return expect(false, other),
        }
        expect_eq(counter.notes().await?, ["noted"])
    })
    .await
}

fn sent<A: pulsar::Actor, R: 'static, E: 'static>(
    call: ActorCall<A, R, E>,
) -> Result<pulsar::Sent<R, E>> {
    call.try_send().map_err(Error::msg)
}

/// A counter that holds its turn and has room for two calls, which are taken.
async fn full(
    described: Spawn<Counter>,
    gate: &Proxy<Gate>,
) -> Result<(Proxy<Counter>, [Added; 2])> {
    let counter = described.mailbox_capacity(2).await?;
    tokio::spawn(counter.add_behind(gate.clone(), 0).into_future());
    gate.arrivals(1).await?;
    let first = in_flight(&counter, counter.add(1)).await?;
    let second = in_flight(&counter, counter.add(10)).await?;
    assert_eq!(depth(&counter).await?, 2);
    Ok((counter, [first, second]))
}

type Added = InFlight<u64, Never>;

#[pulsar::test]
async fn a_call_that_finds_no_room_comes_back_and_can_be_awaited() -> Result<()> {
    for placement in [Placement::Thread, Placement::Task] {
        let gate = Gate::spawn().thread().await?;
        let (counter, waiting) = full(counter().placement(placement), &gate).await?;
        let Err(Unsent { call, error }) = counter.add(100).try_send() else {
            panic!("{placement}: it was sent");
        };
        assert_eq!(error, SendError::MailboxFull { capacity: 2 }, "{placement}");
        // It waits for room now.
        let waits = in_flight(&counter, call).await?;
        assert!(!waits.is_finished(), "{placement}");
        gate.open(1).await?;
        let [first, second] = waiting;
        assert_eq!((first.await??, second.await??), (1, 11), "{placement}");
        assert_eq!(waits.await??, 111, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_call_that_finds_no_room_in_another_process_waits_for_it() -> Result<()> {
    let gate = Gate::spawn().thread().await?;
    let (counter, waiting) = full(counter(), &gate).await?;
    // It has left: there is credit for it.
    let sent = sent(counter.add(100))?;
    gate.open(1).await?;
    for added in waiting {
        added.await??;
    }
    assert_eq!(sent.await?, 111);
    Ok(())
}

#[pulsar::test]
async fn a_call_to_nobody_comes_back() -> Result<()> {
    for placement in PLACEMENTS {
        let counter = counter().placement(placement).await?;
        arbiter().stop_actor(&counter).await?;
        let Err(unsent) = counter.add(1).try_send() else {
            panic!("{placement}: it was sent");
        };
        let unknown = matches!(unsent.error, SendError::UnknownActor { .. });
        assert!(unknown, "{placement}: {unsent:?}");
        match unsent.call.await {
            Err(CallError::Send(SendError::UnknownActor { .. })) => {}
            other => panic!("{placement}: {other:?}"),
        }
    }
    Ok(())
}

#[pulsar::test]
async fn a_full_mailbox_rejects_calls() -> Result<()> {
    for placement in PLACEMENTS {
        let gate = Gate::spawn().thread().await?;
        let described = counter().placement(placement).on_overflow(Overflow::Reject);
        let (counter, waiting) = full(described, &gate).await?;
        match counter.add(100).await {
            Err(CallError::Send(SendError::MailboxFull { capacity: 2 })) => {}
            other => panic!("{placement}: {other:?}"),
        }
        gate.open(1).await?;
        let [first, second] = waiting;
        assert_eq!((first.await??, second.await??), (1, 11), "{placement}");
    }
    Ok(())
}

/// Notes what was not run.
fn note(cx: Context, letter: DeadLetter) {
    cx.set_extra("dropped", letter.command);
    let sender = letter.sender.map(|aid| aid.to_string());
    cx.set_extra("sender", sender);
    cx.set_extra("reason", letter.reason.to_string());
}

#[pulsar::test]
async fn a_full_mailbox_drops_the_oldest_call_and_names_its_command() -> Result<()> {
    for placement in PLACEMENTS {
        let gate = Gate::spawn().thread().await?;
        let described = counter().placement(placement);
        let described = described
            .on_overflow(Overflow::DropOldest)
            .on_dead_letter(note);
        let (counter, [first, second]) = full(described, &gate).await?;
        let third = in_flight(&counter, counter.add(100)).await?;
        match first.await? {
            Err(CallError::Send(SendError::MailboxFull { capacity: 2 })) => {}
            other => panic!("{placement}: {other:?}"),
        }
        let about = send(&counter, info, ()).await?;
        assert_eq!(about.extra.0["dropped"], "add", "{placement}");
        assert_eq!(about.mailbox.dead_letters, 1, "{placement}");
        if placement != Placement::Process {
            let me = arbiter().aid().map(|aid| aid.to_string());
            assert_eq!(about.extra.0["sender"], serde_json::json!(me));
        }
        gate.open(1).await?;
        assert_eq!((second.await??, third.await??), (10, 110), "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn calls_may_be_refused_when_the_actor_stops() -> Result<()> {
    for placement in PLACEMENTS {
        let gate = Gate::spawn().thread().await?;
        let described = counter().placement(placement).on_stop(OnStop::Refuse);
        let (counter, waiting) = full(described.on_dead_letter(note), &gate).await?;
        send(&counter, stop, ()).await?;
        for refused in waiting {
            match refused.await? {
                Err(CallError::Send(SendError::ActorDied {
                    cause: Cause::Stopped,
                })) => {}
                other => panic!("{placement}: {other:?}"),
            }
        }
        let handle = arbiter();
        let (cause, opened) = tokio::join!(handle.ended(&counter), gate.open(1).into_future());
        opened?;
        assert_eq!(cause?, Cause::Stopped, "{placement}");
    }
    Ok(())
}

/// Writes the order of what is run into its info.
struct Diary;

#[pulsar::actor]
impl Diary {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    async fn hold(&mut self, gate: Proxy<Gate>) -> Result<(), Error> {
        Ok(gate.pass().await?)
    }

    #[command]
    fn own(&mut self, cx: Context, number: u32) {
        write(&cx, number);
    }
}

#[command]
fn free(cx: Context, number: u32) {
    write(&cx, number);
}

fn write(cx: &Context, number: u32) {
    let mut order = written(&cx.info());
    order.push(number);
    cx.set_extra("order", order);
}

fn written(about: &Info) -> Vec<u32> {
    let order = about.extra.0.get("order").cloned();
    serde_json::from_value(order.unwrap_or_default()).unwrap_or_default()
}

#[pulsar::test]
async fn own_and_free_commands_stand_in_one_queue() -> Result<()> {
    everywhere(Diary::spawn, |_, (diary, gate): Scene<Diary>| async move {
        let held = in_flight(&diary, diary.hold(gate.clone())).await?;
        gate.arrivals(1).await?;
        let mut own = Vec::new();
        let mut others = Vec::new();
        for number in [0, 2, 4] {
            own.push(in_flight(&diary, diary.own(number)).await?);
            others.push(tokio::spawn(send(&diary, free, number + 1).into_future()));
            tokio::task::yield_now().await;
        }
        gate.open(1).await?;
        held.await??;
        for asked in own {
            asked.await??;
        }
        for asked in others {
            asked.await??;
        }
        let order = written(&send(&diary, info, ()).await?);
        expect_eq(order, [0, 1, 2, 3, 4, 5])
    })
    .await
}

const BRIEF: Duration = Duration::from_millis(100);

/// Nobody waits for it, and it was taken: it is run, however late.
#[pulsar::test]
async fn a_command_without_acknowledgement_does_not_expire() -> Result<()> {
    everywhere(counter, |_, (counter, gate): Scene<Counter>| async move {
        let first = in_flight(&counter, counter.add_behind(gate.clone(), 1)).await?;
        gate.arrivals(1).await?;
        counter.note("noted".to_owned()).timeout(BRIEF).await?;
        // Its time is over when this has had as much.
        let late = counter.total().timeout(BRIEF).await;
        expect(late.is_err(), late)?;
        gate.open(1).await?;
        first.await??;
        expect_eq(counter.notes().await?, ["noted"])
    })
    .await
}
