//! Actors that wait for a message, and what is run on them meanwhile.

use pulsar_sys::occupation::coarse_us;

use crate::actor::{Actor, Worked};
use crate::context::Context;
use crate::current::{hold_turn, scope_at_once};
use crate::mailbox::Messages;
use crate::occupying::note;

/// An actor's state where it can be lent.
pub(crate) struct Idle<A> {
    pub(crate) state: A,
    /// Why it ends, if a command that was run while it waited has panicked.
    pub(crate) panicked: Option<String>,
}

impl<A> Idle<A> {
    pub(crate) fn new(state: A) -> Box<Self> {
        let panicked = None;
        Box::new(Self { state, panicked })
    }
}

/// Runs `run` on the state of an actor that waits for a message on this thread, and as a part of it. What that gives, beside
/// what ends the actor; and true if it has held the loop for so long that others should have their turn. Nothing if the actor
/// has something else to do, or is about to end.
pub(crate) fn if_idle<A: Actor, R>(
    cx: &Context,
    inbox: &Messages<A>,
    run: impl FnOnce(&mut A) -> (R, Option<Worked>),
) -> Option<(R, bool)> {
    let cell = &cx.cell;
    let ran = inbox.idle.borrow(|idle| {
        let is_asked_to_end = cell.stop.is_cancelled() || cell.kill.is_cancelled();
        if is_asked_to_end || idle.panicked.is_some() || !inbox.queue.is_idle() {
            return None;
        }
        let tick_us = coarse_us();
        let before_us = cell.occupation().turn_to(tick_us);
        let (ran, ended) = scope_at_once(cx, || {
            let _held = hold_turn(cx.aid());
            run(&mut idle.state)
        });
        let held_us = coarse_us().saturating_sub(tick_us);
        note(cx, held_us);
        cell.occupation().turn_to(before_us);
        if let Some(Worked::Panicked(message)) = ended {
            idle.panicked = Some(message);
            inbox.queue.wake_receiver();
        }
        Some((ran, held_us > 0))
    });
    ran.flatten()
}
