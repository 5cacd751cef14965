//! What may block for a moment, on a thread of its own beside the loop.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

/// Looks of one kind, beside the loop. They take milliseconds; one that the kernel blocks for good costs a thread, and no
/// more than the kind may have. Looks of other kinds go on.
#[derive(Debug)]
pub struct Aside {
    /// That may be under way at once.
    most: usize,
    under_way: AtomicUsize,
}

impl Aside {
    /// A kind of looks, of which so many may be under way at once.
    pub const fn new(most: usize) -> Self {
        Self {
            most,
            under_way: AtomicUsize::new(0),
        }
    }

    /// Runs `look` beside the loop, for at most `limit`; `None` if it takes longer, or if there is no thread for it.
    /// Unlike the loop's own threads for what blocks, it may be asked for where the system gives no more threads.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; a look that is under way ends by itself.
    pub async fn look<T: Send + 'static>(
        &'static self,
        limit: Duration,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let place = Place::take(self)?;
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
}

/// One of the looks; given back when it is dropped.
struct Place(&'static Aside);

impl Place {
    fn take(aside: &'static Aside) -> Option<Self> {
        // Made first, so that it is given back also where there was none.
        let place = Self(aside);
        (aside.under_way.fetch_add(1, Ordering::Relaxed) < aside.most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn looks_that_do_not_end_are_not_waited_for_and_no_more_than_some_are_begun() {
        static HELD: Aside = Aside::new(2);
        static OTHERS: Aside = Aside::new(1);
        let mut holds = Vec::new();
        for _ in 0..2 {
            let (hold, held) = channel::<()>();
            let look = move || held.recv().is_ok();
            assert_eq!(HELD.look(Duration::from_millis(1), look).await, None);
            holds.push(hold);
        }
        let begun = |aside: &'static Aside| aside.look(Duration::from_secs(10), || 7);
        assert_eq!(begun(&HELD).await, None);
        // Those of another kind are begun.
        assert_eq!(begun(&OTHERS).await, Some(7));
        drop(holds);
        while begun(&HELD).await != Some(7) {
            tokio::task::yield_now().await;
        }
    }
}
