//! The actors of this process that a thread has spoken with last.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use pulsar_wire::Aid;

use crate::context::Cell;

/// A power of two.
const SEATS: usize = 16;

/// Whom a thread has spoken with. It keeps none of them.
type Near = [Option<(Aid, Weak<Cell>)>; SEATS];

thread_local! {
    static NEAR: RefCell<Near> = const { RefCell::new([const { None }; SEATS]) };
}

/// The actor of this id, if this thread has spoken with it not long ago and it has not ended since: so the registry,
/// which all threads share, need not be asked.
pub(crate) fn find(aid: Aid) -> Option<Arc<Cell>> {
    let cell = NEAR.with_borrow(|near| {
        let (known, cell) = near.get(seat(aid))?.as_ref()?;
        (*known == aid).then(|| cell.upgrade()).flatten()
    })?;
    // From its end on the registry tells what follows.
    cell.cause.get().is_none().then_some(cell)
}

/// This actor is spoken with.
pub(crate) fn remember(cell: &Arc<Cell>) {
    let aid = cell.birth.aid;
    let before = NEAR.with_borrow_mut(|near| {
        let seat = near.get_mut(seat(aid))?;
        seat.replace((aid, Arc::downgrade(cell)))
    });
    drop(before);
}

fn seat(aid: Aid) -> usize {
    let mixed = aid.place().wrapping_mul(7).wrapping_add(aid.task());
    usize::try_from(mixed).unwrap_or_default() % SEATS
}
