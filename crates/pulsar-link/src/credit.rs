//! How many messages may be sent to each actor behind a link: the sender's side.
//!
//! A message of the user's costs one credit of its target. The credit comes back when the target
//! takes the message in, or at once when the message was not sent after all. So at most [`WINDOW`]
//! messages of one link wait for one actor, and one slow actor holds up only those who send to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use pulsar_wire::Frame;
use tokio::sync::{Semaphore, TryAcquireError};

use crate::key::{Key, Keyed};
use crate::line::{Line, Place};

/// Messages of the user's that may be on their way to one actor over one link, sent and not yet
/// taken in. Enough to keep a target busy for a round trip; little enough that a target which
/// does not keep up costs its process no more than this many messages for each link.
pub const WINDOW: usize = 256;
/// Targets in a table before those of which nothing is outstanding are looked for.
pub(crate) const SWEEP_TARGETS: usize = 1024;

/// The credits of one link.
#[derive(Debug)]
pub(crate) struct Credits {
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    targets: Keyed<Arc<Target>>,
    /// The table is swept when it has grown past this.
    sweep_at: usize,
    closed: bool,
}

/// One target. Each of its `WINDOW` credits is in exactly one place: a permit of `available`,
/// a [`Credit`] in somebody's hands, or counted in `spent`.
#[derive(Debug)]
struct Target {
    available: Semaphore,
    /// Credits that the other side has yet to return.
    spent: AtomicUsize,
    /// Who waits for a credit, or has got one and not used it.
    line: Arc<Line>,
}

/// The right to send one message to one target. Dropped before it is spent, it goes back.
#[derive(Debug)]
pub(crate) struct Credit {
    target: Arc<Target>,
    spent: bool,
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
    pub(crate) async fn acquire(&self, key: Key) -> Result<Credit, NoCredit> {
        let target = self.target(key)?;
        if target.line.is_empty() {
            match target.try_take() {
                Err(NoCredit::Spent) => {}
                taken => return taken.map(|()| Credit::new(target, None)),
            }
        }
        let place = target.line.join();
        let acquired = target.available.acquire().await;
        // Nothing is awaited between the two: no permit is lost if this is dropped.
        acquired.map_err(|_| NoCredit::Closed)?.forget();
        let credit = Credit::new(target, Some(place));
        credit.let_others_go_first().await;
        Ok(credit)
    }

    /// A credit of this target, if there is one and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`NoCredit`].
    pub(crate) fn try_acquire(&self, key: Key) -> Result<Credit, NoCredit> {
        let target = self.target(key)?;
        if !target.line.is_empty() {
            return Err(NoCredit::Spent);
        }
        target.try_take()?;
        Ok(Credit::new(target, None))
    }

    /// A frame of credit came.
    ///
    /// # Errors
    ///
    /// What is wrong with it, if it returns nothing or more than was spent.
    pub(crate) fn came(&self, frame: &Frame) -> Result<(), String> {
        let (place, task, count) = (frame.place, frame.task, frame.request);
        let known = self.table.lock().targets.get(&(place, task)).cloned();
        let returned = usize::try_from(count).ok().filter(|count| *count > 0);
        let accepted = known.zip(returned).filter(|(target, count)| {
            let less = |spent: usize| spent.checked_sub(*count);
            let spent = &target.spent;
            spent
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, less)
                .is_ok()
        });
        let Some((target, count)) = accepted else {
            return Err(format!(
                "it returned {count} credits of actor {place}-{task}, which are not out"
            ));
        };
        target.available.add_permits(count);
        Ok(())
    }

    /// Nothing more is sent: ends all waits, and refuses those that come.
    pub(crate) fn close(&self) {
        let mut table = self.table.lock();
        table.closed = true;
        for target in table.targets.values() {
            target.available.close();
        }
    }

    fn target(&self, key: Key) -> Result<Arc<Target>, NoCredit> {
        let mut table = self.table.lock();
        if table.closed {
            return Err(NoCredit::Closed);
        }
        if let Some(known) = table.targets.get(&key) {
            return Ok(Arc::clone(known));
        }
        table.sweep();
        let new = Arc::new(Target {
            available: Semaphore::new(WINDOW),
            spent: AtomicUsize::new(0),
            line: Arc::default(),
        });
        table.targets.insert(key, Arc::clone(&new));
        Ok(new)
    }
}

impl Table {
    /// Drops the targets that are as good as new: none of their credits is spent, none held, and
    /// nobody waits. Who holds or waits has a clone of the `Arc`, and clones are only made under
    /// the table's lock: so one that is not shared now stays so, and then `spent` stays too,
    /// since only a held credit can be spent. (`get_mut` synchronizes with the drop of the other
    /// clones, so that what they spent is seen.)
    ///
    /// What is left is looked at again when it has doubled, so that the sweeps cost each new
    /// target a constant, however many are in use.
    fn sweep(&mut self) {
        if self.targets.len() < self.sweep_at {
            return;
        }
        self.targets.retain(|_, target| match Arc::get_mut(target) {
            Some(target) => *target.spent.get_mut() > 0,
            None => true,
        });
        self.sweep_at = SWEEP_TARGETS.max(2 * self.targets.len());
    }
}

impl Target {
    fn try_take(&self) -> Result<(), NoCredit> {
        match self.available.try_acquire() {
            Ok(permit) => permit.forget(),
            Err(TryAcquireError::NoPermits) => return Err(NoCredit::Spent),
            Err(TryAcquireError::Closed) => return Err(NoCredit::Closed),
        }
        Ok(())
    }
}

impl Credit {
    fn new(target: Arc<Target>, place: Option<Place>) -> Self {
        Self {
            target,
            spent: false,
            place,
        }
    }

    /// What it is for has to wait: who comes later goes behind.
    pub(crate) fn stand_in_line(&mut self) {
        let line = &self.target.line;
        self.place.get_or_insert_with(|| line.join());
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
        self.spent = true;
        self.target.spent.fetch_add(1, Ordering::AcqRel);
    }

    /// The message was not sent after all.
    pub(crate) fn unspend(&mut self) {
        self.target.spent.fetch_sub(1, Ordering::AcqRel);
        self.spent = false;
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        if !self.spent {
            self.target.available.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
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
        credits.try_acquire(key).unwrap().spend();
    }

    fn available(credits: &Credits) -> usize {
        credits.target(ACTOR).unwrap().available.available_permits()
    }

    #[test]
    fn a_window_is_given_out_and_no_more() {
        let credits = Credits::default();
        let held: Vec<Credit> = std::iter::from_fn(|| credits.try_acquire(ACTOR).ok()).collect();
        assert_eq!(held.len(), WINDOW);
        assert_eq!(credits.try_acquire(ACTOR).unwrap_err(), NoCredit::Spent);
        // Another target is not concerned.
        credits.try_acquire((7, 4)).unwrap();
        drop(held);
        assert_eq!(available(&credits), WINDOW);
    }

    #[test]
    fn a_credit_is_in_one_place_at_a_time() {
        let credits = Credits::default();
        let mut credit = credits.try_acquire(ACTOR).unwrap();
        assert_eq!(available(&credits), WINDOW - 1);
        credit.spend();
        credit.unspend();
        drop(credit);
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
        let _held = credits.try_acquire(ACTOR).unwrap();
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
        assert_eq!(credits.try_acquire(ACTOR).unwrap_err(), NoCredit::Spent);
        for expected in [0, 1, 2, 3, 5, 6, 7, 8, 9] {
            assert_eq!(came.recv().await, Some(expected));
        }
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
        assert_eq!(credits.try_acquire((1, 1)).unwrap_err(), NoCredit::Closed);
        // What is still on its way back is no garbage.
        credits.came(&returned(1)).unwrap();
    }

    #[test]
    fn idle_targets_are_forgotten_and_others_are_not() {
        let credits = Credits::default();
        spend(&credits, ACTOR);
        let _held = credits.try_acquire((8, 0)).unwrap();
        for place in 0..100_000 {
            drop(credits.try_acquire((place, 1)));
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
