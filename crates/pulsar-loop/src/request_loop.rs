//! What a thread of an executor runs: a loop that takes jobs.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use pulsar_model::panic_message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::EventLoop;
use crate::executor::{Executor, Shared};
use crate::job::{Hold, Load, Runnable};
use crate::seat::{self, Seat};

/// Makes one thread. It ends when the executor is closed, by itself.
///
/// # Errors
///
/// The system's.
pub(crate) fn start(executor: &Arc<Shared>, number: usize) -> io::Result<()> {
    let request_loop = RequestLoop {
        own: EventLoop::installing(&executor.event_loop)?,
        load: Arc::new(Load::new(Arc::clone(executor))),
        slots: Arc::new(Semaphore::new(Executor::MAX_FUTURES)),
    };
    thread::Builder::new()
        .name(format!("{}-{number}", executor.name))
        .spawn(move || request_loop.run())?;
    Ok(())
}

struct RequestLoop {
    own: EventLoop,
    load: Arc<Load>,
    /// For the futures that the thread runs at once.
    slots: Arc<Semaphore>,
}

impl RequestLoop {
    /// The thread, from its first to its last step.
    fn run(self) {
        let executor = Arc::clone(&self.load.executor);
        pulsar_sys::scheduling::prefer_others();
        let _installed = seat::install(&executor.event_loop);
        seat::set_request_loop(Some(self.own.clone()));
        (executor.begin)();
        while let Some((slot, job)) = self.own.drive(self.at_work(), self.next()) {
            match job {
                // Outside of the own loop, so that it may wait.
                Runnable::Closure(run) => {
                    let hold = Hold::new(&self.load);
                    let _entered = executor.event_loop.handle().enter();
                    isolated(|| run(hold));
                }
                Runnable::Future(run) => {
                    let future = run(Hold::new(&self.load));
                    drop(self.own.spawn(async move {
                        future.await;
                        drop(slot);
                    }));
                }
            }
        }
        self.end_futures();
        seat::set_request_loop(None);
    }

    /// This thread drives its own loop, and the actor's is the current one.
    fn at_work(&self) -> Seat {
        seat::drives(&self.load.executor.event_loop)
    }

    /// The next job, with room for it if it is a future; meanwhile the futures go on.
    async fn next(&self) -> Option<(OwnedSemaphorePermit, Runnable)> {
        if self.runs_futures() {
            // Jobs that wait shall not keep them from their turn, nor from their timers and I/O.
            tokio::task::yield_now().await;
        }
        let closed = &self.load.executor.closed;
        let slot = Arc::clone(&self.slots).acquire_owned();
        // The slots are never closed.
        let slot = closed.run_until_cancelled(slot).await?.ok()?;
        let job = self.load.executor.queue.take().await?;
        Some((slot, job))
    }

    fn runs_futures(&self) -> bool {
        self.slots.available_permits() < Executor::MAX_FUTURES
    }

    /// The executor is closed: its futures end by that, once they are polled.
    fn end_futures(&self) {
        let all = u32::try_from(Executor::MAX_FUTURES).unwrap_or(u32::MAX);
        let ended = async { drop(self.slots.acquire_many(all).await) };
        self.own.drive(self.at_work(), ended);
    }
}

/// What a job drops, as its result that nobody takes, may panic as well: that ends no thread.
fn isolated(run: impl FnOnce()) {
    // Unwind safe: the job is gone then.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
        tracing::error!(
            message = panic_message(&*panic),
            "what a job has left panicked as it was dropped"
        );
    }
}
