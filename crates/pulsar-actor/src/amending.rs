//! Keeps a hook that amends from being called within itself.

use std::cell::RefCell;
use std::sync::Arc;

use crate::context::Cell;

thread_local! {
    /// The hooks that run on this thread now, the innermost last: whose, and which.
    static RUNNING: RefCell<Vec<(*const Cell, &'static str)>> = const { RefCell::new(Vec::new()) };
}

/// Calls the hook `name` of the actor of `cell`; `None` if that runs here already: an `on_info` hook
/// that looks at the info would be called without end.
pub(crate) fn unless_within<R>(
    cell: &Arc<Cell>,
    name: &'static str,
    call: impl FnOnce() -> R,
) -> Option<R> {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            RUNNING.with_borrow_mut(Vec::pop);
        }
    }
    // Only compared, never followed.
    let hook = (Arc::as_ptr(cell), name);
    if RUNNING.with_borrow(|running| running.contains(&hook)) {
        return None;
    }
    RUNNING.with_borrow_mut(|running| running.push(hook));
    let _leave = Leave;
    Some(call())
}
