//! How often a thread allocates, for tests that bound it.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    /// Made without allocating, and it needs no drop: it can be reached from within the allocator at any time.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread how often memory is asked for, new or grown.
///
/// ```
/// use pulsar_sys::allocations::{self, Counting};
///
/// #[global_allocator]
/// static ALLOCATOR: Counting = Counting;
///
/// let before = allocations::of_this_thread();
/// drop(Box::new(1));
/// assert_eq!(allocations::of_this_thread() - before, 1);
/// ```
#[derive(Clone, Copy, Default, Debug)]
pub struct Counting;

/// How often this thread has asked for memory. Always 0 unless [`Counting`] is the program's allocator.
pub fn of_this_thread() -> u64 {
    COUNT.get()
}

fn count() {
    COUNT.set(COUNT.get().wrapping_add(1));
}

// SAFETY: each call is passed on to the system's allocator as it is, and its answer as it is: that keeps the contract. The
// counting neither allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to what `System` asks for, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the memory is of this allocator, so of `System`, with this layout: the caller says so.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above; the new size is as `System` asks for it, too.
        unsafe { System.realloc(memory, layout, size) }
    }
}
