//! The threads of an actor that compute, beside the one that does I/O.

use std::future::Future;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use pulsar_model::ExecutorInfo;
use tokio_util::sync::CancellationToken;

use crate::job::{Job, JobError, Unrun, Work, closure_work, future_work};
use crate::job_queue::{JobQueue, Room};
use crate::{AsyncObject, EventLoop, request_loop};

/// CPU threads for work that would hold an event loop, each with a *request loop* that takes jobs
/// from one bounded queue. Clones are the same executor; it is closed when the last is dropped.
///
/// A job is a closure, or a future. In both [`EventLoop::current`] is the loop that the executor was
/// made with, the actor's, and [`EventLoop::request_loop`] the thread's own. A closure may
/// [`wait`](crate::Task::wait) for tasks, and what tokio's functions spawn in it runs on the actor's
/// loop. A future runs on the thread's own loop, beside others, with timers and I/O; it must not wait,
/// and stands still while its thread runs a closure.
///
/// ```
/// use pulsar_loop::{EventLoop, Executor};
///
/// let event_loop = EventLoop::new()?;
/// let executor = Executor::new("sums", 2, event_loop.clone());
/// let sum = event_loop.run_until(async move {
///     executor.run(|| (1..=1_000_u64).sum::<u64>()).await
/// })?;
/// assert_eq!(sum, Ok(500_500));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Executor(Arc<Closer>);

/// Closes the executor with its last handle. Its threads do not hold it.
struct Closer(Arc<Shared>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) event_loop: EventLoop,
    pub(crate) queue: JobQueue,
    pub(crate) closed: CancellationToken,
    /// Threads that run a job now.
    pub(crate) busy: AtomicUsize,
    /// How many threads there are to be.
    threads: usize,
    /// How many were made, once they were.
    started: Mutex<Option<usize>>,
    /// The first thing that each does.
    pub(crate) begin: Box<dyn Fn() + Send + Sync>,
}

impl Executor {
    /// Most threads that one executor has.
    pub const MAX_THREADS: usize = 256;
    /// Jobs that may wait for a thread: enough to keep all of them busy, and few enough that they
    /// are not all too late.
    pub const QUEUE_CAPACITY: usize = 1024;
    /// Futures that one thread runs at once. While it runs so many it takes no further job of either kind.
    pub const MAX_FUTURES: usize = 256;

    /// An executor with so many threads, between one and [`MAX_THREADS`](Self::MAX_THREADS), of this
    /// name. They are made when the first job comes.
    pub fn new(name: impl Into<String>, threads: usize, event_loop: EventLoop) -> Self {
        Self::with_thread_start(name, threads, event_loop, || ())
    }

    /// The same, and each of its threads begins with `begin`, which does not panic.
    pub fn with_thread_start(
        name: impl Into<String>,
        threads: usize,
        event_loop: EventLoop,
        begin: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Closer(Arc::new(Shared {
            name: name.into(),
            event_loop,
            queue: JobQueue::new(Self::QUEUE_CAPACITY),
            closed: CancellationToken::new(),
            busy: AtomicUsize::new(0),
            threads: threads.clamp(1, Self::MAX_THREADS),
            started: Mutex::new(None),
            begin: Box::new(begin),
        }))))
    }

    /// How many threads an executor has where nobody says: as many as there are cores.
    pub fn default_threads() -> usize {
        // Kept: to find it out takes files to be read.
        static CORES: LazyLock<usize> = LazyLock::new(|| {
            let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
            cores.min(Executor::MAX_THREADS)
        });
        *CORES
    }

    /// Runs a closure on one of the threads; waits for room in the queue, then for the result.
    ///
    /// # Errors
    ///
    /// [`JobError::Panicked`] if it panics, which costs the job alone; [`JobError::Closed`];
    /// [`JobError::NoThread`].
    ///
    /// # Cancel safety
    ///
    /// If it is dropped the closure is not run, unless it has begun: that cannot be stopped.
    pub async fn run<T, F>(&self, closure: F) -> Result<T, JobError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.submit(closure).await?.await
    }

    /// Runs a future on the loop of one of the threads.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// If it is dropped the future is dropped.
    pub async fn run_future<F>(&self, future: F) -> Result<F::Output, JobError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.submit_future(future).await?.await
    }

    /// Waits for room in the queue and puts a closure there; the result is the [`Job`]'s.
    ///
    /// # Errors
    ///
    /// [`JobError::Closed`], [`JobError::NoThread`].
    pub async fn submit<T, F>(&self, closure: F) -> Result<Job<T>, JobError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let room = self.room().await?;
        self.put(room, closure_work(closure))
    }

    /// The same with a future.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub async fn submit_future<F>(&self, future: F) -> Result<Job<F::Output>, JobError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let room = self.room().await?;
        self.put(room, future_work(future, self.shared().closed.clone()))
    }

    /// Puts a closure into the queue now, or gives it back.
    ///
    /// # Errors
    ///
    /// [`Unrun`], with the closure and the reason: [`JobError::Full`], [`JobError::Closed`] or
    /// [`JobError::NoThread`].
    pub fn try_run<T, F>(&self, closure: F) -> Result<Job<T>, Unrun<F>>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let room = match self.room_now() {
            Ok(room) => room,
            Err(reason) => {
                let job = closure;
                return Err(Unrun { job, reason });
            }
        };
        // Closed just now: then the job says so.
        let (work, outcome) = closure_work(closure);
        let id = self.shared().queue.push(room, work);
        Ok(Job::new(id, outcome, Arc::clone(self.shared())))
    }

    /// Takes no more jobs: those that wait, and futures that run, end with [`JobError::Closed`], and
    /// each thread ends after the closure that it runs. Returns at once.
    pub fn close(&self) {
        self.shared().close();
    }

    /// The threads and what they have to do.
    pub fn status(&self) -> ExecutorInfo {
        let shared = self.shared();
        ExecutorInfo {
            threads: shared.started.lock().unwrap_or(0) as u64,
            busy: shared.busy.load(Ordering::Acquire) as u64,
            queued: shared.queue.len() as u64,
        }
    }

    async fn room(&self) -> Result<Room<'_>, JobError> {
        self.start()?;
        self.shared().queue.room().await.ok_or(JobError::Closed)
    }

    fn room_now(&self) -> Result<Room<'_>, JobError> {
        self.start()?;
        self.shared().queue.room_now()
    }

    fn put<T>(&self, room: Room<'_>, (work, outcome): Work<T>) -> Result<Job<T>, JobError> {
        let id = self.shared().queue.push(room, work);
        Ok(Job::new(id, outcome, Arc::clone(self.shared())))
    }

    /// Makes the threads, if that has not been done.
    fn start(&self) -> Result<(), JobError> {
        let shared = self.shared();
        let mut started = shared.started.lock();
        if shared.closed.is_cancelled() {
            return Err(JobError::Closed);
        }
        if started.is_some() {
            return Ok(());
        }
        for number in 0..shared.threads {
            if let Err(error) = request_loop::start(shared, number) {
                // Fewer threads do the same work, later.
                if number == 0 {
                    let message = error.to_string();
                    return Err(JobError::NoThread { message });
                }
                let name = &shared.name;
                tracing::warn!(name, threads = number, %error, "the executor has fewer threads");
                *started = Some(number);
                return Ok(());
            }
        }
        *started = Some(shared.threads);
        Ok(())
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }
}

impl Shared {
    fn close(&self) {
        // Dropped, they say that the executor is closed.
        let waiting = self.queue.close();
        self.closed.cancel();
        drop(waiting);
    }
}

impl AsyncObject for Executor {
    fn event_loop(&self) -> EventLoop {
        self.shared().event_loop.clone()
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Executor({:?}, {:?})", self.shared().name, self.status())
    }
}

#[cfg(test)]
mod tests;
