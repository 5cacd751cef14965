//! Waiting in synchronous code for what an event loop does.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::delivery::Delivery;

/// Why waiting gave no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// Waiting would hold an event loop that runs on this thread; perhaps the very one that is
    /// waited for.
    #[error(
        "this is async code, where waiting would hold the event loop: await it instead, or wait on a thread of the executor"
    )]
    InAsyncCode,
    /// The loop has ended before it was done.
    #[error("{LoopEnded}")]
    LoopEnded,
    /// It was not done in time, and is dropped.
    #[error("it was not done within {after:?}: wait longer, or without a limit")]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
}

/// The event loop on which something was to run has ended, and it was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the event loop has ended: use a loop that still runs")]
pub struct LoopEnded;

impl From<LoopEnded> for WaitError {
    fn from(_: LoopEnded) -> Self {
        Self::LoopEnded
    }
}

/// Waits, on a thread that may, for what runs on a loop elsewhere.
pub(crate) fn wait_parked<T>(
    delivery: Delivery<T>,
    limit: Option<Duration>,
) -> Result<T, WaitError> {
    // A limit beyond the clock is none.
    let deadline = limit.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit)));
    let mut delivery = pin!(delivery);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(outcome) = delivery.as_mut().poll(&mut cx) {
            return outcome.map_err(WaitError::from);
        }
        // A wake-up that comes between is not lost: `park` returns at once after an `unpark`.
        match deadline {
            None => thread::park(),
            Some((deadline, after)) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(WaitError::TimedOut { after });
                }
                thread::park_timeout(left);
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
