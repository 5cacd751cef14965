//! One timer for all that wait on a loop, for as long as each waits only a moment.
//!
//! A timer of its own for each thing that is over within microseconds costs more than the thing. So a thread that
//! drives a loop for good has a patrol. What others wait for, a mailbox say, is listed there by the first of them in
//! each [`ROUND`], and at the end of the round it wakes those that still wait. Whoever finds then that it has waited
//! for a while takes a timer of its own.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::sleep;

use crate::EventLoop;

/// How often a patrol goes round while anybody waits.
pub(crate) const ROUND: Duration = Duration::from_millis(10);
/// What is listed in one round at most. Whoever waits for more takes a timer at once.
const MOST_LISTED: usize = 4_096;

thread_local! {
    /// The round that is under way on this thread; 0 without a patrol.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
    static PATROL: RefCell<Option<Patrol>> = const { RefCell::new(None) };
}

/// How many patrols there have been in this process.
static PATROLS: AtomicU32 = AtomicU32::new(0);

struct Patrol {
    /// The loop that this thread drives.
    event_loop: EventLoop,
    /// What is waited for in this round.
    listed: Vec<Arc<dyn Awaited>>,
    task: Task,
}

/// The task that goes round.
enum Task {
    NotBegun,
    UnderWay,
    /// Nobody waits: it is woken by the next that does.
    Resting(Waker),
}

/// A round of a patrol: whose, and the how manyth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Round(u64);

impl Round {
    fn of(patrol: u32, number: u32) -> Self {
        Self(u64::from(patrol) << 32 | u64::from(number))
    }

    fn parts(self) -> (u32, u32) {
        let low = self.0 & u64::from(u32::MAX);
        let part = |part| u32::try_from(part).unwrap_or_default();
        (part(self.0 >> 32), part(low))
    }

    fn current() -> Option<Self> {
        Some(Self(CURRENT.get())).filter(|round| round.0 != 0)
    }

    /// Whether whoever waits since this round has waited for [`ROUND`] at least. Where its patrol is not this thread's, it
    /// cannot be told: then it is true as well.
    pub(crate) fn is_past(self) -> bool {
        let ((patrol, since), (here, now)) = (self.parts(), Self(CURRENT.get()).parts());
        patrol != here || now.wrapping_sub(since) > 1
    }
}

/// What several may wait for at once.
pub trait Awaited: Send + Sync {
    /// The mark by which it is listed once in a round.
    fn listing(&self) -> &Listing;

    /// Wakes all that wait.
    fn wake_all(&self);
}

/// The round in which something was listed last.
#[derive(Default, Debug)]
pub struct Listing(AtomicU64);

/// Has those that wait for this woken at the end of this thread's round. `None` if this thread has no patrol, or has
/// too much to look after: then a timer is needed.
pub(crate) fn look_after<T: Awaited + 'static>(what: &Arc<T>) -> Option<Round> {
    let round = Round::current()?;
    let listing = &what.listing().0;
    if listing.load(Ordering::Relaxed) == round.0 {
        return Some(round);
    }
    let listed = list(Arc::<T>::clone(what));
    if listed {
        listing.store(round.0, Ordering::Relaxed);
    }
    listed.then_some(round)
}

fn list(what: Arc<dyn Awaited>) -> bool {
    let task = PATROL.with_borrow_mut(|patrol| {
        let patrol = patrol.as_mut()?;
        if patrol.listed.len() >= MOST_LISTED {
            return None;
        }
        patrol.listed.push(what);
        Some(mem::replace(&mut patrol.task, Task::UnderWay))
    });
    match task {
        None => return false,
        Some(Task::UnderWay) => {}
        Some(Task::Resting(waker)) => waker.wake(),
        Some(Task::NotBegun) => {
            let (number, _) = Round(CURRENT.get()).parts();
            // On that loop, whatever runtime may have been entered here.
            let event_loop = with_patrol(|patrol| patrol.event_loop.clone());
            drop(event_loop.map(|event_loop| event_loop.spawn(go_round(number))));
        }
    }
    true
}

/// Nothing on a thread without a patrol. What is given back is dropped outside of the borrow.
fn with_patrol<T>(act: impl FnOnce(&mut Patrol) -> T) -> Option<T> {
    let acted = PATROL.try_with(|patrol| patrol.borrow_mut().as_mut().map(act));
    acted.ok().flatten()
}

/// Runs for as long as the loop of its patrol does, which is on one thread.
async fn go_round(patrol: u32) {
    let is_here = || Round(CURRENT.get()).parts().0 == patrol;
    let mut listed = Vec::new();
    loop {
        poll_fn(|task| {
            match is_here() && with_patrol(|patrol| patrol.rest(task.waker())) == Some(false) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        sleep(ROUND).await;
        if is_here() {
            with_patrol(|patrol| mem::swap(&mut patrol.listed, &mut listed));
            let (_, number) = Round(CURRENT.get()).parts();
            CURRENT.set(Round::of(patrol, number.wrapping_add(1)).0);
            for what in listed.drain(..) {
                what.wake_all();
            }
        }
    }
}

impl Patrol {
    /// The task rests if nobody waits.
    fn rest(&mut self, waker: &Waker) -> bool {
        let rests = self.listed.is_empty();
        if rests {
            self.task = Task::Resting(waker.clone());
        }
        rests
    }
}

/// This thread has a patrol until this is dropped.
#[must_use = "the patrol ends when this is dropped"]
pub struct Patrolled {
    /// It belongs to its thread.
    not_send: PhantomData<*const ()>,
}

/// Gives this thread a patrol, for as long as it drives this loop, which no other thread ever drives.
pub fn patrol(event_loop: &EventLoop) -> Patrolled {
    let number = PATROLS.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    CURRENT.set(Round::of(number, 0).0);
    let patrol = Patrol {
        event_loop: event_loop.clone(),
        listed: Vec::new(),
        task: Task::NotBegun,
    };
    drop(PATROL.replace(Some(patrol)));
    Patrolled {
        not_send: PhantomData,
    }
}

impl Drop for Patrolled {
    fn drop(&mut self) {
        CURRENT.set(0);
        drop(PATROL.take());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    #[derive(Default)]
    struct Counted {
        listing: Listing,
        woken: AtomicUsize,
    }

    impl Awaited for Counted {
        fn listing(&self) -> &Listing {
            &self.listing
        }

        fn wake_all(&self) {
            self.woken.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Counted {
        fn count(&self) -> usize {
            self.woken.load(Ordering::Relaxed)
        }
    }

    fn stopped_clock() -> Runtime {
        let mut builder = Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    }

    fn patrolled(runtime: &Runtime) -> Patrolled {
        patrol(&EventLoop::from(runtime.handle().clone()))
    }

    #[test]
    fn what_is_awaited_wakes_once_in_each_round_in_which_it_was_listed() {
        let runtime = stopped_clock();
        let _patrolled = patrolled(&runtime);
        runtime.block_on(async {
            let what = Arc::new(Counted::default());
            let since = look_after(&what).unwrap();
            assert_eq!(look_after(&what), Some(since));
            assert!(!since.is_past());
            sleep(ROUND + ROUND / 2).await;
            assert_eq!(what.count(), 1);
            assert!(
                !since.is_past(),
                "it may have begun at the end of its round"
            );
            look_after(&what).unwrap();
            sleep(ROUND + ROUND / 2).await;
            assert_eq!(what.count(), 2);
            assert!(since.is_past());
        });
    }

    #[test]
    fn the_task_rests_where_nobody_waits_and_begins_again() {
        let runtime = stopped_clock();
        let _patrolled = patrolled(&runtime);
        runtime.block_on(async {
            let what = Arc::new(Counted::default());
            look_after(&what).unwrap();
            sleep(5 * ROUND).await;
            assert_eq!((what.count(), Arc::strong_count(&what)), (1, 1));
            let rests = with_patrol(|patrol| matches!(patrol.task, Task::Resting(_)));
            assert_eq!(rests, Some(true));
            look_after(&what).unwrap();
            sleep(5 * ROUND).await;
            assert_eq!(what.count(), 2);
        });
    }

    #[test]
    fn there_is_none_without_a_loop_and_one_ends_with_its_thread() {
        let what = Arc::new(Counted::default());
        assert_eq!(look_after(&what), None);
        let runtime = stopped_clock();
        let before = patrolled(&runtime);
        let since = look_after(&what).unwrap();
        assert!(!since.is_past());
        drop(before);
        assert!(since.is_past());
        assert_eq!(look_after(&what), None);
        let _patrolled = patrolled(&runtime);
        let since = look_after(&what).unwrap();
        let elsewhere = std::thread::spawn(move || {
            let _patrolled = patrolled(&stopped_clock());
            since.is_past()
        });
        assert!(elsewhere.join().unwrap());
    }

    #[test]
    fn it_goes_round_on_its_own_loop_wherever_its_thread_has_entered() {
        let (runtime, other) = (stopped_clock(), stopped_clock());
        let _patrolled = patrolled(&runtime);
        let what = Arc::new(Counted::default());
        let entered = other.enter();
        look_after(&what).unwrap();
        drop(entered);
        runtime.block_on(async { sleep(3 * ROUND).await });
        assert_eq!(what.count(), 1);
    }

    #[test]
    fn nothing_is_listed_without_end() {
        let runtime = stopped_clock();
        let _patrolled = patrolled(&runtime);
        runtime.block_on(async {
            let listed = |_: &usize| look_after(&Arc::new(Counted::default())).is_some();
            assert_eq!((0..MOST_LISTED + 1).filter(listed).count(), MOST_LISTED);
        });
    }
}
