//! Waiting for a condition that others make true.

use tokio::sync::Notify;

/// Wakes those who wait for a condition, each time it may have become true.
#[derive(Debug, Default)]
pub(crate) struct Changes(Notify);

impl Changes {
    /// The condition may be true now.
    pub(crate) fn announce(&self) {
        self.0.notify_waiters();
    }

    /// Waits until `done`. Whoever makes it true announces it afterwards.
    ///
    /// The look at the condition comes between the making of `announced` and the wait for it, and
    /// that hears all announcements since it was made: so none falls between look and wait.
    pub(crate) async fn until(&self, mut done: impl FnMut() -> bool) {
        loop {
            let announced = self.0.notified();
            if done() {
                return;
            }
            announced.await;
        }
    }
}
