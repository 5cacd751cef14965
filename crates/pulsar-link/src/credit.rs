//! How many messages may be sent to each actor behind a link: the sender's side.
//!
//! A message of the user's costs one credit of its target. The credit comes back when the target
//! takes the message in, or at once when the message was not sent after all. So at most [`WINDOW`]
//! messages of one link wait for one actor, and one slow actor holds up only those who send to it.

use std::sync::Arc;

use parking_lot::Mutex;
use pulsar_wire::Frame;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::key::{Key, Keyed};
use crate::line::{Line, Place};

/// Messages of the user's that may be on their way to one actor over one link, sent and not yet
/// taken in. Enough to keep a target busy for a round trip; little enough that a target which
/// does not keep up costs its process no more than this many messages for each link.
pub const WINDOW: usize = 256;
/// Targets in a table before those of which nothing is outstanding are looked for.
pub(crate) const SWEEP_TARGETS: usize = 1024;

/// The credits of one link.
///
/// Most messages find credit, and nobody who waits for it: those take one lock.
#[derive(Debug)]
pub(crate) struct Credits {
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    targets: Keyed<Target>,
    /// The table is swept when it has grown past this.
    sweep_at: usize,
    closed: bool,
}

/// One target. Each of its `WINDOW` credits is in exactly one place: `free`, a permit of those who wait, a
/// [`Credit`] in somebody's hands, or `spent`.
#[derive(Debug)]
struct Target {
    /// Those for whoever comes next. There are none while somebody waits.
    free: usize,
    /// Credits that the other side has yet to return.
    spent: usize,
    /// Made when somebody waits for the first time.
    waiters: Option<Arc<Waiters>>,
}

/// Those who wait for credit of one target.
#[derive(Debug)]
struct Waiters {
    /// What has come back for them. What they leave is for whoever comes next.
    available: Semaphore,
    /// Who waits for a credit, or has got one and not used it.
    line: Arc<Line>,
}

/// The right to send one message to one target, which may have been waited for. Dropped before it is spent, it goes back.
#[derive(Debug)]
pub(crate) struct Credit<'a> {
    credits: &'a Credits,
    key: Key,
    is_spent: bool,
    /// It was waited for: until the message is on its way, those who come later let it go first.
    place: Option<Place>,
}

/// Why there is no credit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoCredit {
    /// All are out.
    Spent,
    /// Nothing more is sent over this link.
    Closed,
}

impl Default for Credits {
    fn default() -> Self {
        Self {
            table: Mutex::new(Table {
                targets: Keyed::default(),
                sweep_at: SWEEP_TARGETS,
                closed: false,
            }),
        }
    }
}

impl Credits {
    /// Waits for a credit of this target, first come first served.
    ///
    /// # Errors
    ///
    /// [`NoCredit::Closed`].
    pub(crate) async fn acquire(&self, key: Key) -> Result<Credit<'_>, NoCredit> {
        let (waiters, place) = {
            let mut table = self.table.lock();
            let target = table.target(key)?;
            if target.take() {
                return Ok(self.credit(key, None));
            }
            let waiters = target.waiters();
            let place = waiters.line.join();
            (waiters, place)
        };
        let acquired = waiters.available.acquire().await;
        // Nothing is awaited between the two: no permit is lost if this is dropped.
        acquired.map_err(|_| NoCredit::Closed)?.forget();
        let credit = self.credit(key, Some(place));
        credit.let_others_go_first().await;
        Ok(credit)
    }

    fn credit(&self, key: Key, place: Option<Place>) -> Credit<'_> {
        Credit {
            credits: self,
            key,
            is_spent: false,
            place,
        }
    }

    /// Spends a credit of this target, if there is one and nobody waits for it. As [`Credit::spend`], this comes before the
    /// frame is pushed; [`unspend`](Self::unspend) takes it back.
    ///
    /// # Errors
    ///
    /// [`NoCredit`].
    pub(crate) fn try_spend(&self, key: Key) -> Result<(), NoCredit> {
        let mut table = self.table.lock();
        let target = table.target(key)?;
        match target.take() {
            true => {
                target.spent += 1;
                Ok(())
            }
            false => Err(NoCredit::Spent),
        }
    }

    /// The message was not sent after all, and its credit is for the next.
    pub(crate) fn unspend(&self, key: Key) {
        // A peer that returned it before it was sent has spoilt its own count.
        self.uncount(key, 1);
        self.give_back(key, 1);
    }

    /// Counts so many less as spent; false, and nothing is changed, if there are not so many.
    fn uncount(&self, key: Key, count: usize) -> bool {
        let mut table = self.table.lock();
        let spent = table.targets.get_mut(&key).map(|target| &mut target.spent);
        match spent {
            Some(spent) if *spent >= count => {
                *spent -= count;
                true
            }
            _ => false,
        }
    }

    /// So many credits, which were in somebody's hands, are for the next.
    fn give_back(&self, key: Key, count: usize) {
        let mut table = self.table.lock();
        let Some(target) = table.targets.get_mut(&key) else {
            return;
        };
        match &target.waiters {
            Some(waiters) if !waiters.line.is_empty() => {
                let waiters = Arc::clone(waiters);
                // Who is woken must not find the lock taken.
                drop(table);
                waiters.available.add_permits(count);
            }
            _ => target.free += count,
        }
    }

    /// A frame of credit came.
    ///
    /// # Errors
    ///
    /// What is wrong with it, if it returns nothing or more than was spent.
    pub(crate) fn came(&self, frame: &Frame) -> Result<(), String> {
        let (place, task, count) = (frame.place, frame.task, frame.request);
        let returned = usize::try_from(count).ok().filter(|count| *count > 0);
        let accepted = returned.filter(|count| self.uncount((place, task), *count));
        let Some(count) = accepted else {
            return Err(format!(
                "it returned {count} credits of actor {place}-{task}, which are not out"
            ));
        };
        self.give_back((place, task), count);
        Ok(())
    }

    /// Nothing more is sent: ends all waits, and refuses those that come.
    pub(crate) fn close(&self) {
        let mut table = self.table.lock();
        table.closed = true;
        let waiters = table.targets.values().filter_map(|t| t.waiters.clone());
        let waiters: Vec<_> = waiters.collect();
        drop(table);
        for waiters in waiters {
            waiters.available.close();
        }
    }
}

impl Table {
    fn target(&mut self, key: Key) -> Result<&mut Target, NoCredit> {
        if self.closed {
            return Err(NoCredit::Closed);
        }
        if self.targets.len() >= self.sweep_at && !self.targets.contains_key(&key) {
            self.sweep();
        }
        Ok(self.targets.entry(key).or_insert_with(|| Target {
            free: WINDOW,
            spent: 0,
            waiters: None,
        }))
    }

    /// Drops the targets that are as good as new.
    ///
    /// What is left is looked at again when it has doubled, so that the sweeps cost each new
    /// target a constant, however many are in use.
    fn sweep(&mut self) {
        self.targets.retain(|_, target| !target.is_as_new());
        self.sweep_at = SWEEP_TARGETS.max(2 * self.targets.len());
    }
}

impl Target {
    /// Takes a credit, if there is one and nobody waits.
    fn take(&mut self) -> bool {
        match &self.waiters {
            Some(waiters) if !waiters.line.is_empty() => false,
            _ if self.free > 0 => {
                self.free -= 1;
                true
            }
            // What was given back for those who waited, and left by them.
            Some(waiters) => {
                let taken = waiters.available.try_acquire();
                taken.map(SemaphorePermit::forget).is_ok()
            }
            None => false,
        }
    }

    /// Those who wait, for one more. What is free is theirs.
    fn waiters(&mut self) -> Arc<Waiters> {
        let waiters = self.waiters.get_or_insert_with(|| {
            Arc::new(Waiters {
                available: Semaphore::new(0),
                line: Arc::default(),
            })
        });
        // Nobody is woken by it: where somebody waits already, nothing is free.
        waiters
            .available
            .add_permits(std::mem::take(&mut self.free));
        Arc::clone(waiters)
    }

    /// True if none of its credits is spent, none in anybody's hands, and nobody waits. Who waits has a clone of the
    /// waiters, and clones are only made under the table's lock.
    fn is_as_new(&self) -> bool {
        let (left, is_shared) = match &self.waiters {
            Some(waiters) => {
                let left = waiters.available.available_permits();
                (left, Arc::strong_count(waiters) > 1)
            }
            None => (0, false),
        };
        self.free + left == WINDOW && !is_shared
    }
}

impl Credit<'_> {
    /// What it is for has to wait: who comes later goes behind.
    pub(crate) fn stand_in_line(&mut self) {
        if self.place.is_some() {
            return;
        }
        let mut table = self.credits.table.lock();
        // Its target stays as long as it is held.
        let target = table.targets.get_mut(&self.key);
        self.place = target.map(|target| target.waiters().line.join());
    }

    /// Lets those go first who came before.
    pub(crate) async fn let_others_go_first(&self) {
        if let Some(place) = &self.place {
            place.let_others_go_first().await;
        }
    }

    /// The message is about to be sent. This comes before the frame is pushed: the other side
    /// could return the credit at once, and must find it spent.
    pub(crate) fn spend(&mut self) {
        self.is_spent = true;
        if let Some(target) = self.credits.table.lock().targets.get_mut(&self.key) {
            target.spent += 1;
        }
    }

    /// The message was not sent after all.
    pub(crate) fn unspend(&mut self) {
        self.credits.uncount(self.key, 1);
        self.is_spent = false;
    }
}

impl Drop for Credit<'_> {
    fn drop(&mut self) {
        if !self.is_spent {
            self.credits.give_back(self.key, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt;
    use pulsar_wire::Kind;

    use super::*;

    const ACTOR: Key = (7, 3);

    fn returned(count: u64) -> Frame {
        Frame {
            place: ACTOR.0,
            task: ACTOR.1,
            request: count,
            ..Frame::new(Kind::Credit, Bytes::new())
        }
    }

    fn spend(credits: &Credits, key: Key) {
        credits.try_spend(key).unwrap();
    }

    /// A credit, if there is one now.
    fn acquire(credits: &Credits, key: Key) -> Option<Credit<'_>> {
        credits.acquire(key).now_or_never().map(Result::unwrap)
    }

    fn available(credits: &Credits) -> usize {
        let mut table = credits.table.lock();
        let target = table.target(ACTOR).unwrap();
        let left = |waiters: &Arc<Waiters>| waiters.available.available_permits();
        target.free + target.waiters.as_ref().map_or(0, left)
    }

    #[test]
    fn a_window_is_given_out_and_no_more() {
        let credits = Credits::default();
        let held: Vec<_> = std::iter::from_fn(|| acquire(&credits, ACTOR)).collect();
        assert_eq!(held.len(), WINDOW);
        assert_eq!(credits.try_spend(ACTOR), Err(NoCredit::Spent));
        // Another target is not concerned.
        spend(&credits, (7, 4));
        drop(held);
        assert_eq!(available(&credits), WINDOW);
    }

    #[test]
    fn a_credit_is_in_one_place_at_a_time() {
        let credits = Credits::default();
        let mut credit = acquire(&credits, ACTOR).unwrap();
        assert_eq!(available(&credits), WINDOW - 1);
        credit.spend();
        credit.unspend();
        drop(credit);
        assert_eq!(available(&credits), WINDOW);
        spend(&credits, ACTOR);
        credits.unspend(ACTOR);
        assert_eq!(available(&credits), WINDOW);
        spend(&credits, ACTOR);
        assert_eq!(available(&credits), WINDOW - 1);
        credits.came(&returned(1)).unwrap();
        assert_eq!(available(&credits), WINDOW);
    }

    #[test]
    fn credit_that_is_not_out_is_garbage() {
        let credits = Credits::default();
        credits.came(&returned(1)).unwrap_err();
        let _held = acquire(&credits, ACTOR).unwrap();
        credits.came(&returned(1)).unwrap_err();
        spend(&credits, ACTOR);
        spend(&credits, ACTOR);
        for garbage in [0, 3, u64::MAX] {
            credits.came(&returned(garbage)).unwrap_err();
        }
        credits.came(&returned(2)).unwrap();
        credits.came(&returned(1)).unwrap_err();
    }

    #[tokio::test]
    async fn who_waits_gets_what_comes_back_in_the_order_of_coming() {
        let credits = Arc::new(Credits::default());
        for _ in 0..WINDOW {
            spend(&credits, ACTOR);
        }
        let (order, mut came) = tokio::sync::mpsc::unbounded_channel();
        let mut waiting = Vec::new();
        for number in 0..10 {
            let (credits, order) = (Arc::clone(&credits), order.clone());
            waiting.push(tokio::spawn(async move {
                credits.acquire(ACTOR).await.unwrap().spend();
                order.send(number).unwrap();
            }));
            // One loop: the task waits when this task runs again.
            tokio::task::yield_now().await;
        }
        // One that gives up leaves the others their order.
        waiting.remove(4).abort();
        credits.came(&returned(9)).unwrap();
        assert_eq!(credits.try_spend(ACTOR), Err(NoCredit::Spent));
        for expected in [0, 1, 2, 3, 5, 6, 7, 8, 9] {
            assert_eq!(came.recv().await, Some(expected));
        }
    }

    #[tokio::test]
    async fn what_those_who_waited_leave_is_for_whoever_comes_next() {
        let credits = Credits::default();
        for _ in 0..WINDOW {
            spend(&credits, ACTOR);
        }
        let mut waiting = Box::pin(credits.acquire(ACTOR));
        assert!((&mut waiting).now_or_never().is_none());
        credits.came(&returned(3)).unwrap();
        assert_eq!(credits.try_spend(ACTOR), Err(NoCredit::Spent));
        waiting.await.unwrap().spend();
        for _ in 0..2 {
            spend(&credits, ACTOR);
        }
        assert_eq!(credits.try_spend(ACTOR), Err(NoCredit::Spent));
        // And once more by itself, where nobody waits.
        credits.came(&returned(2)).unwrap();
        spend(&credits, ACTOR);
        // Who stands in line, with its credit, is not overtaken; and takes with it what was free.
        let mut first = acquire(&credits, ACTOR).unwrap();
        credits.came(&returned(1)).unwrap();
        first.stand_in_line();
        assert_eq!(credits.try_spend(ACTOR), Err(NoCredit::Spent));
        drop(first);
        assert_eq!(available(&credits), 2);
        spend(&credits, ACTOR);
    }

    #[tokio::test]
    async fn the_end_ends_the_wait() {
        let credits = Arc::new(Credits::default());
        for _ in 0..WINDOW {
            spend(&credits, ACTOR);
        }
        let waiting = {
            let credits = Arc::clone(&credits);
            tokio::spawn(async move { credits.acquire(ACTOR).await.map(drop) })
        };
        tokio::task::yield_now().await;
        credits.close();
        assert_eq!(waiting.await.unwrap(), Err(NoCredit::Closed));
        assert_eq!(credits.try_spend((1, 1)), Err(NoCredit::Closed));
        // What is still on its way back is no garbage.
        credits.came(&returned(1)).unwrap();
    }

    #[test]
    fn idle_targets_are_forgotten_and_others_are_not() {
        let credits = Credits::default();
        spend(&credits, ACTOR);
        let _held = acquire(&credits, (8, 0)).unwrap();
        for place in 0..100_000 {
            drop(acquire(&credits, (place, 1)));
        }
        assert!(credits.table.lock().targets.len() <= SWEEP_TARGETS);
        assert!(credits.table.lock().targets.contains_key(&(8, 0)));
        assert_eq!(available(&credits), WINDOW - 1);
        credits.came(&returned(1)).unwrap();
    }

    #[test]
    fn targets_in_use_are_swept_ever_more_rarely() {
        let credits = Credits::default();
        for place in 0..10_000 {
            spend(&credits, (place, 0));
        }
        let table = credits.table.lock();
        assert_eq!(table.targets.len(), 10_000);
        assert!(table.sweep_at >= 10_000);
    }
}
