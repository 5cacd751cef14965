//! A loop that an actor owns: its life, and the task actors that live on it.

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

use crate::arbiter::stop_tasks;
use crate::{Cause, Context, panic_message};
use pulsar_actor::runtime::Life;

/// The part of an actor's exit timeout that is left for the task actors on its loop once the
/// actor itself has ended. They are asked to stop with it, so mostly they end before.
const TASKS_SHARE: f64 = 0.04;

/// Lives the life of the actor that owns the current loop. When that is asked to stop, or ends,
/// the task actors on its loop are stopped too.
pub(crate) fn host(cx: &Context, life: Life) -> impl Future<Output = Cause> + use<> {
    let owner = cx.clone();
    let tasks = tokio::spawn(async move {
        owner.stop_asked().await;
        stop_tasks(&owner).await;
    });
    let (cx, life) = (cx.clone(), live(life));
    async move {
        let cause = life.await;
        cx.stop();
        // What does not end in time ends with the loop; its overseers say so.
        let left: Duration = cx.cell().birth.exit_timeout.mul_f64(TASKS_SHARE);
        if timeout(left, tasks).await.is_err() {
            tracing::warn!(aid = %cx.aid(), "task actors are cut: they did not stop in time");
        }
        cause
    }
}

/// Lives a life as a task of the current loop. Of all that the future of an actor is made of,
/// only what the user wrote can panic past the lifecycle's own guard, by a `Drop`.
///
/// It is large, so it is moved no more often than it must be: to a place of its own.
pub(crate) fn live(life: Life) -> impl Future<Output = Cause> {
    // A task, not the future of `block_on`: only tasks take turns.
    let life = tokio::spawn(Box::pin(life.live()));
    async move {
        life.await
            .unwrap_or_else(|error| match error.try_into_panic() {
                Ok(panic) => Cause::Panic(panic_message(&*panic).to_owned()),
                Err(_) => Cause::Unknown,
            })
    }
}
