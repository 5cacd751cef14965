//! Which actor runs here.

use std::cell::RefCell;
use std::future::Future;
use std::sync::{Arc, Weak};

use pulsar_wire::Aid;

use crate::context::{Cell, Context};

tokio::task_local! {
    static TASK_ACTOR: Context;
    /// The actor whose turn the running future holds, alone or beside others.
    static TURN: Aid;
}

/// Runs a future that holds the turn of the actor `of`.
pub(crate) fn in_turn<F: Future>(of: Aid, future: F) -> impl Future<Output = F::Output> {
    TURN.scope(of, future)
}

/// True in a future for whose end a command of the actor `of` may have to wait, so that it must not
/// wait for that command. That holds for one that would run beside it as well: it waits behind any
/// exclusive command that has come before it, and that for this future.
pub(crate) fn holds_back(of: Aid) -> bool {
    TURN.try_with(|holder| *holder == of).unwrap_or(false)
}

thread_local! {
    static THREAD_ACTOR: RefCell<Option<Context>> = const { RefCell::new(None) };
    /// The actor to whose executor this thread belongs. It does not keep the actor.
    static SERVED: RefCell<Weak<Cell>> = const { RefCell::new(Weak::new()) };
}

/// Runs a future as a part of the actor: [`get_actor`] inside it is that actor.
pub fn scope<F: Future>(cx: Context, future: F) -> impl Future<Output = F::Output> {
    TASK_ACTOR.scope(cx, future)
}

/// Makes `cx` the actor of this thread.
pub fn own_thread(cx: Context) {
    THREAD_ACTOR.with_borrow_mut(|actor| *actor = Some(cx));
}

/// Takes this thread's actor away: its loop has ended.
pub fn release_thread() {
    THREAD_ACTOR.with_borrow_mut(|actor| *actor = None);
}

/// The actor that owns this thread's loop.
pub(crate) fn thread_cell() -> Option<Arc<Cell>> {
    THREAD_ACTOR.with_borrow(|owner| owner.as_ref().map(|cx| Arc::clone(&cx.cell)))
}

/// Makes this thread one of the executor of the actor of `cell`.
pub(crate) fn serve(cell: Weak<Cell>) {
    SERVED.set(cell);
}

/// The actor of the running task, else of the thread, also of one of its executor's; `None` outside
/// of any actor.
pub fn get_actor() -> Option<Context> {
    let of_task = TASK_ACTOR.try_with(Clone::clone).ok();
    let of_thread = || THREAD_ACTOR.with_borrow(Clone::clone);
    of_task.or_else(of_thread).or_else(|| {
        let cell = SERVED.with_borrow(Weak::upgrade)?;
        Some(Context::of(cell))
    })
}
