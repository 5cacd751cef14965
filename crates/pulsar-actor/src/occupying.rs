//! What holds an actor's loop: noted while it runs, so that a manager can name it; and warned of when
//! it has held the loop for too long.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use pulsar_sys::Occupation;
use pulsar_sys::occupation::now_us;

use crate::context::{Cell, Context};
use crate::current::thread_cell;

/// Whoever holds a loop for longer is warned of: a quarter of the shortest timeout, and far longer
/// than a machine that is only busy keeps a loop from turning.
const LOOP_HELD: Duration = Duration::from_millis(250);

impl Cell {
    /// What the loop of this actor is busy with, as all actors on that loop note it.
    #[inline]
    pub fn occupation(&self) -> &Arc<Occupation> {
        self.occupation.get_or_init(Arc::default)
    }

    /// This life runs on the current thread: it notes what it does where the owner of the loop does.
    pub(crate) fn share_occupation(&self) {
        self.occupation.get_or_init(|| match thread_cell() {
            Some(owner) if !std::ptr::eq(&raw const *owner, self) => Arc::clone(owner.occupation()),
            _ => Arc::default(),
        });
    }
}

/// Runs what an actor runs beside its commands, now and then, with its name shown while it is on the processor: the
/// clock is read around each poll.
pub(crate) async fn timing<T>(
    cx: Context,
    name: &'static &'static str,
    work: impl Future<Output = T>,
) -> T {
    let occupation = Arc::clone(cx.cell.occupation());
    let mut work = pin!(work);
    poll_fn(|task| {
        let begun_us = now_us();
        occupation.turn_to(begun_us);
        let occupied = occupation.enter(name);
        let polled = work.as_mut().poll(task);
        drop(occupied);
        note(&cx, now_us().saturating_sub(begun_us));
        polled
    })
    .await
}

/// The piece of work that has run last has held the loop for so long.
pub(crate) fn note(cx: &Context, held_us: u64) {
    if Duration::from_micros(held_us) < LOOP_HELD {
        return;
    }
    let occupation = cx.cell.occupation();
    occupation.note_hold(held_us);
    let command = occupation.last().unwrap_or("unknown");
    let held_ms = held_us / 1_000;
    tracing::warn!(aid = %cx.aid(), name = cx.name(), command, held_ms, "command has held its loop: long computation belongs in the executor");
}

/// A timer of the loop's owner was late by `lag`, where no piece of work with a name has held the loop.
pub(crate) fn note_lag(cx: &Context, lag: Duration) {
    if lag < LOOP_HELD {
        return;
    }
    let lag_ms = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
    tracing::warn!(aid = %cx.aid(), name = cx.name(), lag_ms, "loop was late: something that is no command has held it, or the machine is overloaded");
}
