//! Which actor runs here.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Weak};

use pulsar_wire::Aid;

use crate::context::{Cell as ActorCell, Context};

tokio::task_local! {
    static TASK_ACTOR: Context;
}

thread_local! {
    /// The actor whose turn the future that is being polled here holds, alone or beside others.
    static TURN: Cell<Option<Aid>> = const { Cell::new(None) };
}

/// Runs a future that holds the turn of the actor `of`.
pub(crate) async fn in_turn<F: Future>(of: Aid, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|task| {
        let _held = hold_turn(of);
        future.as_mut().poll(task)
    })
    .await
}

/// What is polled until this is dropped holds the turn of the actor `of`.
pub(crate) fn hold_turn(of: Aid) -> HeldTurn {
    HeldTurn {
        before: TURN.replace(Some(of)),
    }
}

/// A turn, for one poll. It belongs to its thread, and is given back there as it is dropped, also by a panic.
#[must_use = "the turn is given back when this is dropped"]
pub(crate) struct HeldTurn {
    before: Option<Aid>,
}

impl Drop for HeldTurn {
    fn drop(&mut self) {
        TURN.set(self.before);
    }
}

/// True in a future for whose end a command of the actor `of` may have to wait, so that it must not
/// wait for that command. That holds for one that would run beside it as well: it waits behind any
/// exclusive command that has come before it, and that for this future.
#[inline]
pub(crate) fn holds_back(of: Aid) -> bool {
    TURN.get() == Some(of)
}

thread_local! {
    static THREAD_ACTOR: RefCell<Option<Context>> = const { RefCell::new(None) };
    /// The actor to whose executor this thread belongs. It does not keep the actor.
    static SERVED: RefCell<Weak<ActorCell>> = const { RefCell::new(Weak::new()) };
}

/// Runs a future as a part of the actor: [`get_actor`] inside it is that actor.
pub fn scope<F: Future>(cx: Context, future: F) -> impl Future<Output = F::Output> {
    TASK_ACTOR.scope(cx, future)
}

/// Runs what does not await as a part of the actor.
pub(crate) fn scope_at_once<T>(cx: &Context, run: impl FnOnce() -> T) -> T {
    TASK_ACTOR.sync_scope(cx.clone(), run)
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
pub(crate) fn thread_cell() -> Option<Arc<ActorCell>> {
    THREAD_ACTOR.with_borrow(|owner| owner.as_ref().map(|cx| Arc::clone(&cx.cell)))
}

/// Makes this thread one of the executor of the actor of `cell`.
pub(crate) fn serve(cell: Weak<ActorCell>) {
    SERVED.set(cell);
}

/// The id of [`get_actor`].
#[inline]
pub(crate) fn current_aid() -> Option<Aid> {
    let of_task = TASK_ACTOR.try_with(Context::aid).ok();
    of_task.or_else(|| get_actor().map(|cx| cx.aid()))
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
