//! Panics in commands: told to the caller, and the end of the actor or not.

use pulsar::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::task::yield_now;

use crate::PLACEMENTS;
use crate::counter::Counter;
use crate::gate::Gate;
use crate::scene::{Scene, everywhere, expect, expect_eq, in_flight};

#[pulsar::test]
async fn a_panic_in_a_command_is_told_and_ends_the_actor() -> Result<()> {
    let counter = || Counter::spawn(0);
    everywhere(counter, |_, (counter, _): Scene<Counter>| async move {
        let panicked = counter.panics("as asked".to_owned()).await;
        let told = matches!(&panicked,
            Err(CallError::Send(SendError::Panicked { message })) if message == "as asked");
        expect(told, panicked)?;
        // Its end follows, and then it is unknown.
        loop {
            match counter.total().await {
                Ok(total) => return expect(false, total),
                Err(CallError::Send(SendError::ActorDied {
                    cause: Cause::Panic(message),
                })) => expect_eq(message, "as asked")?,
                Err(CallError::Send(SendError::UnknownActor { .. })) => return Ok(()),
                other => return expect(false, other),
            }
        }
    })
    .await
}

#[pulsar::test]
async fn a_panic_is_the_cause_of_the_end_and_answers_all_that_waited() -> Result<()> {
    for placement in PLACEMENTS {
        let gate = Gate::spawn().thread().await?;
        let counter = Counter::spawn(0).placement(placement).await?;
        let held = in_flight(&counter, counter.add_behind(gate.clone(), 1)).await?;
        gate.arrivals(1).await?;
        let panics = in_flight(&counter, counter.panics("enough".to_owned())).await?;
        let waits = in_flight(&counter, counter.total()).await?;
        let handle = arbiter();
        let (cause, opened) = tokio::join!(handle.ended(&counter), gate.open(1).into_future());
        opened?;
        let panic = Cause::Panic("enough".to_owned());
        assert_eq!(cause?, panic, "{placement}");
        assert_eq!(held.await??, 1, "{placement}");
        assert!(panics.await?.is_err(), "{placement}");
        match waits.await? {
            Err(CallError::Send(SendError::ActorDied { cause })) if cause == panic => {}
            other => panic!("{placement}: {other:?}"),
        }
    }
    Ok(())
}

/// A panic costs it one command.
struct Tough {
    total: u64,
}

#[pulsar::actor(on_panic = "continue")]
impl Tough {
    fn start(_cx: Context) -> Self {
        Self { total: 0 }
    }

    #[command]
    async fn add(&mut self, by: u64) -> u64 {
        self.total += by;
        yield_now().await;
        assert!(by != 7, "seven");
        self.total
    }

    #[command(concurrent)]
    async fn look(&self, panics: bool) -> u64 {
        yield_now().await;
        assert!(!panics, "looked at");
        self.total
    }
}

#[pulsar::test]
async fn an_actor_may_outlive_a_panic_with_its_state() -> Result<()> {
    everywhere(Tough::spawn, |_, (tough, _): Scene<Tough>| async move {
        expect_eq(tough.add(1).await?, 1)?;
        let (panicked, answered) =
            tokio::join!(tough.add(7).into_future(), tough.add(2).into_future());
        expect(is_panic(&panicked, "seven"), panicked)?;
        expect_eq(answered?, 10)?;
        let (panicked, answered) = tokio::join!(
            tough.look(true).into_future(),
            tough.look(false).into_future()
        );
        expect(is_panic(&panicked, "looked at"), panicked)?;
        expect_eq(answered?, 10)?;
        let state = send(&tough, info, ()).await?.actor.state;
        expect_eq(state, State::Running)
    })
    .await
}

fn is_panic(answer: &Result<u64, CallError<pulsar::Never>>, should: &str) -> bool {
    matches!(answer,
        Err(CallError::Send(SendError::Panicked { message })) if message.contains(should))
}

/// It cannot be written if it is 13, or panics as it is.
#[derive(Clone, Debug, Deserialize)]
struct Mute(u32);

impl Serialize for Mute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 != 13, "thirteen");
        match self.0 {
            14 => Err(serde::ser::Error::custom("fourteen")),
            other => serializer.serialize_u32(other),
        }
    }
}

/// It panics as it is read if it is 13.
#[derive(Clone, Debug, Serialize)]
struct Deaf(u32);

impl<'de> Deserialize<'de> for Deaf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = u32::deserialize(deserializer)?;
        assert!(read != 13, "thirteen");
        Ok(Self(read))
    }
}

struct Talker;

#[pulsar::actor(on_panic = "continue")]
impl Talker {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn say(&self, what: u32) -> Mute {
        Mute(what)
    }

    #[command]
    fn hear(&self, what: Deaf) -> u32 {
        what.0
    }
}

#[command]
fn say(_cx: Context, what: u32) -> Mute {
    Mute(what)
}

#[command]
fn hear(_cx: Context, what: Deaf) -> u32 {
    what.0
}

fn is_thirteen<R, E>(told: Result<R, CallError<E>>) -> bool {
    let Err(CallError::Send(SendError::Panicked { message })) = told else {
        return false;
    };
    message == "thirteen"
}

#[pulsar::test]
async fn a_panic_in_the_reading_or_writing_of_a_value_is_one_in_the_command() -> Result<()> {
    let talker = Talker::spawn().await?;
    assert!(is_thirteen(talker.say(13).await));
    assert!(is_thirteen(talker.hear(Deaf(13)).await));
    assert!(is_thirteen(send(&talker, say, 13).await));
    assert!(is_thirteen(send(&talker, hear, Deaf(13)).await));
    // It outlives them.
    assert_eq!(talker.say(1).await?.0, 1);
    let handle = arbiter();
    let counter = spawn().await?;
    let (cause, told) = tokio::join!(
        handle.ended(&counter),
        send(&counter, say, 13).into_future()
    );
    assert!(is_thirteen(told));
    assert_eq!(cause?, Cause::Panic("thirteen".to_owned()));
    Ok(())
}

#[pulsar::test]
async fn a_reply_that_cannot_be_written_is_counted_as_failed() -> Result<()> {
    let talker = Talker::spawn().await?;
    for told in [talker.say(14).await, send(&talker, say, 14).await] {
        let told = told.map(|mute| mute.0);
        let unwritten = matches!(told, Err(CallError::Send(SendError::Codec { .. })));
        assert!(unwritten, "{told:?}");
    }
    assert_eq!(send(&talker, info, ()).await?.mailbox.failed, 2);
    Ok(())
}
