//! What a server has done so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a server has done so far. Shared with the server through [`ServeOptions`](crate::ServeOptions); read at any time.
///
/// Each number is exact; two of them are not read at the same instant.
#[derive(Debug, Default)]
pub struct Counters {
    accepted: AtomicU64,
    ended: AtomicU64,
    requests: AtomicU64,
    panics: AtomicU64,
}

impl Counters {
    /// Connections accepted since the start.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections open now, upgraded ones among them.
    #[must_use]
    pub fn open(&self) -> u64 {
        // Read in this order an end is never seen without its beginning.
        let ended = self.ended.load(Ordering::Acquire);
        self.accepted.load(Ordering::Acquire).saturating_sub(ended)
    }

    /// Requests whose header has come since the start.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Panics of handlers and of the bodies of their responses since the start.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }
}

/// One open connection in the [`Counters`].
pub(crate) struct OpenConnection(Arc<Counters>);

impl OpenConnection {
    pub(crate) fn new(counters: &Arc<Counters>) -> Self {
        counters.accepted.fetch_add(1, Ordering::Release);
        Self(counters.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Release);
    }
}
