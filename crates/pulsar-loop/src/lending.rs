//! A value that its owner lends to others of its thread while it has no use for it itself.

use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// A place where the owner of a value leaves it while it waits, and where others that run on its thread find it.
///
/// It is lent only once somebody has come for it: so owners for whose values nobody comes pay nothing.
pub struct Lending<T> {
    /// Somebody has come for it.
    is_wanted: AtomicBool,
    lent: Mutex<Option<Lent<T>>>,
}

struct Lent<T> {
    value: T,
    /// The mark of its thread.
    by: usize,
}

/// What is different in each thread that lives. It costs less than a thread's id.
fn mark() -> usize {
    thread_local! {
        static MARK: u8 = const { 0 };
    }
    MARK.with(|mark| ptr::from_ref(mark).addr())
}

impl<T> Default for Lending<T> {
    fn default() -> Self {
        Self {
            is_wanted: AtomicBool::new(false),
            lent: Mutex::new(None),
        }
    }
}

impl<T> Lending<T> {
    /// True if the owner should lend it.
    #[inline]
    fn is_wanted(&self) -> bool {
        // Relaxed: who comes too early comes again.
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// Leaves the value here, for others of this thread.
    fn lend(&self, value: T) {
        let by = mark();
        *self.lent.lock() = Some(Lent { value, by });
    }

    /// The value, if it is here. It waits for whoever borrows it.
    fn take_back(&self) -> Option<T> {
        self.lent.lock().take().map(|lent| lent.value)
    }

    /// Runs `with` on the value, if it was lent by this thread. If it is not here, it is wanted from now on.
    pub fn borrow<R>(&self, with: impl FnOnce(&mut T) -> R) -> Option<R> {
        // Who finds it borrowed does not wait: it may be this thread that borrows it.
        let mut lent = self.lent.try_lock()?;
        match &mut *lent {
            Some(lent) if lent.by == mark() => Some(with(&mut lent.value)),
            Some(_) => None,
            None => {
                self.is_wanted.store(true, Ordering::Relaxed);
                None
            }
        }
    }
}

/// The owner of a value that may be lent. Dropped, it takes the value with it, wherever that is.
#[derive(Debug)]
pub struct Lender<'a, T> {
    place: &'a Lending<T>,
    /// None while it is lent.
    value: Option<T>,
}

impl<'a, T> Lender<'a, T> {
    /// The owner of `value`, who lends it at this place, where no other does.
    pub fn new(place: &'a Lending<T>, value: T) -> Self {
        let value = Some(value);
        Self { place, value }
    }

    /// The value, which is lent to nobody any more. It is always there.
    #[inline]
    pub fn take_back(&mut self) -> Option<&mut T> {
        if self.value.is_none() {
            self.value = self.place.take_back();
        }
        self.value.as_mut()
    }

    /// Lends it until it is taken back, if anybody wants it.
    #[inline]
    pub fn lend(&mut self) {
        if self.place.is_wanted()
            && let Some(value) = self.value.take()
        {
            self.place.lend(value);
        }
    }
}

impl<T> Drop for Lender<'_, T> {
    fn drop(&mut self) {
        drop(self.place.take_back());
    }
}

impl<T> fmt::Debug for Lending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lending(wanted: {})", self.is_wanted())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn it_is_lent_once_it_is_wanted_and_to_its_own_thread_only() {
        let lending = Lending::default();
        assert!(!lending.is_wanted());
        assert_eq!(lending.borrow(|value: &mut u32| *value), None);
        assert!(lending.is_wanted());
        lending.lend(1);
        assert_eq!(lending.borrow(|value| std::mem::replace(value, 2)), Some(1));
        let elsewhere = thread::scope(|scope| {
            let other = scope.spawn(|| lending.borrow(|value| *value));
            other.join().unwrap()
        });
        assert_eq!(elsewhere, None);
        // Who borrows it cannot borrow it again.
        let nested = lending.borrow(|_| lending.borrow(|value| *value));
        assert_eq!(nested, Some(None));
        assert_eq!(lending.take_back(), Some(2));
        assert_eq!(lending.take_back(), None);
        assert_eq!(lending.borrow(|value| *value), None);
    }

    #[test]
    fn its_owner_has_it_back_before_it_goes_on_and_takes_it_along() {
        let lending = Lending::default();
        let value = std::rc::Rc::new(1);
        let mut lender = Lender::new(&lending, std::rc::Rc::clone(&value));
        lender.lend();
        // Nobody had come for it.
        assert!(lending.borrow(|_| ()).is_none());
        lender.lend();
        assert!(lending.borrow(|_| ()).is_some());
        assert!(lender.take_back().is_some() && lending.borrow(|_| ()).is_none());
        lender.lend();
        drop(lender);
        assert_eq!(std::rc::Rc::strong_count(&value), 1);
    }
}
