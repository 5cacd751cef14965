//! An event that happens again and again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, ReentrantMutex};
use pulsar_model::{HookOutput, Result, panic_message};

use crate::handler::{Binding, MAX_HANDLERS, TooManyHandlers, log_failure};

/// How long a fire waits for another that is under way on another thread.
const LONGEST_TURN: Duration = Duration::from_secs(1);

/// An event that happens again and again, with something that its handlers may change: an info that
/// they add to, the parameters of a spawn. Its handlers are synchronous. Clones are the same event.
///
/// A handler may do with the event whatever it likes. One that is bound during a fire is called
/// from the next fire on, one that is unbound is not called any more, and a fire inside a handler
/// calls all but the handlers that are being called. Fires on different threads take turns; one that waits
/// for its turn longer than a second is left out, and logged.
///
/// ```
/// use pulsar_loop::ManyTimes;
///
/// let on_info = ManyTimes::<Vec<String>>::new("on_info");
/// on_info.bind(|info| info.push("hello".to_owned()))?;
/// let mut info = Vec::new();
/// on_info.fire(&mut info);
/// on_info.fire(&mut info);
/// assert_eq!(info, ["hello", "hello"]);
/// # Ok::<(), pulsar_loop::TooManyHandlers>(())
/// ```
pub struct ManyTimes<T: ?Sized>(Arc<Shared<T>>);

struct Shared<T: ?Sized> {
    name: String,
    handlers: Mutex<Handlers<T>>,
    /// Held by whoever fires, so that a handler that is busy under it is busy further up.
    turn: ReentrantMutex<()>,
}

struct Handlers<T: ?Sized> {
    bound: Vec<Arc<Bound<T>>>,
    next: u64,
}

struct Bound<T: ?Sized> {
    id: u64,
    unbound: AtomicBool,
    handler: Mutex<Handler<T>>,
}

type Handler<T> = Box<dyn FnMut(&mut T) -> Result<()> + Send>;

impl<T: ?Sized> ManyTimes<T> {
    /// An event without handlers.
    pub fn new(name: impl Into<String>) -> Self {
        Self(Arc::new(Shared {
            name: name.into(),
            handlers: Mutex::new(Handlers {
                bound: Vec::new(),
                next: 0,
            }),
            turn: ReentrantMutex::new(()),
        }))
    }

    /// The event's name, as the log has it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Has `handler` called at each fire, after those that were bound before.
    ///
    /// # Errors
    ///
    /// [`TooManyHandlers`] beyond [`MAX_HANDLERS`].
    pub fn bind<O: HookOutput>(
        &self,
        mut handler: impl FnMut(&mut T) -> O + Send + 'static,
    ) -> Result<Binding, TooManyHandlers> {
        let mut handlers = self.0.handlers.lock();
        if handlers.bound.len() >= MAX_HANDLERS {
            let event = self.0.name.clone();
            return Err(TooManyHandlers { event });
        }
        handlers.next += 1;
        let id = handlers.next;
        handlers.bound.push(Arc::new(Bound {
            id,
            unbound: AtomicBool::new(false),
            handler: Mutex::new(Box::new(move |value: &mut T| handler(value).into_result())),
        }));
        Ok(Binding(id))
    }

    /// Takes a handler out. False if it is not there any more.
    pub fn unbind(&self, binding: Binding) -> bool {
        let taken = {
            let bound = &mut self.0.handlers.lock().bound;
            let at = bound.iter().position(|bound| bound.id == binding.0);
            at.map(|at| bound.remove(at))
        };
        // Dropped outside of the lock: what the handler holds may come back here as it goes.
        taken.is_some_and(|bound| !bound.unbound.swap(true, Ordering::AcqRel))
    }

    /// Takes all handlers out.
    pub fn clear(&self) {
        let taken = std::mem::take(&mut self.0.handlers.lock().bound);
        for bound in taken {
            bound.unbound.store(true, Ordering::Release);
        }
    }

    /// How many handlers are bound.
    pub fn handlers(&self) -> usize {
        self.0.handlers.lock().bound.len()
    }

    /// Fires the event: calls the handlers with `value`, in the order in which they were bound. An
    /// error or a panic of one is logged and keeps nobody from the rest.
    pub fn fire(&self, value: &mut T) {
        // Bounded: handlers of two events may fire each the other's, on two threads.
        let Some(_turn) = self.0.turn.try_lock_for(LONGEST_TURN) else {
            tracing::error!(
                event = self.0.name,
                "event not fired: a handler on another thread takes too long"
            );
            return;
        };
        let bound = self.0.handlers.lock().bound.clone();
        for bound in bound {
            if !bound.unbound.load(Ordering::Acquire) {
                self.call(&bound, value);
            }
        }
    }

    fn call(&self, bound: &Bound<T>, value: &mut T) {
        // The turn is ours: a handler that is busy is the one, on this thread, that we are in.
        let Some(mut handler) = bound.handler.try_lock() else {
            return;
        };
        // Unwind safe as far as it is ours: what the handler leaves half done is its own.
        let outcome = catch_unwind(AssertUnwindSafe(|| handler(value)));
        drop(handler);
        log_failure(
            &self.0.name,
            outcome.map_err(|panic| panic_message(&*panic).to_owned()),
        );
    }
}

impl<T: ?Sized> Clone for ManyTimes<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> std::fmt::Debug for ManyTimes<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ManyTimes({:?})", self.0.name)
    }
}

#[cfg(test)]
mod tests {
    use pulsar_model::Error;

    use super::*;

    fn fire(event: &ManyTimes<Vec<u8>>) -> Vec<u8> {
        let mut value = Vec::new();
        event.fire(&mut value);
        value
    }

    #[test]
    fn handlers_are_called_in_order_each_time_and_failures_skip_nobody() {
        let event = ManyTimes::<Vec<u8>>::new("changed");
        event.bind(|value| value.push(1)).unwrap();
        event.bind(|_| Err(Error::msg("wrong"))).unwrap();
        event
            .bind(|_| -> () { panic!("as it is meant to") })
            .unwrap();
        let mut count = 9;
        let counting = move |value: &mut Vec<u8>| {
            count += 1;
            value.push(count);
        };
        let counting = event.bind(counting).unwrap();
        assert_eq!(event.handlers(), 4);
        assert_eq!(fire(&event), [1, 10]);
        assert_eq!(fire(&event), [1, 11]);
        assert!(event.unbind(counting));
        assert!(!event.unbind(counting));
        assert_eq!(fire(&event), [1]);
        event.clear();
        assert_eq!((event.handlers(), fire(&event)), (0, vec![]));
    }

    #[test]
    fn a_handler_may_bind_unbind_and_fire() {
        let event = ManyTimes::<Vec<u8>>::new("changed");
        let (same, later) = (event.clone(), Arc::new(Mutex::new(None)));
        let unbinds = Arc::clone(&later);
        let handler = move |value: &mut Vec<u8>| {
            value.push(1);
            let out = unbinds.lock().take();
            out.map(|out| same.unbind(out));
            same.fire(value);
            same.bind(|value| value.push(3)).unwrap();
        };
        event.bind(handler).unwrap();
        event.bind(|value| value.push(2)).unwrap();
        *later.lock() = Some(event.bind(|value| value.push(99)).unwrap());
        // The first, then by its own fire the second, then the second itself.
        assert_eq!(fire(&event), [1, 2, 2]);
        assert_eq!(fire(&event), [1, 2, 3, 2, 3]);
    }

    #[test]
    fn handlers_are_bounded() {
        let event = ManyTimes::<str>::new("changed");
        for _ in 0..MAX_HANDLERS {
            event.bind(|_| ()).unwrap();
        }
        assert_eq!(event.bind(|_| ()).unwrap_err().event, "changed");
    }
}
