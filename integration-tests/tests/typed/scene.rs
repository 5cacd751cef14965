//! A check of an actor's behaviour, wherever it lives and whoever asks.

use std::fmt::Debug;
use std::future::{Future, IntoFuture};

use pulsar::prelude::*;
use pulsar::{Actor, ActorCall};
use tokio::task::{JoinHandle, yield_now};

use crate::PLACEMENTS;
use crate::gate::Gate;

/// What a check is done with: the actor that is looked at, and a gate.
pub(crate) type Scene<A> = (Proxy<A>, Proxy<Gate>);

/// Runs `check` on a new actor in each placement: once from the arbiter, and once from inside an
/// actor in a process of its own.
pub(crate) async fn everywhere<A: Actor, Fut>(
    describe: fn() -> Spawn<A>,
    check: fn(Context, Scene<A>) -> Fut,
) -> Result<()>
where
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let here = get_actor().expect("a test is its arbiter's");
    let asker = spawn().await?;
    for placement in PLACEMENTS {
        let scene = scene(describe, placement).await?;
        let checked = check(here.clone(), scene.clone()).await;
        expect_ok(checked, &format!("asked from the arbiter, {placement}"))?;
        strike(scene).await?;

        let scene = self::scene(describe, placement).await?;
        let checked = run(&asker, check, scene.clone()).await?;
        expect_ok(checked, &format!("asked from a process, {placement}"))?;
        strike(scene).await?;
    }
    Ok(())
}

async fn scene<A: Actor>(describe: fn() -> Spawn<A>, placement: Placement) -> Result<Scene<A>> {
    let target = describe().placement(placement).await?;
    Ok((target, Gate::spawn().thread().await?))
}

async fn strike<A: Actor>((target, gate): Scene<A>) -> Result<()> {
    match arbiter().kill_actor(&target).await {
        // It has ended in the course of the check.
        Ok(()) | Err(SendError::UnknownActor { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(arbiter().kill_actor(&gate).await?)
}

fn expect_ok(checked: Result<()>, scene: &str) -> Result<()> {
    checked.map_err(|error| Error::msg(format!("{scene}: {}", error.one_line())))
}

/// Like `assert!`, as an error: a panic would end the asker and hide what was wrong.
pub(crate) fn expect(holds: bool, what: impl Debug) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(Error::msg(format!("unexpected: {what:?}"))),
    }
}

/// Like `assert_eq!`, as an error.
pub(crate) fn expect_eq<T: PartialEq<U> + Debug, U: Debug>(is: T, should: U) -> Result<()> {
    match is == should {
        true => Ok(()),
        false => Err(Error::msg(format!("is {is:?}, should be {should:?}"))),
    }
}

/// A call that has been sent and whose outcome is to come.
pub(crate) type InFlight<R, E> = JoinHandle<Result<R, CallError<E>>>;

/// Sends a call and does not wait for its outcome: when this returns, the call has been taken into
/// the mailbox, or refused, or waits for room.
pub(crate) async fn in_flight<A, R, E>(
    target: &Proxy<A>,
    call: ActorCall<A, R, E>,
) -> Result<InFlight<R, E>>
where
    A: Actor,
    R: Send + 'static,
    E: Send + 'static,
{
    let asked = tokio::spawn(call.into_future());
    // It is sent now, and a ping behind it by the same way.
    yield_now().await;
    send(target, ping, ()).await?;
    Ok(asked)
}

/// How many messages wait in the actor's mailbox.
pub(crate) async fn depth<A: Actor>(target: &Proxy<A>) -> Result<u64> {
    Ok(send(target, info, ()).await?.mailbox.depth)
}
