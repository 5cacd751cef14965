//! What a method of an async object returns.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::delivery::{Delivery, deliver};
use crate::waiting::{LoopEnded, WaitError};
use crate::{AsyncObject, EventLoop};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work of an object on its event loop. Nothing happens until it is awaited, in async code, or
/// waited for, in synchronous code.
///
/// Awaited on the object's own loop it is a part of what awaits it. Awaited elsewhere it runs on
/// the object's loop; a loop of one's own that nobody drives is then driven by a thread of its own.
/// Dropping it ends the work, and a panic of the work goes on where it is awaited.
#[must_use = "nothing is done until this is awaited, or waited for with `wait`"]
pub struct Task<T> {
    event_loop: EventLoop,
    state: State<T>,
}

enum State<T> {
    /// Not begun, or a part of what awaits it.
    Here {
        future: BoxFuture<T>,
        begun: bool,
    },
    There(Delivery<T>),
    Done,
}

impl<T: Send + 'static> Task<T> {
    /// `future`, as work of `object`.
    pub fn new<F>(object: &(impl AsyncObject + ?Sized), future: F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        Self {
            event_loop: object.event_loop(),
            state: State::Here {
                future: Box::pin(future),
                begun: false,
            },
        }
    }

    /// Waits for the task in synchronous code. A loop of the object's own is driven here; on a loop
    /// that runs elsewhere the task is run there.
    ///
    /// # Errors
    ///
    /// As [`EventLoop::run_until`]: [`WaitError::InAsyncCode`] on a thread that runs an event loop,
    /// where only awaiting is right; [`WaitError::LoopEnded`].
    ///
    /// # Panics
    ///
    /// If the work panics: with that panic.
    pub fn wait(self) -> Result<T, WaitError> {
        self.wait_within(None)
    }

    /// The same, no longer than `limit`; then the work is dropped.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and [`WaitError::TimedOut`].
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(self, limit: Duration) -> Result<T, WaitError> {
        self.wait_within(Some(limit))
    }

    fn wait_within(self, limit: Option<Duration>) -> Result<T, WaitError> {
        let event_loop = self.event_loop.clone();
        match self.state {
            State::Here { future, .. } => event_loop.wait_for(future, limit),
            // Only somebody who has polled it by hand comes here.
            state => {
                let task = Self { state, ..self };
                let outcome = event_loop.wait_for(task.outcome(), limit)?;
                outcome.map_err(WaitError::from)
            }
        }
    }

    /// Awaits the task, and tells if its loop ended before it was done.
    ///
    /// # Errors
    ///
    /// [`LoopEnded`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the work.
    pub async fn outcome(mut self) -> Result<T, LoopEnded> {
        std::future::poll_fn(|cx| self.poll_outcome(cx)).await
    }

    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, LoopEnded>> {
        self.leave_if_elsewhere();
        let outcome = match &mut self.state {
            State::Here { future, .. } => future.as_mut().poll(cx).map(Ok),
            State::There(delivery) => Pin::new(delivery).poll(cx),
            State::Done => Poll::Pending,
        };
        if outcome.is_ready() {
            self.state = State::Done;
        }
        outcome
    }

    /// At the first poll: to the object's loop, if that is not the one that polls.
    fn leave_if_elsewhere(&mut self) {
        match &mut self.state {
            State::Here { begun, .. } if !*begun => *begun = true,
            _ => return,
        }
        if self.event_loop.runs_here() {
            return;
        }
        if let State::Here { future, .. } = std::mem::replace(&mut self.state, State::Done) {
            let (work, delivery) = deliver(future);
            self.event_loop.run_driven(work);
            self.state = State::There(delivery);
        }
    }
}

/// # Panics
///
/// If the work panics, with that panic; and if its loop ends before it is done:
/// [`outcome`](Task::outcome) has an error for that.
impl<T: Send + 'static> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.poll_outcome(cx).map(|outcome| match outcome {
            Ok(value) => value,
            Err(ended) => std::panic::panic_any(ended.to_string()),
        })
    }
}

impl<T> AsyncObject for Task<T> {
    fn event_loop(&self) -> EventLoop {
        self.event_loop.clone()
    }
}

impl<T> std::fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("event_loop", &self.event_loop)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::oneshot;

    use super::*;

    /// Where the task ran.
    fn place(object: &EventLoop) -> Task<EventLoop> {
        Task::new(object, async {
            tokio::task::yield_now().await;
            EventLoop::current().unwrap()
        })
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// A loop that runs on a thread of its own until the sender is dropped.
    fn running() -> (EventLoop, oneshot::Sender<()>) {
        let (made, loop_made) = mpsc::channel();
        let (until, ended) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = runtime();
            made.send(EventLoop::from(runtime.handle().clone()))
                .unwrap();
            let _ = runtime.block_on(ended);
        });
        (loop_made.recv().unwrap(), until)
    }

    #[test]
    fn a_task_runs_on_its_objects_loop_whoever_awaits_it() {
        let (elsewhere, _until) = running();
        let undriven = EventLoop::new().unwrap();
        for object in [elsewhere, undriven.clone()] {
            assert_eq!(runtime().block_on(place(&object)), object);
            assert_eq!(runtime().block_on(place(&object).outcome()), Ok(object));
        }
        // On its own loop, and from one loop of one's own to another.
        assert_eq!(undriven.run_until(place(&undriven)), Ok(undriven.clone()));
        let other = EventLoop::new().unwrap();
        assert_eq!(other.run_until(place(&undriven)), Ok(undriven));
    }

    #[test]
    fn on_its_own_loop_it_is_a_part_of_what_awaits_it() {
        let runtime = runtime();
        let object = EventLoop::from(runtime.handle().clone());
        let id = || tokio::task::try_id();
        let task = async move { (id(), Task::new(&object, async move { id() }).await) };
        let (outer, inner) = runtime.block_on(async { tokio::spawn(task).await.unwrap() });
        assert_eq!(outer, inner);
        assert!(outer.is_some());
    }

    #[test]
    fn synchronous_code_waits_for_it() {
        let (elsewhere, _until) = running();
        for object in [elsewhere, EventLoop::new().unwrap()] {
            assert_eq!(place(&object).wait(), Ok(object.clone()));
            let limit = Duration::from_secs(60);
            assert_eq!(place(&object).wait_timeout(limit), Ok(object.clone()));
            let never = Task::new(&object, std::future::pending::<()>());
            let after = Duration::from_millis(1);
            assert_eq!(
                never.wait_timeout(after),
                Err(WaitError::TimedOut { after })
            );
        }
    }

    #[test]
    fn waiting_in_async_code_is_an_error_whatever_the_loop() {
        let (elsewhere, _until) = running();
        let runtime = runtime();
        let here = EventLoop::from(runtime.handle().clone());
        let own = EventLoop::new().unwrap();
        for object in [here, elsewhere, own.clone()] {
            let wait = async move { place(&object).wait() };
            assert_eq!(runtime.block_on(wait), Err(WaitError::InAsyncCode));
        }
        let same = own.clone();
        let nested = own.run_until(async move { place(&same).wait() });
        assert_eq!(nested, Ok(Err(WaitError::InAsyncCode)));
    }

    #[test]
    fn a_thread_for_what_blocks_may_wait_for_the_loop_beside_it() {
        let runtime = runtime();
        let object = EventLoop::from(runtime.handle().clone());
        let same = object.clone();
        let waited = runtime.block_on(async move {
            let wait = move || place(&same).wait();
            tokio::task::spawn_blocking(wait).await.unwrap()
        });
        assert_eq!(waited, Ok(object));
    }

    #[test]
    fn dropping_it_drops_the_work_on_the_other_loop() {
        let (elsewhere, _until) = running();
        for object in [elsewhere, EventLoop::new().unwrap()] {
            let (begun, has_begun) = oneshot::channel();
            let (kept, is_dropped) = oneshot::channel::<()>();
            let mut task = Task::new(&object, async move {
                let _ = begun.send(());
                std::future::pending::<()>().await;
                drop(kept);
            });
            let dropped = runtime().block_on(async move {
                tokio::select! {
                    () = &mut task => return false,
                    _ = has_begun => {}
                }
                drop(task);
                is_dropped.await.is_err()
            });
            assert!(dropped);
        }
    }

    #[test]
    fn a_panic_goes_on_where_it_is_awaited_or_waited_for() {
        let (elsewhere, _until) = running();
        for object in [elsewhere, EventLoop::new().unwrap()] {
            let task = || Task::new(&object, async { panic!("of the work") });
            let awaited = || -> () { runtime().block_on(task()) };
            let waited = || -> () { task().wait().unwrap() };
            let unwinds: [&dyn Fn(); 2] = [&awaited, &waited];
            for unwind in unwinds {
                let unwind = std::panic::AssertUnwindSafe(unwind);
                let panic = std::panic::catch_unwind(unwind).unwrap_err();
                assert_eq!(pulsar_model::panic_message(&*panic), "of the work");
            }
        }
    }

    #[test]
    fn the_end_of_its_loop_is_an_error() {
        let (elsewhere, until) = running();
        let (begun, has_begun) = oneshot::channel();
        let task = Task::new(&elsewhere, async move {
            let _ = begun.send(());
            std::future::pending::<()>().await;
        });
        let end = async move {
            has_begun.await.unwrap();
            drop(until);
        };
        let both = async { tokio::join!(task.outcome(), end) };
        assert_eq!(runtime().block_on(both).0, Err(LoopEnded));
        assert_eq!(place(&elsewhere).wait(), Err(WaitError::LoopEnded));
    }

    #[test]
    fn many_tasks_that_are_awaited_elsewhere_leave_room_for_what_blocks() {
        let own = EventLoop::new().unwrap();
        let blocks = || {
            Task::new(&own, async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                tokio::task::spawn_blocking(|| 1).await.unwrap()
            })
        };
        let tasks: Vec<_> = (0..100).map(|_| blocks()).collect();
        let all = async move {
            let all = futures_util::future::join_all(tasks);
            tokio::time::timeout(Duration::from_secs(20), all).await
        };
        assert_eq!(runtime().block_on(all).map(|all| all.len()), Ok(100));
    }
}
