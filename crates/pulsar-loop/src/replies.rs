//! Replies on their way to callers in this process.

use std::fmt;
use std::mem;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// A slot for each reply that an actor, or the other side of a link, owes to this process. Slots are used again, so that an
/// ask allocates nothing once there are as many as there were ever asks at once.
///
/// A [`Ticket`] stands for one ask. The caller holds one copy and its message the other; each may be used late or
/// twice without harm, as a slot knows which ask it is used for.
pub struct Replies<R> {
    slots: Mutex<Slots<R>>,
    /// How many may wait.
    most: usize,
    /// How many do. Written under the lock.
    awaited: AtomicUsize,
    /// How many callers' time has passed. Written under the lock, and read without by those who find none.
    late: AtomicUsize,
}

struct Slots<R> {
    all: Vec<Slot<R>>,
    /// Those that are used for no ask.
    free: Vec<u32>,
    closed: bool,
}

struct Slot<R> {
    /// How many asks it has been used for.
    used: u32,
    stage: Stage<R>,
}

enum Stage<R> {
    Free,
    /// The caller waits, and is woken so once it has looked.
    Awaited(Option<Waker>),
    /// The caller's time has passed; the message has not been looked at since.
    Late,
    Given(R),
}

/// One ask, as its caller and its message know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
// In one piece, so that it is moved in one.
pub struct Ticket(NonZeroU64);

/// One that no ask ever has.
const NOBODYS: NonZeroU64 = NonZeroU64::MAX;

impl Ticket {
    /// `used` is not 0.
    fn new(slot: u32, used: u32) -> Self {
        let number = u64::from(used) << 32 | u64::from(slot);
        Self(NonZeroU64::new(number).unwrap_or(NOBODYS))
    }

    /// As a number that is not 0, and less than 2⁶³.
    pub fn number(self) -> u64 {
        self.0.get()
    }

    /// The ticket of this number. One that was never given is nobody's.
    pub fn of_number(number: u64) -> Self {
        Self(NonZeroU64::new(number).unwrap_or(NOBODYS))
    }

    fn slot(self) -> u32 {
        (self.0.get() & u64::from(u32::MAX)) as u32
    }

    fn used(self) -> u32 {
        (self.0.get() >> 32) as u32
    }
}

impl<R> Replies<R> {
    /// Slots for so many asks that wait at once; by default what bounds them is where their messages wait.
    pub fn at_most(most: usize) -> Self {
        Self {
            slots: Mutex::new(Slots {
                all: Vec::new(),
                free: Vec::new(),
                closed: false,
            }),
            most,
            awaited: AtomicUsize::new(0),
            late: AtomicUsize::new(0),
        }
    }

    /// A ticket for an ask that is about to be sent, whose caller is woken so; `None` once nothing is answered any more,
    /// or where as many wait as may.
    pub fn open(&self, caller: Option<&Waker>) -> Option<Ticket> {
        let mut slots = self.slots.lock();
        if slots.closed || self.waiting() >= self.most {
            return None;
        }
        let slot = match slots.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(slots.all.len()).ok()?;
                slots.all.push(Slot {
                    used: 0,
                    stage: Stage::Free,
                });
                slot
            }
        };
        let place = slots.all.get_mut(slot as usize)?;
        // Never 0: no ticket's number is.
        place.used = (place.used + 1) % (1 << 31);
        place.used = place.used.max(1);
        place.stage = Stage::Awaited(caller.cloned());
        let used = place.used;
        self.awaited.store(self.waiting() + 1, Ordering::Release);
        Some(Ticket::new(slot, used))
    }

    /// The reply, once it is there; `None` if there will be none. The ticket is used up then.
    pub fn poll(&self, ticket: Ticket, task: &mut Context<'_>) -> Poll<Option<R>> {
        let mut slots = self.slots.lock();
        let closed = slots.closed;
        let Some(stage) = slots.stage(ticket) else {
            return Poll::Ready(None);
        };
        let given = match stage {
            Stage::Awaited(waker) if !closed => {
                match waker {
                    Some(waker) => waker.clone_from(task.waker()),
                    none => *none = Some(task.waker().clone()),
                }
                return Poll::Pending;
            }
            Stage::Late => return Poll::Ready(None),
            stage => mem::replace(stage, Stage::Free),
        };
        self.waits_less(matches!(given, Stage::Awaited(_)));
        slots.free(ticket);
        // Outside of the lock: a waker's drop may run code of others.
        drop(slots);
        Poll::Ready(match given {
            Stage::Given(reply) => Some(reply),
            Stage::Awaited(_) | Stage::Late | Stage::Free => None,
        })
    }

    /// Gives the reply to the caller; false if it waits no more.
    pub fn give(&self, ticket: Ticket, reply: R) -> bool {
        let mut slots = self.slots.lock();
        let before = match slots.stage(ticket) {
            Some(stage @ Stage::Awaited(_)) => mem::replace(stage, Stage::Given(reply)),
            Some(Stage::Late) => {
                self.late.fetch_sub(1, Ordering::Release);
                slots.free(ticket);
                return false;
            }
            Some(Stage::Given(_) | Stage::Free) | None => return false,
        };
        self.waits_less(true);
        drop(slots);
        if let Stage::Awaited(Some(waker)) = before {
            waker.wake();
        }
        true
    }

    /// Gives all who wait the reply that `reply` makes.
    pub fn give_all(&self, mut reply: impl FnMut() -> R) {
        let mut slots = self.slots.lock();
        self.awaited.store(0, Ordering::Release);
        let mut wakers = Vec::new();
        for slot in &mut slots.all {
            if let Stage::Awaited(waker) = &mut slot.stage {
                wakers.extend(waker.take());
                slot.stage = Stage::Given(reply());
            }
        }
        drop(slots);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// How many wait: neither given a reply nor late.
    pub fn waiting(&self) -> usize {
        self.awaited.load(Ordering::Acquire)
    }

    /// One waits less, if `does`. Under the lock.
    fn waits_less(&self, does: bool) {
        if does {
            self.awaited.store(self.waiting() - 1, Ordering::Release);
        }
    }

    /// The caller waits no more. Its message is run all the same. False if there was a reply, or it waited no more
    /// before.
    pub fn give_up(&self, ticket: Ticket) -> bool {
        let mut slots = self.slots.lock();
        let before = match slots.stage(ticket) {
            Some(Stage::Late) | None => return false,
            Some(stage) => mem::replace(stage, Stage::Free),
        };
        let waited = matches!(before, Stage::Awaited(_));
        self.waits_less(waited);
        slots.free(ticket);
        drop(slots);
        drop(before);
        waited
    }

    /// The same, where the message has never left; a reply that was given nevertheless stays for the caller.
    pub fn give_up_unanswered(&self, ticket: Ticket) -> bool {
        let mut slots = self.slots.lock();
        let before = match slots.stage(ticket) {
            Some(stage @ Stage::Awaited(_)) => mem::replace(stage, Stage::Free),
            _ => return false,
        };
        self.waits_less(true);
        slots.free(ticket);
        drop(slots);
        drop(before);
        true
    }

    /// The caller's time has passed: the message is not to be run if its turn has not come yet.
    pub fn be_late(&self, ticket: Ticket) {
        let mut slots = self.slots.lock();
        if let Some(stage @ Stage::Awaited(_)) = slots.stage(ticket) {
            let before = mem::replace(stage, Stage::Late);
            self.waits_less(true);
            self.late.fetch_add(1, Ordering::Release);
            drop(slots);
            drop(before);
        }
    }

    /// Whether the caller's time has passed.
    pub fn is_late(&self, ticket: Ticket) -> bool {
        self.late.load(Ordering::Acquire) > 0
            && matches!(self.slots.lock().stage(ticket), Some(Stage::Late))
    }

    /// Nothing is answered any more: those who still wait learn that.
    pub fn close(&self) {
        self.slots.lock().closed = true;
        self.wake_all();
    }

    /// Has all who wait look again.
    pub fn wake_all(&self) {
        let mut slots = self.slots.lock();
        let wakers = slots
            .all
            .iter_mut()
            .filter_map(|slot| match &mut slot.stage {
                Stage::Awaited(waker) => waker.take(),
                Stage::Free | Stage::Late | Stage::Given(_) => None,
            });
        let wakers: Vec<_> = wakers.collect();
        drop(slots);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<R> Slots<R> {
    /// Where the ask of this ticket is; `None` if it is over.
    fn stage(&mut self, ticket: Ticket) -> Option<&mut Stage<R>> {
        let slot = self.all.get_mut(ticket.slot() as usize)?;
        let is_over = slot.used != ticket.used() || matches!(slot.stage, Stage::Free);
        (!is_over).then_some(&mut slot.stage)
    }

    /// The slot of this ticket, which is in use, is for others.
    fn free(&mut self, ticket: Ticket) {
        if let Some(slot) = self.all.get_mut(ticket.slot() as usize) {
            slot.stage = Stage::Free;
            self.free.push(ticket.slot());
        }
    }
}

impl<R> Default for Replies<R> {
    fn default() -> Self {
        Self::at_most(usize::MAX)
    }
}

impl<R> fmt::Debug for Replies<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = self.slots.lock();
        let open = slots.all.len() - slots.free.len();
        write!(f, "Replies({open} open)")
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    use futures_util::FutureExt;

    use super::*;

    fn poll(replies: &Replies<u32>, ticket: Ticket) -> Option<Option<u32>> {
        poll_fn(|task| replies.poll(ticket, task)).now_or_never()
    }

    #[test]
    fn a_reply_reaches_the_ask_that_it_is_for_and_its_slot_is_used_again() {
        let replies = Replies::default();
        let (one, two) = (replies.open(None).unwrap(), replies.open(None).unwrap());
        assert_eq!(poll(&replies, two), None);
        assert_eq!(replies.waiting(), 2);
        assert!(replies.give(two, 2) && replies.give(one, 1));
        assert_eq!(replies.waiting(), 0);
        assert_eq!(poll(&replies, two), Some(Some(2)));
        assert_eq!(poll(&replies, one), Some(Some(1)));
        let again = [replies.open(None).unwrap(), replies.open(None).unwrap()];
        assert!(again.iter().all(|ticket| ticket.slot() < 2));
    }

    #[test]
    fn a_reply_to_an_ask_that_was_given_up_reaches_nobody_else() {
        let replies = Replies::default();
        let before = replies.open(None).unwrap();
        assert!(replies.give_up(before) && !replies.give_up(before));
        let after = replies.open(None).unwrap();
        assert_eq!(before.slot(), after.slot());
        assert!(!replies.give(before, 1));
        assert_eq!(poll(&replies, after), None);
        assert!(replies.give(after, 2) && !replies.give(after, 3));
        assert_eq!(poll(&replies, after), Some(Some(2)));
        assert_eq!(poll(&replies, after), Some(None));
    }

    #[test]
    fn a_late_ask_keeps_its_slot_until_its_message_is_looked_at() {
        let replies = Replies::default();
        let late = replies.open(None).unwrap();
        assert!(!replies.is_late(late));
        replies.be_late(late);
        replies.give_up(replies.open(None).unwrap());
        assert!(replies.is_late(late));
        assert_eq!(replies.waiting(), 0);
        assert!(!replies.give(late, 1));
        assert!(!replies.is_late(late));
        assert_eq!(replies.slots.lock().free.len(), 2);
    }

    #[test]
    fn all_who_wait_are_given_one() {
        let replies = Replies::default();
        let tickets = [(); 3].map(|()| replies.open(None).unwrap());
        replies.give(tickets[0], 1);
        replies.give_all(|| 7);
        let given = tickets.map(|ticket| poll(&replies, ticket));
        assert_eq!(given, [1, 7, 7].map(|reply| Some(Some(reply))));
    }

    #[test]
    fn as_many_wait_as_may_and_no_more() {
        let replies = Replies::<u32>::at_most(2);
        let (one, two) = (replies.open(None).unwrap(), replies.open(None).unwrap());
        assert_eq!(replies.open(None), None);
        replies.give(one, 1);
        let three = replies.open(None).unwrap();
        assert_eq!(replies.open(None), None);
        assert!(replies.give_up(two) && replies.give_up(three));
        assert!(replies.open(None).is_some());
        // Nothing bounds them otherwise, whatever the mailbox of an actor may hold.
        let unbounded = Replies::<u32>::default();
        assert!((0..1 << 19).all(|_| unbounded.open(None).is_some()));
    }

    #[test]
    fn a_ticket_is_a_number() {
        let replies = Replies::<u32>::default();
        let ticket = replies.open(None).unwrap();
        assert!((1..1 << 63).contains(&ticket.number()));
        assert_eq!(Ticket::of_number(ticket.number()), ticket);
        for nobodys in [0, u64::MAX, 1 << 63] {
            assert!(!replies.give(Ticket::of_number(nobodys), 1));
        }
    }

    #[test]
    fn whoever_waits_at_the_end_is_woken_and_what_was_given_before_counts() {
        let replies = Replies::default();
        let (given, open) = (replies.open(None).unwrap(), replies.open(None).unwrap());
        replies.give(given, 1);
        let woken = Arc::new(Woken::default());
        let waker = Arc::clone(&woken).into();
        let waiting = replies.poll(open, &mut Context::from_waker(&waker));
        assert_eq!(waiting, Poll::Pending);
        replies.close();
        assert!(woken.0.load(Ordering::Relaxed));
        assert_eq!(poll(&replies, open), Some(None));
        assert_eq!(poll(&replies, given), Some(Some(1)));
        assert_eq!(replies.open(None), None);
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
