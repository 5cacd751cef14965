//! A piece of work for an executor, and its outcome.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use pulsar_model::panic_message;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::executor::Shared;

/// A job of an [`Executor`](crate::Executor). Awaiting it gives its result. Dropped before it has
/// begun it does not run; a future that has begun is dropped, a closure goes on to its end.
#[must_use = "a job that is dropped before it has begun does not run"]
pub struct Job<T> {
    id: u64,
    outcome: oneshot::Receiver<Result<T, JobError>>,
    executor: Arc<Shared>,
}

/// Why a job has no result.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The job panicked. The thread goes on.
    #[error("the job panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The executor was closed, with its actor or by hand, before the job was done.
    #[error("the executor is closed: it takes no more jobs")]
    Closed,
    /// As many jobs wait as may. Only for those who do not wait for room.
    #[error("{capacity} jobs wait for the executor, the most: wait for room, or try later")]
    Full {
        /// How many may wait.
        capacity: usize,
    },
    /// The executor's threads cannot be made.
    #[error("no thread can be made for the executor: {message}")]
    NoThread {
        /// What the system says.
        message: String,
    },
}

/// A job that was not taken, and why.
#[derive(thiserror::Error)]
#[error("the job was not taken: {reason}")]
pub struct Unrun<F> {
    /// The job, as it was given.
    pub job: F,
    /// Why it was not taken.
    #[source]
    pub reason: JobError,
}

impl<F> std::fmt::Debug for Unrun<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unrun({:?})", self.reason)
    }
}

impl<T> Job<T> {
    pub(crate) fn new(
        id: u64,
        outcome: oneshot::Receiver<Result<T, JobError>>,
        executor: Arc<Shared>,
    ) -> Self {
        Self {
            id,
            outcome,
            executor,
        }
    }
}

impl<T> Future for Job<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Dropped unused by a queue that is closed, or by the end of the thread's loop.
        let outcome = ready!(Pin::new(&mut self.outcome).poll(cx));
        Poll::Ready(outcome.unwrap_or(Err(JobError::Closed)))
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.executor.queue.withdraw(self.id);
    }
}

impl<T> std::fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A job as its thread runs it.
pub(crate) enum Runnable {
    Closure(Box<dyn FnOnce(Hold) + Send>),
    Future(Box<dyn FnOnce(Hold) -> BoxFuture + Send>),
}

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A job, and where its outcome comes.
pub(crate) type Work<T> = (Runnable, oneshot::Receiver<Result<T, JobError>>);

pub(crate) fn closure_work<T, F>(closure: F) -> Work<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let (tell, outcome) = oneshot::channel();
    let run = move |hold: Hold| {
        if tell.is_closed() {
            return;
        }
        // Unwind safe: of what the closure may leave half done, this thread keeps nothing.
        let outcome = catch_unwind(AssertUnwindSafe(closure));
        // Before the word: who has it finds the thread free.
        drop(hold);
        drop(tell.send(outcome.map_err(|panic| panicked(&*panic))));
    };
    (Runnable::Closure(Box::new(run)), outcome)
}

pub(crate) fn future_work<F>(future: F, closed: CancellationToken) -> Work<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let (mut tell, outcome) = oneshot::channel();
    let run = move |hold: Hold| -> BoxFuture {
        Box::pin(async move {
            // Unwind safe: after a panic the future is only dropped.
            let future = AssertUnwindSafe(future).catch_unwind();
            let outcome = tokio::select! {
                biased;
                () = tell.closed() => return,
                () = closed.cancelled() => Err(JobError::Closed),
                outcome = future => outcome.map_err(|panic| panicked(&*panic)),
            };
            drop(hold);
            drop(tell.send(outcome));
        })
    };
    (Runnable::Future(Box::new(run)), outcome)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> JobError {
    JobError::Panicked {
        message: panic_message(panic).to_owned(),
    }
}

/// A thread's jobs: it is busy while there is one.
pub(crate) struct Load {
    pub(crate) executor: Arc<Shared>,
    jobs: AtomicUsize,
}

impl Load {
    pub(crate) fn new(executor: Arc<Shared>) -> Self {
        Self {
            executor,
            jobs: AtomicUsize::new(0),
        }
    }
}

/// One job that a thread runs, until this is dropped.
pub(crate) struct Hold(Arc<Load>);

impl Hold {
    pub(crate) fn new(load: &Arc<Load>) -> Self {
        if load.jobs.fetch_add(1, Ordering::AcqRel) == 0 {
            load.executor.busy.fetch_add(1, Ordering::AcqRel);
        }
        Self(Arc::clone(load))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.0.jobs.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.executor.busy.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
