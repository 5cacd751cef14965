//! Whom a thread has spoken with last.

use std::sync::{Arc, Weak};

use pulsar_link::Link;
use pulsar_loop::runtime::Recent;
use pulsar_wire::Aid;

use crate::context::{Cell, Context};
use crate::system::Route;

/// Where an actor is.
pub(crate) enum Near {
    /// In this process.
    Here(Arc<Cell>),
    /// Behind this link.
    There(Arc<Link>),
}

/// The same, without keeping it.
enum Seen {
    Here(Weak<Cell>),
    There(Weak<Link>),
}

thread_local! {
    static NEAR: Recent<(Aid, Seen)> = const { Recent::new() };
}

/// The way to the actor of this id, if this thread has spoken with it not long ago and the way is still good: so the
/// registry, which all threads share, need not be asked.
#[inline]
pub(crate) fn find(aid: Aid) -> Option<Near> {
    let look = |seen: &(Aid, Seen)| match seen {
        (known, _) if *known != aid => None,
        (_, Seen::Here(cell)) => cell.upgrade().map(Near::Here),
        (_, Seen::There(link)) => link.upgrade().map(Near::There),
    };
    let near = NEAR.with(|near| near.find(mark(aid), look))?;
    // From its end on the registry tells what follows; and who leads the way, where a link is used no more.
    let is_good = match &near {
        Near::Here(cell) => cell.cause.get().is_none(),
        Near::There(link) => link.is_in_use(),
    };
    is_good.then_some(near)
}

/// The same for an actor of this process.
#[inline]
pub(crate) fn find_here(aid: Aid) -> Option<Arc<Cell>> {
    let look = |seen: &(Aid, Seen)| match seen {
        (known, Seen::Here(cell)) if *known == aid => cell.upgrade(),
        _ => None,
    };
    let cell = NEAR.with(|near| near.find(mark(aid), look))?;
    cell.cause.get().is_none().then_some(cell)
}

/// This actor is spoken with, and reached so.
pub(crate) fn remember(aid: Aid, route: &Route) {
    let seen = match route {
        Route::Local(cx) => Seen::Here(Arc::downgrade(&cx.cell)),
        Route::Link(link, _) => Seen::There(Arc::downgrade(link)),
    };
    enter(aid, seen);
}

fn enter(aid: Aid, seen: Seen) {
    NEAR.with(|near| near.enter(mark(aid), (aid, seen)));
}

/// The actor of this id in this process, if the thread has had to do with it not long ago and it has not ended.
pub fn near_here(aid: Aid) -> Option<Context> {
    find_here(aid).map(Context::of)
}

/// A message came for this actor, which lives here.
pub fn remember_here(aid: Aid, cx: &Context) {
    enter(aid, Seen::Here(Arc::downgrade(&cx.cell)));
}

fn mark(aid: Aid) -> usize {
    let mixed = aid.place().wrapping_mul(7).wrapping_add(aid.task());
    usize::try_from(mixed).unwrap_or_default()
}
