//! Where jobs wait for a thread: first in, first out, bounded.

use std::collections::VecDeque;
use std::pin::pin;

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError};

use crate::job::{JobError, Runnable};

/// Jobs that wait.
pub(crate) struct JobQueue {
    state: Mutex<State>,
    capacity: usize,
    /// Room for more. It is given out in the order in which it was asked for.
    room: Semaphore,
    /// A job was put in, or the queue was closed.
    changed: Notify,
}

struct State {
    waiting: VecDeque<(u64, Runnable)>,
    next: u64,
    closed: bool,
}

/// Room for one job, given back if it is not used.
pub(crate) type Room<'a> = SemaphorePermit<'a>;

impl JobQueue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                next: 0,
                closed: false,
            }),
            capacity,
            room: Semaphore::new(capacity),
            changed: Notify::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Waits for room; `None` once the queue is closed.
    pub(crate) async fn room(&self) -> Option<Room<'_>> {
        self.room.acquire().await.ok()
    }

    pub(crate) fn room_now(&self) -> Result<Room<'_>, JobError> {
        self.room.try_acquire().map_err(|error| match error {
            TryAcquireError::Closed => JobError::Closed,
            TryAcquireError::NoPermits => JobError::Full {
                capacity: self.capacity,
            },
        })
    }

    /// Puts a job in, and gives its number. In a closed queue it is dropped, which answers it.
    pub(crate) fn push(&self, room: Room<'_>, job: Runnable) -> u64 {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            drop(job);
            return 0;
        }
        room.forget();
        state.next += 1;
        let id = state.next;
        state.waiting.push_back((id, job));
        drop(state);
        self.changed.notify_one();
        id
    }

    /// The next job; `None` once the queue is closed. For many threads.
    ///
    /// # Cancel safety
    ///
    /// A job is only taken out by the poll that gives it.
    pub(crate) async fn take(&self) -> Option<Runnable> {
        loop {
            // In the line of those who wait before the look. What is put in after it wakes one of that
            // line for each job: outside of it, two jobs that come at once would leave one word only.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let mut state = self.state.lock();
                if let Some((_, job)) = state.waiting.pop_front() {
                    drop(state);
                    self.room.add_permits(1);
                    return Some(job);
                }
                if state.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Takes a job out that has not begun.
    pub(crate) fn withdraw(&self, id: u64) {
        let withdrawn = {
            let mut state = self.state.lock();
            let at = state.waiting.binary_search_by_key(&id, |(id, _)| *id);
            at.ok().and_then(|at| state.waiting.remove(at))
        };
        // Dropped outside of the lock: what it holds may come back here as it goes.
        if withdrawn.is_some() {
            self.room.add_permits(1);
        }
    }

    /// Takes no more, and gives what waits. Takers that wait end.
    pub(crate) fn close(&self) -> VecDeque<(u64, Runnable)> {
        self.room.close();
        let waiting = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        self.changed.notify_waiters();
        waiting
    }
}
