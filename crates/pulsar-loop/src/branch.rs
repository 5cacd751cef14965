//! What a loop that waits for several things at once waits for: branches that may not be there.

use std::future::{Future, pending};

use tokio::time::{Instant, sleep_until};

use crate::wanted::Wanted;

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

/// That it is wanted; never, if it cannot be.
pub async fn until_wanted(wanted: Option<&Wanted>) {
    match wanted {
        Some(wanted) => wanted.until_wanted().await,
        None => pending().await,
    }
}
