//! What a loop that waits for several things at once waits for: branches that may not be there.

use std::future::{Future, pending};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep_until};

/// The end of a future that is there; for ever pending if none is.
pub async fn poll<F: Future + Unpin>(slot: &mut Option<F>) -> F::Output {
    match slot {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// Whichever is ready, `one` if both are.
pub async fn first<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        event = one => event,
        event = other => event,
    }
}

/// That instant; never, if there is none.
pub async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}

/// The next that ends of several, of which there may be none yet; `None` if none runs.
pub async fn next_of<F: Future>(running: &mut Option<FuturesUnordered<F>>) -> Option<F::Output> {
    running.as_mut()?.next().await
}
