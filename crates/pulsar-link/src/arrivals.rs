//! What came over a link and finds no room in its mailbox yet.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::credit::WINDOW;
use crate::key::Keyed;

/// Messages that may wait for one target: some windows of credit. One link brings no more than one,
/// but when it is retired the next brings another.
pub(crate) const MOST_WAITING: usize = 4 * WINDOW;

/// The messages that wait for room in their targets' mailboxes, in the order of their coming: a
/// frame handler must not wait for it. Targets are told apart by place and task number.
///
/// # Order
///
/// Messages to one target are put into its mailbox in the order in which they came. A target is
/// *busy* from the [`push`](Self::push) that says `true` to the [`next`](Self::next) that says
/// `None`, and has one mover in that time: only a push that finds no entry says `true`, and the
/// entry is there until that `None`, since it stays when its last message is taken. The mover
/// takes the front and puts it before it takes the next; what comes meanwhile goes to the back.
/// The `None` and the end of the entry are one step under the lock, so that what comes then is
/// either before it, and taken by this mover, or after it, when all that was before has been
/// put: then it may be put directly, or begins a new entry.
///
/// For this the handler asks [`waits`](Self::waits) before it puts directly, and only one
/// handler at a time brings messages to a target: that of the one link over which its sender's
/// process sends at the time, which is called for one frame after the other. "Nothing waits" stays
/// true until that handler itself pushes. The links to one life of a process share one of these, so
/// that what comes over the next goes behind what came over the one before.
#[derive(Debug)]
pub struct Arrivals<T> {
    waiting: Mutex<Keyed<VecDeque<T>>>,
    /// How many targets are busy. Written under the lock; mostly there are none, and then none is taken.
    busy: AtomicUsize,
}

impl<T> Default for Arrivals<T> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            busy: AtomicUsize::new(0),
        }
    }
}

impl<T> Arrivals<T> {
    /// Nothing waits yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// True while a message to this target waits or is being put: the next one must go behind it.
    pub fn waits(&self, target: (u32, u32)) -> bool {
        self.busy.load(Ordering::Acquire) > 0 && self.waiting.lock().contains_key(&target)
    }

    /// Sets `message` behind those that wait for this target. `true` if it is the first: then the
    /// caller starts a mover, which puts what [`next`](Self::next) gives into the mailbox, one
    /// after the other and waiting for room, until there is no next. A mover does not stop
    /// before: its target would be busy for ever. If the mailbox is closed it goes on, and
    /// answers each.
    ///
    /// # Errors
    ///
    /// The message, if four windows of credit wait already.
    pub fn push(&self, target: (u32, u32), message: T) -> Result<bool, T> {
        match self.waiting.lock().entry(target) {
            Entry::Vacant(entry) => {
                entry.insert(VecDeque::from([message]));
                self.busy.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            }
            Entry::Occupied(entry) if entry.get().len() >= MOST_WAITING => Err(message),
            Entry::Occupied(mut entry) => {
                entry.get_mut().push_back(message);
                Ok(false)
            }
        }
    }

    /// The message that is to be put next; the target stays busy meanwhile. `None` if there is
    /// none: then the target is not busy any more, and its mover ends.
    pub fn next(&self, target: (u32, u32)) -> Option<T> {
        let mut waiting = self.waiting.lock();
        if let Some(message) = waiting.get_mut(&target).and_then(VecDeque::pop_front) {
            return Some(message);
        }
        if waiting.remove(&target).is_some() {
            // Released: who finds none busy sees what has been put.
            self.busy.fetch_sub(1, Ordering::Release);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;
    use tokio::sync::mpsc::error::TrySendError;

    use super::*;

    const TARGET: (u32, u32) = (2, 1);

    #[test]
    fn the_first_begins_a_mover_and_the_others_wait_behind_it() {
        let arrivals = Arrivals::new();
        assert!(!arrivals.waits(TARGET));
        assert_eq!(arrivals.push(TARGET, 1), Ok(true));
        assert_eq!(arrivals.push(TARGET, 2), Ok(false));
        assert_eq!(arrivals.push((9, 9), 7), Ok(true));
        assert_eq!(arrivals.next(TARGET), Some(1));
        assert_eq!(arrivals.next(TARGET), Some(2));
        // The mover is putting it: what comes now waits too.
        assert!(arrivals.waits(TARGET));
        assert_eq!(arrivals.push(TARGET, 3), Ok(false));
        assert_eq!(arrivals.next(TARGET), Some(3));
        assert_eq!(arrivals.next(TARGET), None);
        assert!(!arrivals.waits(TARGET));
        assert_eq!(arrivals.push(TARGET, 4), Ok(true));
    }

    #[test]
    fn more_than_the_window_is_given_back() {
        let arrivals = Arrivals::new();
        for number in 0..MOST_WAITING {
            assert_eq!(arrivals.push(TARGET, number), Ok(number == 0));
        }
        assert_eq!(arrivals.push(TARGET, 1000), Err(1000));
        assert_eq!(arrivals.next(TARGET), Some(0));
        assert_eq!(arrivals.push(TARGET, 1000), Ok(false));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_order_is_kept_however_handler_and_mover_meet() {
        const MESSAGES: u32 = 50_000;
        let arrivals = Arc::new(Arrivals::new());
        let (mailbox, mut taken) = mpsc::channel(1);
        let handler = tokio::spawn(async move {
            for number in 0..MESSAGES {
                let message = match arrivals.waits(TARGET) {
                    true => Some(number),
                    false => mailbox.try_send(number).err().map(TrySendError::into_inner),
                };
                let Some(message) = message else { continue };
                // The window's part: no more come than are taken.
                while arrivals
                    .waiting
                    .lock()
                    .get(&TARGET)
                    .map_or(0, VecDeque::len)
                    >= MOST_WAITING
                {
                    tokio::task::yield_now().await;
                }
                if arrivals.push(TARGET, message).unwrap() {
                    let (arrivals, mailbox) = (Arc::clone(&arrivals), mailbox.clone());
                    tokio::spawn(async move {
                        while let Some(message) = arrivals.next(TARGET) {
                            mailbox.send(message).await.unwrap();
                        }
                    });
                }
            }
        });
        for expected in 0..MESSAGES {
            assert_eq!(taken.recv().await, Some(expected));
        }
        handler.await.unwrap();
    }
}
