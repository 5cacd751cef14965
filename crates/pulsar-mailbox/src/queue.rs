//! A bounded queue of messages, first in first out, from many senders to one actor.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, TryAcquireError};

use pulsar_link::Line;
use pulsar_model::Overflow;

/// Messages that wait, and what happens to those that find no room.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    capacity: usize,
    overflow: Overflow,
    /// Room for messages whose senders would wait for it. Only counted under [`Overflow::Wait`].
    room: Semaphore,
    /// Who waits for room, or has got it and not put its message in yet.
    line: Arc<Line>,
    /// A message was put in, or the queue was closed.
    changed: Notify,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
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
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                closed: false,
            }),
            capacity,
            overflow,
            room: Semaphore::new(capacity),
            line: Arc::default(),
            changed: Notify::new(),
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
        if self.overflow != Overflow::Wait {
            return self.try_put(message);
        }
        if self.line.is_empty() {
            match self.room.try_acquire() {
                Ok(room) => {
                    room.forget();
                    return self.push(message);
                }
                Err(TryAcquireError::Closed) => return Put::Closed(message),
                Err(TryAcquireError::NoPermits) => {}
            }
        }
        let place = self.line.join();
        match self.room.acquire().await {
            Ok(room) => {
                // Given back if this is dropped meanwhile.
                place.let_others_go_first().await;
                room.forget();
                self.push(message)
            }
            Err(_) => Put::Closed(message),
        }
    }

    /// Puts a message in now, or not at all.
    pub fn try_put(&self, message: T) -> Put<T> {
        match self.overflow {
            // Those who wait come first.
            Overflow::Wait if !self.line.is_empty() => self.full_or_closed(message),
            Overflow::Wait => match self.room.try_acquire() {
                Ok(room) => {
                    room.forget();
                    self.push(message)
                }
                Err(TryAcquireError::NoPermits) => Put::Full(message),
                Err(TryAcquireError::Closed) => Put::Closed(message),
            },
            Overflow::Reject if self.depth() >= self.capacity => Put::Full(message),
            Overflow::Reject | Overflow::DropOldest => self.push(message),
        }
    }

    fn full_or_closed(&self, message: T) -> Put<T> {
        match self.state.lock().closed {
            true => Put::Closed(message),
            false => Put::Full(message),
        }
    }

    /// Puts a message in, and drops the oldest if there are then too many. Under
    /// [`Overflow::Wait`] there never are: who pushes holds room.
    fn push(&self, message: T) -> Put<T> {
        let mut state = self.state.lock();
        if state.closed {
            return Put::Closed(message);
        }
        let full = state.waiting.len() >= self.capacity;
        if full && self.overflow == Overflow::Reject {
            return Put::Full(message);
        }
        let oldest = match full {
            true => state.waiting.pop_front(),
            false => None,
        };
        state.waiting.push_back(message);
        drop(state);
        self.changed.notify_one();
        oldest.map_or(Put::Taken, Put::TakenFor)
    }

    /// The next message; `None` once the queue is closed and empty. For one receiver.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a message is only taken out by the poll that gives it, and a wake-up that
    /// was not used is kept for the next call.
    pub async fn take(&self) -> Option<T> {
        loop {
            let changed = self.changed.notified();
            if let Poll::Ready(taken) = self.try_take() {
                return taken;
            }
            changed.await;
        }
    }

    fn try_take(&self) -> Poll<Option<T>> {
        let mut state = self.state.lock();
        match state.waiting.pop_front() {
            Some(message) => {
                if self.overflow == Overflow::Wait {
                    self.room.add_permits(1);
                }
                Poll::Ready(Some(message))
            }
            None if state.closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Takes nothing more. Senders that wait for room are sent away; what waits stays.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.room.close();
        self.changed.notify_one();
    }

    /// All that waits. After [`close`](Self::close) there will be nothing more: a sender that
    /// found room before finds the queue closed when it pushes.
    pub fn drain(&self) -> VecDeque<T> {
        std::mem::take(&mut self.state.lock().waiting)
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
