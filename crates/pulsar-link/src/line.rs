//! Those who wait for the same thing, in the order in which they came.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// How often one who has got what it waited for lets the loop go round for those who came before.
/// They have got it too, and have only not run yet; twice round is enough for those who run on the
/// same loop. One that its owner does not poll is not waited for any longer.
const PATIENCE: usize = 8;

/// A line. A semaphore gives what it has in the order of coming, but who has been given something
/// and not run yet is overtaken by who comes later and finds something left: this is known here.
#[derive(Debug, Default)]
pub struct Line {
    people: Mutex<People>,
    /// How many wait; changed under the lock, and looked at without by those who find nobody, as is the
    /// rule.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct People {
    next: u64,
    waiting: BTreeSet<u64>,
}

impl Line {
    /// True if nobody waits, nor has got what it waited for and not used it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many wait, or have got what they waited for and not used it.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// The place behind all others.
    pub fn join(self: &Arc<Self>) -> Place {
        let mut people = self.people.lock();
        let ticket = people.next;
        people.next += 1;
        people.waiting.insert(ticket);
        self.count.store(people.waiting.len(), Ordering::Release);
        Place {
            line: Arc::clone(self),
            ticket,
        }
    }
}

/// A place in a line. It is left when this is dropped.
#[derive(Debug)]
#[must_use = "the place is left when this is dropped"]
pub struct Place {
    line: Arc<Line>,
    ticket: u64,
}

impl Place {
    /// Lets those go first who came before, for a moment.
    pub async fn let_others_go_first(&self) {
        for _ in 0..PATIENCE {
            if self.is_first() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn is_first(&self) -> bool {
        self.line.people.lock().waiting.first() == Some(&self.ticket)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut people = self.line.people.lock();
        people.waiting.remove(&self.ticket);
        let left = people.waiting.len();
        self.line.count.store(left, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn one_lets_those_go_first_who_came_before_and_not_for_ever() {
        let line = Arc::new(Line::default());
        let (first, second) = (line.join(), line.join());
        assert!(first.let_others_go_first().now_or_never().is_some());
        let mut behind = Box::pin(second.let_others_go_first());
        for _ in 0..PATIENCE {
            assert!((&mut behind).now_or_never().is_none());
        }
        assert!(behind.now_or_never().is_some());
        let mut behind = Box::pin(second.let_others_go_first());
        assert!((&mut behind).now_or_never().is_none());
        drop(first);
        assert!(behind.now_or_never().is_some());
        assert!(!line.is_empty());
        drop(second);
        assert!(line.is_empty());
    }
}
