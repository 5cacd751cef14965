//! What may block for a moment, on a thread of its own beside the loop.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

/// Looks that may be under way at once. They take milliseconds; one that the kernel blocks for good costs
/// a thread, and no more than these.
const MOST_LOOKS: usize = 8;

static LOOKS: AtomicUsize = AtomicUsize::new(0);

/// Runs `look` beside the loop, for at most `limit`; `None` if it takes longer, or if there is no thread for it.
/// Unlike the loop's own threads for what blocks, it may be asked for where the system gives no more threads.
///
/// # Cancel safety
///
/// Cancel safe; a look that is under way ends by itself.
pub(crate) async fn look_aside<T: Send + 'static>(
    limit: Duration,
    look: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let place = Place::take()?;
    let (to_seen, seen) = oneshot::channel();
    thread::Builder::new()
        .name("pulsar-look".to_owned())
        .spawn(move || {
            let _place = place;
            // Nobody may be waiting any more.
            let _ = to_seen.send(look());
        })
        .ok()?;
    timeout(limit, seen).await.ok()?.ok()
}

/// One of the looks; given back when it is dropped.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        // Made first, so that it is given back also where there was none.
        let place = Self;
        (LOOKS.fetch_add(1, Ordering::Relaxed) < MOST_LOOKS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        LOOKS.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn looks_that_do_not_end_are_not_waited_for_and_no_more_than_some_are_begun() {
        let mut holds = Vec::new();
        for _ in 0..MOST_LOOKS {
            let (hold, held) = channel::<()>();
            let look = move || held.recv().is_ok();
            assert_eq!(look_aside(Duration::from_millis(1), look).await, None);
            holds.push(hold);
        }
        let begun = |()| look_aside(Duration::from_secs(10), || 7);
        assert_eq!(begun(()).await, None);
        drop(holds);
        while begun(()).await != Some(7) {
            tokio::task::yield_now().await;
        }
    }
}
