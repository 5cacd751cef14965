//! How long one waits for a reply.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::patrol::{Awaited, ROUND, Round, look_after};

/// Whoever waits for longer is looked after by the patrol of the loop, whose rounds matter little then. Others have
/// timers of their own from the beginning.
const PATIENT: Duration = Duration::from_secs(1);

/// What bounds a wait. A bound of a second or more is kept to within two rounds of 10 ms, later but not earlier.
#[derive(Debug, Default)]
pub struct Patience(Bound);

#[derive(Debug, Default)]
enum Bound {
    /// The wait has not begun.
    #[default]
    Fresh,
    /// It has begun in this round of the loop's patrol.
    Patrolled(Round),
    /// It has a timer of its own.
    Timed(Pin<Box<Sleep>>),
}

impl Patience {
    /// One that ends then.
    pub fn until(deadline: Instant) -> Self {
        Self(Bound::Timed(Box::pin(sleep_until(deadline))))
    }

    /// Ready when a wait for something of `who` that may take `limit` has taken it.
    pub fn poll<W: Awaited + 'static>(
        &mut self,
        who: &Arc<W>,
        limit: impl Fn() -> Duration,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        let since = match &mut self.0 {
            Bound::Timed(timer) => return timer.as_mut().poll(task),
            Bound::Patrolled(since) if since.is_past() => {
                // It has waited for a round at least.
                return self.timed(limit().saturating_sub(ROUND), task);
            }
            Bound::Patrolled(since) => Some(*since),
            Bound::Fresh if limit() < PATIENT => return self.timed(limit(), task),
            Bound::Fresh => None,
        };
        match look_after(who) {
            Some(round) => {
                self.0 = Bound::Patrolled(since.unwrap_or(round));
                Poll::Pending
            }
            None => self.timed(limit(), task),
        }
    }

    fn timed(&mut self, left: Duration, task: &mut Context<'_>) -> Poll<()> {
        let mut timer = Box::pin(sleep(left));
        let polled = timer.as_mut().poll(task);
        self.0 = Bound::Timed(timer);
        polled
    }
}
