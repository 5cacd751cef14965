//! What a thread knows of event loops: which is installed on it, which it drives, and whether code
//! on it may wait.

use std::cell::RefCell;
use std::future::ready;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Waker};

use tokio::runtime::Handle;
use tokio::task::coop::poll_proceed;

use crate::event_loop::WeakLoop;
use crate::{EventLoop, WaitError};

/// A budget of tokio's is a number of 8 bits.
const MAX_BUDGET: usize = u8::MAX as usize;

thread_local! {
    static PLACES: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
    static REQUEST_LOOP: RefCell<Option<EventLoop>> = const { RefCell::new(None) };
}

/// One thing that this thread does for loops; the innermost counts.
struct Place {
    event_loop: Installed,
    /// This thread runs a loop: what waits here would hold it.
    drives: bool,
}

enum Installed {
    Kept(EventLoop),
    Known(WeakLoop),
}

/// A loop's place on this thread, until this is dropped. The places of a thread are left in the
/// reverse order in which they were taken.
#[must_use = "the place is left when this is dropped"]
pub struct Seat {
    below: usize,
    /// It belongs to its thread.
    not_send: PhantomData<*const ()>,
}

/// From now on this thread runs `event_loop`: it is the current one, and nothing may wait here.
pub fn drives(event_loop: &EventLoop) -> Seat {
    take(Installed::Kept(event_loop.clone()), true)
}

/// From now on `event_loop` is the current one on this thread, which does not run it and may wait.
pub fn install(event_loop: &EventLoop) -> Seat {
    take(Installed::Kept(event_loop.clone()), false)
}

/// The same, for as long as the thread lives, without keeping the loop.
pub(crate) fn install_weak(event_loop: WeakLoop) {
    take(Installed::Known(event_loop), false).keep();
}

fn take(event_loop: Installed, drives: bool) -> Seat {
    let below = PLACES.with_borrow_mut(|places| {
        places.push(Place { event_loop, drives });
        places.len() - 1
    });
    Seat {
        below,
        not_send: PhantomData,
    }
}

impl Seat {
    /// Keeps the place until the thread ends.
    pub(crate) fn keep(mut self) {
        self.below = usize::MAX;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let below = self.below;
        // Dropped outside of the borrow: with it a loop may end, whose tasks may ask for theirs.
        let left = PLACES.try_with(|places| {
            let mut places = places.borrow_mut();
            let at = below.min(places.len());
            places.split_off(at)
        });
        drop(left);
    }
}

/// The loop that is installed on this thread.
pub(crate) fn installed() -> Option<EventLoop> {
    PLACES.with_borrow(|places| match &places.last()?.event_loop {
        Installed::Kept(event_loop) => Some(event_loop.clone()),
        Installed::Known(event_loop) => event_loop.upgrade(),
    })
}

/// The loop of this thread that takes jobs.
pub(crate) fn request_loop() -> Option<EventLoop> {
    REQUEST_LOOP.with_borrow(Clone::clone)
}

/// This thread takes jobs by `event_loop`, or no longer.
pub(crate) fn set_request_loop(event_loop: Option<EventLoop>) {
    let before = REQUEST_LOOP.with_borrow_mut(|own| std::mem::replace(own, event_loop));
    drop(before);
}

/// Whether code on this thread may wait, that is, holds no event loop by it.
///
/// # Errors
///
/// [`WaitError::InAsyncCode`] if not.
pub(crate) fn may_wait() -> Result<(), WaitError> {
    let drives = PLACES.with_borrow(|places| places.last().is_some_and(|place| place.drives));
    if drives || has_budget() || !tokio_lets_wait() {
        return Err(WaitError::InAsyncCode);
    }
    Ok(())
}

/// True in async code of tokio: it polls each future with a budget, and nothing else has one, in
/// particular neither threads of `spawn_blocking` nor code in `block_in_place`, which may wait.
///
/// Whether there is one is told only by using it up, which is undone: each unit is given back as it
/// is dropped without progress, in the reverse order.
fn has_budget() -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    let mut taken = Vec::with_capacity(MAX_BUDGET);
    while taken.len() <= MAX_BUDGET {
        match poll_proceed(&mut cx) {
            std::task::Poll::Ready(unit) => taken.push(unit),
            std::task::Poll::Pending => break,
        }
    }
    let used_up = taken.len() <= MAX_BUDGET;
    while let Some(unit) = taken.pop() {
        drop(unit);
    }
    used_up
}

/// The last resort, for what runs in a runtime and has no budget: either it may wait, or it was
/// wrapped into tokio's `unconstrained`. Only tokio can tell, by a panic.
fn tokio_lets_wait() -> bool {
    // Unwind safe: nothing is shared with it.
    Handle::try_current().map_or(true, |here| {
        catch_unwind(AssertUnwindSafe(|| here.block_on(ready(())))).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::task::{block_in_place, spawn_blocking, unconstrained};

    use super::*;

    const REFUSED: Result<(), WaitError> = Err(WaitError::InAsyncCode);

    #[test]
    fn async_code_may_not_wait_and_the_threads_for_what_blocks_may() {
        let one = Builder::new_current_thread().build().unwrap();
        let many = Builder::new_multi_thread().build().unwrap();
        assert_eq!(may_wait(), Ok(()));
        for runtime in [&one, &many] {
            assert_eq!(runtime.block_on(async { may_wait() }), REFUSED);
            runtime.block_on(async {
                assert_eq!(tokio::spawn(async { may_wait() }).await.unwrap(), REFUSED);
                assert_eq!(spawn_blocking(may_wait).await.unwrap(), Ok(()));
                assert_eq!(unconstrained(async { may_wait() }).await, REFUSED);
            });
            let _entered = runtime.enter();
            assert_eq!(may_wait(), Ok(()));
        }
        assert_eq!(
            many.block_on(async { block_in_place(may_wait) }),
            Ok(()),
            "its worker lets others run"
        );
    }

    #[test]
    fn asking_costs_no_budget() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..MAX_BUDGET {
                assert_eq!(may_wait(), REFUSED);
            }
            assert!(tokio::task::coop::has_budget_remaining());
        });
    }

    #[test]
    fn the_innermost_place_counts_until_it_is_left() {
        let (outer, inner) = (EventLoop::new().unwrap(), EventLoop::new().unwrap());
        let seat = install(&outer);
        assert_eq!(may_wait(), Ok(()));
        let driving = drives(&inner);
        assert_eq!(installed(), Some(inner.clone()));
        assert_eq!(may_wait(), REFUSED);
        drop(driving);
        assert_eq!(installed(), Some(outer));
        assert_eq!(may_wait(), Ok(()));
        drop(seat);
        assert_eq!(installed(), None);
    }
}
