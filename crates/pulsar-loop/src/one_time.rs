//! An event that happens once.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use parking_lot::Mutex;
use pulsar_model::{HookOutput, Result, panic_message};
use tokio::sync::oneshot;

use crate::handler::{Binding, MAX_HANDLERS, TooManyHandlers, log_failure};
use crate::{AsyncObject, EventLoop};

/// An event that happens once, with a value: the connection is made, the actor starts. Its handlers
/// are asynchronous, and each waits for the one before. Clones are the same event.
///
/// ```
/// use pulsar_loop::{EventLoop, OneTime};
///
/// let event_loop = EventLoop::new()?;
/// let started = OneTime::new("started", event_loop.clone());
/// started.bind(|port: u16| async move { println!("serving on {port}") })?;
/// let waiter = started.waiter();
/// event_loop.run_until(async move { started.fire(8060).await })??;
/// assert_eq!(event_loop.run_until(waiter)?, Ok(8060));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OneTime<T>(Arc<Shared<T>>);

struct Shared<T> {
    name: String,
    event_loop: EventLoop,
    /// Runs the handlers that are bound too late to be fired; on the loop, without.
    runner: Option<Runner>,
    state: Mutex<State<T>>,
}

/// Runs a future on an event's loop, as a part of whatever the event belongs to.
pub type Runner = Box<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

enum State<T> {
    Unfired {
        handlers: Vec<(u64, Handler<T>)>,
        next: u64,
        waiters: Vec<oneshot::Sender<T>>,
    },
    Fired(T),
}

type Handler<T> = Box<dyn FnOnce(T) -> HandlerFuture + Send>;
type HandlerFuture = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// The event has been fired before: it happens once.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "event {event:?} has been fired before, and happens once: make a new one, or ask `fired` first"
)]
pub struct AlreadyFired {
    /// The name of the event.
    pub event: String,
}

/// The event is gone, and was never fired.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the event is gone and was never fired: keep a clone of it where it is to be fired")]
pub struct EventDropped;

impl<T: Clone + Send + 'static> OneTime<T> {
    /// An event that has not happened. What binds later than it fires is called on `event_loop`.
    pub fn new(name: impl Into<String>, event_loop: EventLoop) -> Self {
        Self::make(name.into(), event_loop, None)
    }

    /// The same; what binds later than it fires is handed to `runner`.
    pub fn with_runner(name: impl Into<String>, event_loop: EventLoop, runner: Runner) -> Self {
        Self::make(name.into(), event_loop, Some(runner))
    }

    fn make(name: String, event_loop: EventLoop, runner: Option<Runner>) -> Self {
        Self(Arc::new(Shared {
            name,
            event_loop,
            runner,
            state: Mutex::new(State::Unfired {
                handlers: Vec::new(),
                next: 0,
                waiters: Vec::new(),
            }),
        }))
    }

    /// The event's name, as the log has it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Has `handler` called with the value when the event is fired, after those that were bound
    /// before. If it has been fired the handler is called at once, on the event's loop, and waits for
    /// nobody.
    ///
    /// # Errors
    ///
    /// [`TooManyHandlers`] beyond [`MAX_HANDLERS`].
    pub fn bind<H, Fut>(&self, handler: H) -> Result<Binding, TooManyHandlers>
    where
        H: FnOnce(T) -> Fut + Send + 'static,
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        let handler: Handler<T> = Box::new(|value| {
            let future = handler(value);
            Box::pin(async move { future.await.into_result() })
        });
        let value = match &mut *self.0.state.lock() {
            State::Fired(value) => value.clone(),
            State::Unfired { handlers, next, .. } => {
                if handlers.len() >= MAX_HANDLERS {
                    let event = self.0.name.clone();
                    return Err(TooManyHandlers { event });
                }
                *next += 1;
                handlers.push((*next, handler));
                return Ok(Binding(*next));
            }
        };
        let event = self.0.name.clone();
        let call = async move { call(&event, handler, value).await };
        match &self.0.runner {
            Some(runner) => runner(Box::pin(call)),
            None => drop(self.0.event_loop.spawn(call)),
        }
        Ok(Binding(0))
    }

    /// Takes all handlers out that have not been called.
    pub fn clear(&self) {
        // Dropped outside of the lock: what they hold may come back here as it goes.
        let taken = match &mut *self.0.state.lock() {
            State::Fired(_) => Vec::new(),
            State::Unfired { handlers, .. } => std::mem::take(handlers),
        };
        drop(taken);
    }

    /// Takes a handler out. False if it is not there: it was taken out before, or the event has been
    /// fired, and its handlers with it.
    pub fn unbind(&self, binding: Binding) -> bool {
        // Dropped outside of the lock: what it holds may come back here as it goes.
        let taken = match &mut *self.0.state.lock() {
            State::Fired(_) => None,
            State::Unfired { handlers, .. } => {
                let at = handlers.iter().position(|(id, _)| *id == binding.0);
                at.map(|at| handlers.remove(at))
            }
        };
        taken.is_some()
    }

    /// Whether the event has been fired.
    pub fn fired(&self) -> bool {
        matches!(&*self.0.state.lock(), State::Fired(_))
    }

    /// Fires the event: from here on it has happened, whoever waits gets the value, and the handlers
    /// are awaited, one after the other in the order in which they were bound. An error or a panic of
    /// one is logged and keeps nobody from the rest.
    ///
    /// # Errors
    ///
    /// [`AlreadyFired`], at the second time.
    ///
    /// # Cancel safety
    ///
    /// Once begun the event has happened. Handlers that were not reached are not called then.
    pub async fn fire(&self, value: T) -> Result<(), AlreadyFired> {
        let Some((handlers, waiters)) = self.happen(&value) else {
            let event = self.0.name.clone();
            return Err(AlreadyFired { event });
        };
        for waiter in waiters {
            drop(waiter.send(value.clone()));
        }
        for (_, handler) in handlers {
            call(&self.0.name, handler, value.clone()).await;
        }
        Ok(())
    }

    fn happen(&self, value: &T) -> Option<Unfired<T>> {
        let mut state = self.0.state.lock();
        let State::Unfired {
            handlers, waiters, ..
        } = &mut *state
        else {
            return None;
        };
        let taken = (std::mem::take(handlers), std::mem::take(waiters));
        *state = State::Fired(value.clone());
        Some(taken)
    }

    /// Waits for the event's value, also if it has been fired.
    pub fn waiter(&self) -> Waiter<T> {
        let (tell, told) = oneshot::channel();
        match &mut *self.0.state.lock() {
            State::Fired(value) => drop(tell.send(value.clone())),
            State::Unfired { waiters, .. } => {
                // Those who gave up take no room.
                waiters.retain(|waiter| !waiter.is_closed());
                waiters.push(tell);
            }
        }
        Waiter(told)
    }
}

/// What was bound to an event, and who waits for it.
type Unfired<T> = (Vec<(u64, Handler<T>)>, Vec<oneshot::Sender<T>>);

async fn call<T>(event: &str, handler: Handler<T>, value: T) {
    // Unwind safe: the handler is only dropped after a panic. The call itself is inside: it may
    // panic before there is a future.
    let outcome = AssertUnwindSafe(async move { handler(value).await });
    let outcome = outcome.catch_unwind().await;
    log_failure(
        event,
        outcome.map_err(|panic| panic_message(&*panic).to_owned()),
    );
}

/// Waits for the value of a [`OneTime`] event.
#[must_use = "it waits when it is awaited"]
#[derive(Debug)]
pub struct Waiter<T>(oneshot::Receiver<T>);

impl<T> Future for Waiter<T> {
    type Output = Result<T, EventDropped>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let value = Pin::new(&mut self.0).poll(cx);
        value.map_err(|_| EventDropped)
    }
}

impl<T> AsyncObject for OneTime<T> {
    fn event_loop(&self) -> EventLoop {
        self.0.event_loop.clone()
    }
}

impl<T> Clone for OneTime<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> std::fmt::Debug for OneTime<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OneTime({:?})", self.0.name)
    }
}

#[cfg(test)]
mod tests {
    use pulsar_model::Error;

    use super::*;

    fn event() -> (EventLoop, OneTime<u8>) {
        let event_loop = EventLoop::new().unwrap();
        (event_loop.clone(), OneTime::new("done", event_loop))
    }

    fn fire(event_loop: &EventLoop, event: &OneTime<u8>, value: u8) -> Result<(), AlreadyFired> {
        let event = event.clone();
        event_loop
            .run_until(async move { event.fire(value).await })
            .unwrap()
    }

    /// Handlers note what they were called with.
    fn noting(
        notes: &Arc<Mutex<Vec<String>>>,
        who: &'static str,
    ) -> impl FnOnce(u8) -> NotedFuture + use<> {
        let notes = Arc::clone(notes);
        move |value| {
            Box::pin(async move {
                tokio::task::yield_now().await;
                notes.lock().push(format!("{who} {value}"));
            })
        }
    }

    type NotedFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    #[test]
    fn handlers_are_awaited_in_order_and_failures_skip_nobody() {
        let (event_loop, event) = event();
        let notes = Arc::default();
        event.bind(noting(&notes, "first")).unwrap();
        event.bind(|_| async { Err(Error::msg("wrong")) }).unwrap();
        let panics = |_| -> NotedFuture { Box::pin(async { panic!("as it is meant to") }) };
        event.bind(panics).unwrap();
        let never = |_| -> NotedFuture { panic!("before there is a future") };
        event.bind(never).unwrap();
        let out = event.bind(noting(&notes, "taken out")).unwrap();
        event.bind(noting(&notes, "last")).unwrap();
        assert!(event.unbind(out));
        assert!(!event.unbind(out));
        assert_eq!(fire(&event_loop, &event, 7), Ok(()));
        assert_eq!(*notes.lock(), ["first 7", "last 7"]);
    }

    #[test]
    fn it_happens_once_and_late_handlers_are_called_at_once() {
        let (event_loop, event) = event();
        assert!(!event.fired());
        fire(&event_loop, &event, 1).unwrap();
        assert!(event.fired());
        let again = fire(&event_loop, &event, 2);
        assert_eq!(again.unwrap_err().event, "done");
        let (tell, told) = oneshot::channel();
        let late = move |value| async move {
            let _ = tell.send(value);
        };
        let late = event.bind(late).unwrap();
        assert_eq!(event_loop.run_until(told).unwrap(), Ok(1));
        assert!(!event.unbind(late));
    }

    #[test]
    fn a_handler_may_bind_and_fire_itself() {
        let (event_loop, event) = event();
        let (tell, told) = oneshot::channel();
        let same = event.clone();
        let handler = move |_| async move {
            let again = same.fire(2).await.is_err();
            let inner = move |value| async move {
                let _ = tell.send((again, value));
            };
            same.bind(inner).unwrap();
        };
        event.bind(handler).unwrap();
        fire(&event_loop, &event, 1).unwrap();
        assert_eq!(event_loop.run_until(told).unwrap(), Ok((true, 1)));
    }

    #[test]
    fn waiters_get_the_value_or_learn_that_there_will_be_none() {
        let (event_loop, event) = event();
        let (early, lost) = (
            event.waiter(),
            OneTime::<u8>::new("lost", event_loop.clone()),
        );
        fire(&event_loop, &event, 3).unwrap();
        let late = event.waiter();
        assert_eq!(event_loop.run_until(early), Ok(Ok(3)));
        assert_eq!(event_loop.run_until(late), Ok(Ok(3)));
        let waiter = lost.waiter();
        drop(lost);
        assert_eq!(event_loop.run_until(waiter), Ok(Err(EventDropped)));
    }

    #[test]
    fn handlers_are_bounded() {
        let (_event_loop, event) = event();
        for _ in 0..MAX_HANDLERS {
            event.bind(|_| async {}).unwrap();
        }
        let one_more = event.bind(|_| async {});
        assert_eq!(one_more.unwrap_err().event, "done");
    }
}
