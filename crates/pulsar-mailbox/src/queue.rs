//! A bounded queue of messages, first in first out, from many senders to one actor.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use pulsar_link::{Line, Place};
use pulsar_model::Overflow;

/// Messages that wait, and what happens to those that find no room.
///
/// One lock is all that a message takes on either side, as long as there is room. Senders that wait for room
/// stand in a line, and cost more.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    capacity: usize,
    overflow: Overflow,
    /// Room that was promised to those in the line, until they fetch it. Only under [`Overflow::Wait`].
    promises: Semaphore,
    /// Who waits for room, or has been promised it and not put its message in yet. Joined under the lock, and made with the
    /// first.
    line: OnceLock<Arc<Line>>,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
    /// Room that is kept for senders in the line; those there that have none come after.
    promised: usize,
    /// Who takes, and whether it waits.
    receiver: Waker,
    waits: bool,
}

/// What a receiver finds.
#[derive(Debug)]
pub enum Taken<T> {
    /// The next message.
    Message(T),
    /// There is one, and it was not to be taken now.
    Left,
    /// The queue is closed and empty.
    End,
}

/// What became of a message.
#[derive(Debug)]
pub enum Put<T> {
    /// It waits for its turn.
    Taken,
    /// It waits for its turn, and this one was dropped for it.
    TakenFor(T),
    /// There is no room for it.
    Full(T),
    /// Nothing is taken any more.
    Closed(T),
}

impl<T> Queue<T> {
    /// An empty queue for so many messages, at least one.
    pub fn new(capacity: usize, overflow: Overflow) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                closed: false,
                promised: 0,
                receiver: Waker::noop().clone(),
                waits: false,
            }),
            capacity: capacity.clamp(1, Semaphore::MAX_PERMITS),
            overflow,
            promises: Semaphore::new(0),
            line: OnceLock::new(),
        }
    }

    /// How many messages may wait.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// What happens to a message that finds no room.
    pub fn overflow(&self) -> Overflow {
        self.overflow
    }

    /// How many messages wait.
    pub fn depth(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Puts a message in; under [`Overflow::Wait`] as soon as there is room, in the order in
    /// which the senders came.
    ///
    /// # Cancel safety
    ///
    /// A message whose sender gives up while it waits is not put in.
    pub async fn put(&self, message: T) -> Put<T> {
        let message = match self.try_put(message) {
            Put::Full(message) if self.overflow == Overflow::Wait => message,
            put => return put,
        };
        let Some(waiting) = self.join() else {
            return Put::Closed(message);
        };
        match waiting.promise().await {
            Some(promise) => promise.redeem(message),
            None => Put::Closed(message),
        }
    }

    /// Puts in the message that `make` makes, right where it will wait; true if it has. False, and nothing is made, where that
    /// is not all that there is to it: then [`try_put`](Self::try_put) tells what is.
    pub fn try_put_with(&self, make: impl FnOnce() -> Option<T>) -> bool {
        let mut state = self.state.lock();
        let is_easy = !state.closed && self.has_room(&state) && self.in_line() == 0;
        is_easy
            && make().is_some_and(|message| {
                state.push(message);
                true
            })
    }

    /// Puts a message in now, or not at all.
    pub fn try_put(&self, message: T) -> Put<T> {
        let mut state = self.state.lock();
        if state.closed {
            return Put::Closed(message);
        }
        let (has_room, oldest) = match self.overflow {
            Overflow::Wait => (self.has_room(&state) && self.in_line() == 0, None),
            Overflow::Reject => (self.has_room(&state), None),
            Overflow::DropOldest if self.has_room(&state) => (true, None),
            Overflow::DropOldest => (true, state.waiting.pop_front()),
        };
        if !has_room {
            return Put::Full(message);
        }
        state.push(message);
        oldest.map_or(Put::Taken, Put::TakenFor)
    }

    /// True if the receiver waits for a message and nobody is before one that would come now.
    pub fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.waits && !state.closed && state.promised == 0 && self.in_line() == 0
    }

    /// Has the receiver look again, if it waits.
    pub fn wake_receiver(&self) {
        self.state.lock().wake();
    }

    /// How many stand in the line.
    fn in_line(&self) -> usize {
        self.line.get().map_or(0, |line| line.len())
    }

    /// Whether there is room that was promised to nobody.
    fn has_room(&self, state: &State<T>) -> bool {
        state.waiting.len() + state.promised < self.capacity
    }

    /// The place behind all who wait for room; `None` once nothing is taken any more.
    fn join(&self) -> Option<Waiting<'_, T>> {
        let mut state = self.state.lock();
        if state.closed {
            return None;
        }
        // Joined under the lock: whoever makes room sees it.
        let place = Some(self.line.get_or_init(Arc::default).join());
        if self.has_room(&state) {
            // Those before have got theirs, and have not run yet.
            state.promised += 1;
            self.promises.add_permits(1);
        }
        Some(Waiting { queue: self, place })
    }

    /// The next message; `None` once the queue is closed and empty. For one receiver.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a message is only taken out by the poll that gives it.
    pub async fn take(&self) -> Option<T> {
        match self.take_unless(|| false).await {
            Taken::Message(message) => Some(message),
            Taken::Left | Taken::End => None,
        }
    }

    /// The same, unless `busy` says that there is other work to do first; it is asked only where there is a message, and
    /// within the queue's lock.
    ///
    /// # Cancel safety
    ///
    /// As for [`take`](Self::take).
    pub async fn take_unless(&self, busy: impl Fn() -> bool) -> Taken<T> {
        poll_fn(|task| self.poll_take(task, &busy)).await
    }

    /// One poll of [`take_unless`](Self::take_unless).
    fn poll_take(&self, task: &Context<'_>, busy: impl FnOnce() -> bool) -> Poll<Taken<T>> {
        self.poll_take_with(task, busy, |message| message)
    }

    /// The same, which hands the message to `act` from where it was taken out, and gives what that makes of it: messages
    /// may be large.
    pub fn poll_take_with<R>(
        &self,
        task: &Context<'_>,
        busy: impl FnOnce() -> bool,
        act: impl FnOnce(T) -> R,
    ) -> Poll<Taken<R>> {
        let mut state = self.state.lock();
        if state.waiting.is_empty() {
            if state.closed {
                return Poll::Ready(Taken::End);
            }
            state.receiver.clone_from(task.waker());
            state.waits = true;
            return Poll::Pending;
        }
        if busy() {
            return Poll::Ready(Taken::Left);
        }
        let Some(message) = state.waiting.pop_front() else {
            return Poll::Ready(Taken::Left);
        };
        let promises = self.overflow == Overflow::Wait && self.in_line() > state.promised;
        state.promised += usize::from(promises);
        drop(state);
        if promises {
            self.promises.add_permits(1);
        }
        Poll::Ready(Taken::Message(act(message)))
    }

    /// Takes nothing more. Senders that wait for room are sent away; what waits stays.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.wake();
        drop(state);
        self.promises.close();
    }

    /// All that waits. After [`close`](Self::close) there will be nothing more: a sender that
    /// was promised room before finds the queue closed when it pushes.
    pub fn drain(&self) -> VecDeque<T> {
        std::mem::take(&mut self.state.lock().waiting)
    }
}

impl<T> State<T> {
    fn push(&mut self, message: T) {
        self.waiting.push_back(message);
        self.wake();
    }

    /// Wakes the receiver if it waits. Within the lock: the waker is kept for the next time, and waking schedules a task
    /// and runs nothing of it.
    fn wake(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.receiver.wake_by_ref();
        }
    }
}

/// A sender in the line for room.
struct Waiting<'a, T> {
    queue: &'a Queue<T>,
    /// Always there until the drop.
    place: Option<Place>,
}

impl<'a, T> Waiting<'a, T> {
    /// Waits for room; `None` once nothing is taken any more.
    async fn promise(self) -> Option<Promise<'a, T>> {
        // Given back if this is dropped meanwhile.
        let room = self.queue.promises.acquire().await.ok()?;
        if let Some(place) = &self.place {
            place.let_others_go_first().await;
        }
        Some(Promise {
            room,
            waiting: self,
        })
    }
}

/// Leaves the line. Room that was promised to more than are left is anybody's again.
impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        self.place = None;
        while state.promised > self.queue.in_line() {
            let Ok(room) = self.queue.promises.try_acquire() else {
                break;
            };
            room.forget();
            state.promised -= 1;
        }
    }
}

/// Room that is kept for a sender.
struct Promise<'a, T> {
    // In this order: the room that is not used is given back before the line is left.
    room: SemaphorePermit<'a>,
    waiting: Waiting<'a, T>,
}

impl<T> Promise<'_, T> {
    fn redeem(self, message: T) -> Put<T> {
        let mut state = self.waiting.queue.state.lock();
        if state.closed {
            drop(state);
            return Put::Closed(message);
        }
        state.promised -= 1;
        self.room.forget();
        state.push(message);
        Put::Taken
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn take_now(queue: &Queue<u32>) -> Option<Option<u32>> {
        queue.take().now_or_never()
    }

    #[test]
    fn a_full_queue_waits_rejects_or_drops_the_oldest() {
        let waits = Queue::new(1, Overflow::Wait);
        assert!(matches!(waits.put(1).now_or_never(), Some(Put::Taken)));
        assert!(waits.put(2).now_or_never().is_none());
        assert!(matches!(waits.try_put(2), Put::Full(2)));
        let rejects = Queue::new(1, Overflow::Reject);
        assert!(matches!(rejects.try_put(1), Put::Taken));
        assert!(matches!(rejects.put(2).now_or_never(), Some(Put::Full(2))));
        let drops = Queue::new(1, Overflow::DropOldest);
        assert!(matches!(drops.try_put(1), Put::Taken));
        assert!(matches!(
            drops.put(2).now_or_never(),
            Some(Put::TakenFor(1))
        ));
        assert_eq!(take_now(&drops), Some(Some(2)));
    }

    #[test]
    fn room_that_is_made_goes_to_the_sender_that_waited_longest() {
        let queue = Queue::new(1, Overflow::Wait);
        assert!(matches!(queue.try_put(1), Put::Taken));
        let (mut second, mut third) = (Box::pin(queue.put(2)), Box::pin(queue.put(3)));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        assert_eq!(take_now(&queue), Some(Some(1)));
        assert!((&mut third).now_or_never().is_none());
        assert!(matches!((&mut second).now_or_never(), Some(Put::Taken)));
        assert_eq!(take_now(&queue), Some(Some(2)));
        assert!(matches!((&mut third).now_or_never(), Some(Put::Taken)));
    }

    #[test]
    fn who_comes_when_there_is_room_again_does_not_overtake_who_waited() {
        let queue = Queue::new(2, Overflow::Wait);
        assert!(matches!(queue.try_put(1), Put::Taken));
        assert!(matches!(queue.try_put(2), Put::Taken));
        let mut third = Box::pin(queue.put(3));
        assert!((&mut third).now_or_never().is_none());
        assert_eq!(take_now(&queue), Some(Some(1)));
        assert_eq!(take_now(&queue), Some(Some(2)));
        // There is room for two, and one of them is the third's, which has not run yet.
        assert!(matches!(queue.try_put(4), Put::Full(4)));
        let mut fourth = Box::pin(queue.put(4));
        assert!((&mut fourth).now_or_never().is_none());
        assert!(matches!((&mut third).now_or_never(), Some(Put::Taken)));
        assert!(matches!((&mut fourth).now_or_never(), Some(Put::Taken)));
        assert_eq!(take_now(&queue), Some(Some(3)));
        assert_eq!(take_now(&queue), Some(Some(4)));
    }

    #[test]
    fn a_closed_queue_gives_what_waits_and_sends_the_others_away() {
        let queue = Queue::new(1, Overflow::Wait);
        assert!(matches!(queue.try_put(1), Put::Taken));
        let mut second = Box::pin(queue.put(2));
        assert!((&mut second).now_or_never().is_none());
        queue.close();
        assert!(matches!((&mut second).now_or_never(), Some(Put::Closed(2))));
        assert!(matches!(queue.try_put(3), Put::Closed(3)));
        assert_eq!(take_now(&queue), Some(Some(1)));
        assert_eq!(take_now(&queue), Some(None));
    }

    #[test]
    fn a_sender_that_found_room_before_the_end_is_sent_away_and_nobody_waits_for_it() {
        let queue = Queue::new(1, Overflow::Wait);
        assert!(matches!(queue.try_put(1), Put::Taken));
        let mut second = Box::pin(queue.put(2));
        assert!((&mut second).now_or_never().is_none());
        // The room is the second's from here on, though it has not run yet.
        assert_eq!(take_now(&queue), Some(Some(1)));
        queue.close();
        assert_eq!(take_now(&queue), Some(None));
        assert!(matches!((&mut second).now_or_never(), Some(Put::Closed(2))));
    }

    #[test]
    fn a_take_that_was_given_up_loses_no_wake_up() {
        let queue = Queue::new(2, Overflow::Wait);
        let mut first = Box::pin(queue.take());
        assert!((&mut first).now_or_never().is_none());
        assert!(matches!(queue.try_put(1), Put::Taken));
        drop(first);
        assert_eq!(take_now(&queue), Some(Some(1)));
    }
}
