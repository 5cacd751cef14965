//! What a thread has used last.

use std::cell::RefCell;

/// Entries that are remembered at most.
const SEATS: usize = 16;

/// What a thread has used last, to be found again by a look at one place. Each entry has a mark, and takes the place of
/// another whose mark leads to the same.
pub struct Recent<T>(RefCell<[Option<T>; SEATS]>);

impl<T> Recent<T> {
    /// Nothing yet.
    #[expect(clippy::new_without_default, reason = "it is for statics")]
    pub const fn new() -> Self {
        Self(RefCell::new([const { None }; SEATS]))
    }

    /// What `look` sees in the entry at this mark's place, which may be another's. It may not enter any.
    pub fn find<R>(&self, mark: usize, look: impl FnOnce(&T) -> Option<R>) -> Option<R> {
        let seats = self.0.borrow();
        look(seats.get(mark % SEATS)?.as_ref()?)
    }

    /// Enters one.
    pub fn enter(&self, mark: usize, entry: T) {
        let before = {
            let mut seats = self.0.borrow_mut();
            let seat = seats.get_mut(mark % SEATS);
            seat.and_then(|seat| seat.replace(entry))
        };
        // Outside of the borrow: what goes with it may enter another.
        drop(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_until_another_takes_its_place() {
        let recent = Recent::new();
        let find = |mark: usize| recent.find(mark, |entry| (*entry == mark).then_some(*entry));
        assert_eq!(find(3), None);
        (0..SEATS).for_each(|mark| recent.enter(mark, mark));
        assert!((0..SEATS).all(|mark| find(mark) == Some(mark)));
        recent.enter(3 + SEATS, 3 + SEATS);
        assert_eq!((find(3), find(3 + SEATS)), (None, Some(3 + SEATS)));
    }
}
