//! Keeps a hook that amends from being called within itself.

use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    /// The hooks that run on this thread now, the innermost last: whose, and which.
    static RUNNING: RefCell<Vec<(*const (), &'static str)>> = const { RefCell::new(Vec::new()) };
}

/// Calls the hook `name` of `owner`; `None` if that runs here already: an `on_info` hook
/// that looks at the info would be called without end.
pub fn unless_within<T, R>(
    owner: &Arc<T>,
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
    let hook = (Arc::as_ptr(owner).cast::<()>(), name);
    if RUNNING.with_borrow(|running| running.contains(&hook)) {
        return None;
    }
    RUNNING.with_borrow_mut(|running| running.push(hook));
    let _leave = Leave;
    Some(call())
}
