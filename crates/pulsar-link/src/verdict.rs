//! How the process at the other end of a direct link has ended, by the arbiter's word.

use std::time::Duration;

use pulsar_model::Cause;
use tokio::time::timeout;

use crate::Link;

impl Link {
    /// The arbiter says how the other side has ended. The first word counts. It ends nothing by
    /// itself: what that side had sent before is still read first.
    pub fn set_verdict(&self, cause: Cause) {
        // A second word is about the same death.
        let _ = self.verdict.set(cause);
        self.changes.announce();
    }

    /// True once the arbiter has said how the other side has ended.
    pub fn has_verdict(&self) -> bool {
        self.verdict.get().is_some()
    }

    /// Waits for the arbiter's word, for as long as it takes.
    pub async fn verdict_came(&self) {
        self.changes.until(|| self.has_verdict()).await;
    }

    /// How the other side has ended: waits for the arbiter's word, which may come before or after
    /// the end of the stream. [`Cause::Unknown`] if it does not come within `at_most`.
    pub async fn verdict(&self, at_most: Duration) -> Cause {
        let said = self.changes.until(|| self.verdict.get().is_some());
        // Whether it came or not is seen next.
        let _ = timeout(at_most, said).await;
        self.verdict.get().cloned().unwrap_or(Cause::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pulsar_wire::{Aid, ArbiterId, Incarnation};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn link() -> Arc<Link> {
        let peer = Aid::new(ArbiterId::from_entropy(1), 1);
        Arc::new(Link::direct(peer, Incarnation::FIRST))
    }

    #[tokio::test]
    async fn a_verdict_that_is_there_needs_no_wait_and_the_first_counts() {
        let link = link();
        link.set_verdict(Cause::Code(3));
        link.set_verdict(Cause::Normal);
        assert_eq!(link.verdict(Duration::ZERO).await, Cause::Code(3));
    }

    #[tokio::test]
    async fn a_verdict_is_waited_for() {
        let link = link();
        let waiter = {
            let link = Arc::clone(&link);
            tokio::spawn(async move { link.verdict(LONG).await })
        };
        tokio::task::yield_now().await;
        link.set_verdict(Cause::Stopped);
        assert_eq!(waiter.await.unwrap(), Cause::Stopped);
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_that_does_not_come_is_unknown() {
        assert_eq!(link().verdict(LONG).await, Cause::Unknown);
    }
}
