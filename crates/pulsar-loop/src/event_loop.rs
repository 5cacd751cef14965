//! The handle to an event loop.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use pulsar_model::panic_message;
use tokio::runtime::{Builder, Handle, Id, Runtime};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::delivery::deliver;
use crate::driven::Driven;
use crate::seat::{self, Seat};
use crate::waiting::{WaitError, wait_parked};

/// Threads that a loop of one's own may have for what blocks.
const MAX_BLOCKING_THREADS: usize = 64;

/// A handle to an event loop: that of the running actor, or one of one's own. Cheap to clone.
///
/// Two handles are equal if they are of the same loop.
///
/// ```
/// use pulsar_loop::EventLoop;
///
/// let event_loop = EventLoop::new()?;
/// assert!(!event_loop.is_running()); // it runs while somebody waits
/// let inside = event_loop.run_until(async { EventLoop::current() })??;
/// assert_eq!(inside, event_loop);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EventLoop(Arc<Inner>);

struct Inner {
    handle: Handle,
    own: Option<OwnLoop>,
}

/// A loop that runs only while somebody waits on it.
struct OwnLoop {
    /// Always there until the drop.
    runtime: Option<Runtime>,
    /// How many wait on it now.
    drivers: AtomicUsize,
    /// What is awaited elsewhere.
    driven: Driven,
}

/// There is no event loop here: neither was one installed on this thread, nor does one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no event loop runs here: call this in an actor, or make a loop with `EventLoop::new()`")]
pub struct NoEventLoop;

impl EventLoop {
    /// The loop of this thread: that of the actor, in its own code and on the threads of its
    /// executor; else the tokio runtime that runs here.
    ///
    /// # Errors
    ///
    /// [`NoEventLoop`] on a thread without one.
    pub fn current() -> Result<Self, NoEventLoop> {
        if let Some(installed) = seat::installed() {
            return Ok(installed);
        }
        Handle::try_current()
            .map(Self::from)
            .map_err(|_| NoEventLoop)
    }

    /// A fresh loop of one's own. It runs only while somebody waits on it: in
    /// [`run_until`](Self::run_until), in [`Task::wait`](crate::Task::wait), or by awaiting a task of
    /// an object on it. It ends with its last handle; what was spawned on it is dropped then, unless
    /// that holds a handle itself.
    ///
    /// # Errors
    ///
    /// The system's, if there are no descriptors left for it.
    pub fn new() -> io::Result<Self> {
        Self::fresh(None)
    }

    /// A fresh loop on whose threads another one is installed: that of the actor.
    pub(crate) fn installing(installed: &Self) -> io::Result<Self> {
        Self::fresh(Some(installed.clone()))
    }

    fn fresh(installed: Option<Self>) -> io::Result<Self> {
        // Its threads for what blocks know it as well. They do not keep it: they outlive their work.
        let itself = Arc::new(std::sync::OnceLock::<Weak<Inner>>::new());
        let known = Arc::clone(&itself);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .on_thread_start(move || match (&installed, known.get()) {
                (Some(installed), _) => install_for_good(installed),
                (None, Some(own)) => seat::install_weak(WeakLoop(own.clone())),
                (None, None) => {}
            })
            .build()?;
        let inner = Arc::new(Inner {
            handle: runtime.handle().clone(),
            own: Some(OwnLoop {
                runtime: Some(runtime),
                drivers: AtomicUsize::new(0),
                driven: Driven::default(),
            }),
        });
        let _ = itself.set(Arc::downgrade(&inner));
        Ok(Self(inner))
    }

    /// The loop that answers to [`current`](Self::current) on a CPU thread is the actor's; this one
    /// is the thread's own, which takes the jobs: the *request loop*. `None` on all other threads.
    pub fn request_loop() -> Option<Self> {
        seat::request_loop()
    }

    /// Runs a future on the loop. Dropping the handle does not stop it.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.handle.spawn(future)
    }

    /// Calls `call` on the loop after `delay`, which counts from now. Its panic is logged.
    ///
    /// ```
    /// # use pulsar_loop::EventLoop;
    /// # use std::time::Duration;
    /// let event_loop = EventLoop::new()?;
    /// let (told, hears) = tokio::sync::oneshot::channel();
    /// event_loop.call_later(Duration::from_millis(1), || { let _ = told.send("now"); });
    /// let never = event_loop.call_later(Duration::from_secs(60), || unreachable!());
    /// never.cancel();
    /// assert_eq!(event_loop.run_until(hears)?, Ok("now"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn call_later(&self, delay: Duration, call: impl FnOnce() + Send + 'static) -> Timer {
        let due = Instant::now().checked_add(delay);
        Timer(self.spawn(async move {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
            // Unwind safe: nothing of ours is used by it.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
                tracing::error!(message = panic_message(&*panic), "timed call panicked");
            }
        }))
    }

    /// True while the loop runs: one of one's own while somebody waits on it, any other until it
    /// has ended.
    pub fn is_running(&self) -> bool {
        match &self.0.own {
            Some(own) => own.drivers.load(Ordering::Acquire) > 0,
            None => !self.has_ended(),
        }
    }

    /// Runs the future on this loop and waits for it, in synchronous code. A loop of one's own is
    /// driven here; on a loop that runs elsewhere the future is run there.
    ///
    /// # Errors
    ///
    /// [`WaitError::InAsyncCode`] where waiting would hold an event loop, whichever: on a thread
    /// that runs one, in async code. Threads of an executor (in closures), those of
    /// `spawn_blocking`, and threads without any loop may wait. [`WaitError::LoopEnded`] if the loop
    /// ends first.
    ///
    /// # Panics
    ///
    /// If the future panics: with that panic.
    pub fn run_until<F>(&self, future: F) -> Result<F::Output, WaitError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.wait_for(future, None)
    }

    pub(crate) fn wait_for<F>(
        &self,
        future: F,
        limit: Option<Duration>,
    ) -> Result<F::Output, WaitError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        seat::may_wait()?;
        if self.0.own.is_none() {
            let (work, delivery) = deliver(future);
            drop(self.spawn(work));
            return wait_parked(delivery, limit);
        }
        self.drive(seat::drives(self), async move {
            match limit {
                None => Ok(future.await),
                Some(limit) => tokio::time::timeout(limit, future)
                    .await
                    .map_err(|_| WaitError::TimedOut { after: limit }),
            }
        })
    }

    /// Drives a loop of one's own on this thread until `future` is ready. If others drive it as
    /// well, one of all these threads runs the loop at a time, and goes on where another leaves.
    pub(crate) fn drive<F: Future>(&self, seat: Seat, future: F) -> F::Output {
        let own = self.0.own.as_ref();
        let own = own.expect("only a loop of one's own is driven by us");
        let runtime = own.runtime.as_ref().expect("it is there until the drop");
        own.drivers.fetch_add(1, Ordering::AcqRel);
        let _driver = Driver(&own.drivers);
        let output = runtime.block_on(future);
        drop(seat);
        output
    }

    /// Runs `work` on the loop; one of one's own, which nobody may be driving, is driven by a thread
    /// for as long as there is such work. One thread for all of it: those for what blocks are few, and
    /// the work may need them.
    pub(crate) fn run_driven(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Some(own) = &self.0.own else {
            drop(self.spawn(work));
            return;
        };
        let (counted, until) = own.driven.begin();
        drop(self.spawn(async move {
            work.await;
            drop(counted);
        }));
        if let Some(until) = until {
            let itself = self.clone();
            let drive = move || itself.drive(seat::drives(&itself), until);
            drop(self.0.handle.spawn_blocking(drive));
        }
    }

    /// True in the loop's own async code.
    pub(crate) fn runs_here(&self) -> bool {
        let driven = self.0.own.as_ref();
        let driven = driven.is_none_or(|own| own.drivers.load(Ordering::Acquire) > 0);
        driven && Handle::try_current().is_ok_and(|here| here.id() == self.id())
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0.handle
    }

    fn id(&self) -> Id {
        self.0.handle.id()
    }

    /// A loop that has ended drops what is spawned on it at once, unpolled.
    fn has_ended(&self) -> bool {
        let polled = Arc::new(AtomicBool::new(false));
        let (probe, kept) = (Arc::clone(&polled), Arc::downgrade(&polled));
        drop(self.spawn(async move { probe.store(true, Ordering::Release) }));
        kept.strong_count() == 1 && !polled.load(Ordering::Acquire)
    }
}

/// On a thread that is the loop's for as long as it lives.
fn install_for_good(event_loop: &EventLoop) {
    seat::install(event_loop).keep();
}

impl From<Handle> for EventLoop {
    /// The loop of a tokio runtime. It is taken to run: to wait in synchronous code for what is to run on
    /// a runtime that nobody drives does not end, unless the wait has a bound.
    fn from(handle: Handle) -> Self {
        Self(Arc::new(Inner { handle, own: None }))
    }
}

impl PartialEq for EventLoop {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for EventLoop {}

impl std::fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EventLoop({})", self.id())
    }
}

/// A loop of one's own that is known and not kept.
#[derive(Clone)]
pub(crate) struct WeakLoop(Weak<Inner>);

impl WeakLoop {
    pub(crate) fn upgrade(&self) -> Option<EventLoop> {
        self.0.upgrade().map(EventLoop)
    }
}

/// Somebody who waits on a loop of his own.
struct Driver<'a>(&'a AtomicUsize);

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for OwnLoop {
    fn drop(&mut self) {
        // Without waiting: this may be async code, where tokio refuses to wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A call to come. Dropping it changes nothing.
#[derive(Debug)]
pub struct Timer(JoinHandle<()>);

impl Timer {
    /// The call is not made, unless it has been.
    pub fn cancel(&self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    fn tokio_runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn handles_are_equal_if_they_are_of_the_same_loop() {
        let (one, other) = (EventLoop::new().unwrap(), EventLoop::new().unwrap());
        assert_eq!(one, one.clone());
        assert_ne!(one, other);
        assert_eq!(one, EventLoop::from(one.handle().clone()));
    }

    #[test]
    fn the_current_loop_is_the_installed_one_else_tokios_else_none() {
        assert_eq!(EventLoop::current(), Err(NoEventLoop));
        let runtime = tokio_runtime();
        let of_runtime = EventLoop::from(runtime.handle().clone());
        let own = EventLoop::new().unwrap();
        let current = || async { EventLoop::current() };
        assert_eq!(runtime.block_on(current()), Ok(of_runtime));
        assert_eq!(own.run_until(current()), Ok(Ok(own.clone())));
        let blocking = tokio::task::spawn_blocking;
        let of_blocking = own.run_until(async move { blocking(EventLoop::current).await });
        assert_eq!(of_blocking.unwrap().unwrap(), Ok(own.clone()));
        let _seat = seat::install(&own);
        assert_eq!(runtime.block_on(current()), Ok(own));
    }

    #[test]
    fn a_loop_of_ones_own_runs_while_somebody_waits() {
        let own = EventLoop::new().unwrap();
        let same = own.clone();
        assert!(!own.is_running());
        assert_eq!(own.run_until(async move { same.is_running() }), Ok(true));
        assert!(!own.is_running());
    }

    #[test]
    fn a_loop_that_has_ended_says_so() {
        let runtime = tokio_runtime();
        let event_loop = EventLoop::from(runtime.handle().clone());
        assert!(event_loop.is_running());
        drop(runtime);
        assert!(!event_loop.is_running());
        let waited = event_loop.run_until(async {});
        assert_eq!(waited, Err(WaitError::LoopEnded));
    }

    #[test]
    fn who_waits_for_a_loop_that_ends_is_told() {
        let runtime = tokio_runtime();
        let event_loop = EventLoop::from(runtime.handle().clone());
        let (begun, has_begun) = oneshot::channel();
        let waits = std::thread::spawn(move || {
            event_loop.run_until(async move {
                let _ = begun.send(());
                std::future::pending::<()>().await;
            })
        });
        runtime.block_on(has_begun).unwrap();
        drop(runtime);
        assert_eq!(waits.join().unwrap(), Err(WaitError::LoopEnded));
    }

    #[test]
    fn two_threads_may_wait_on_one_loop() {
        let own = EventLoop::new().unwrap();
        let (tell, told) = oneshot::channel();
        let (begun, has_begun) = mpsc::channel();
        let other = own.clone();
        let waits = std::thread::spawn(move || {
            other.run_until(async move {
                begun.send(()).unwrap();
                told.await
            })
        });
        has_begun.recv().unwrap();
        let here = own.run_until(async move { tell.send(5) });
        assert_eq!(here, Ok(Ok(())));
        assert_eq!(waits.join().unwrap(), Ok(Ok(5)));
    }

    #[test]
    fn a_timed_call_that_panics_ends_no_loop() {
        let own = EventLoop::new().unwrap();
        let timer = own.call_later(Duration::ZERO, || panic!("as it is meant to"));
        assert_eq!(own.run_until(async { timer.0.await.is_ok() }), Ok(true));
        own.call_later(Duration::MAX, || ()).cancel();
        assert_eq!(own.run_until(async { 1 }), Ok(1));
    }

    #[test]
    fn the_last_handle_may_be_dropped_anywhere() {
        let own = EventLoop::new().unwrap();
        let inside = own.clone();
        own.run_until(async move { drop(inside) }).unwrap();
        tokio_runtime().block_on(async move { drop(own) });
        let own = EventLoop::new().unwrap();
        let within = own.clone();
        // What it runs holds it, and is dropped with the other loop.
        tokio_runtime().spawn(async move {
            drop(own);
        });
        drop(within);
    }
}
