//! When a reader polls its ring, instead of sleeping until it is woken.
//!
//! To be woken costs tens of microseconds, and a look at the ring some nanoseconds. So who has just
//! read something goes on looking for a while. It does not
//!
//! * when nothing has come for its budget, or twice that where a reply is awaited: an idle link costs nothing;
//! * while the other side ran on this processor last: it cannot go on before this one sleeps;
//! * while somebody else polls on this processor: see [`Seats`].

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pulsar_ring::Sleeper;
use pulsar_sys::scheduling::current_core;
use rustix::time::{ClockId, clock_gettime};

use crate::mapped::Mapped;
use crate::ring_inbox::RingInbox;
use crate::seats::Seats;

/// How long the links of one process look at their rings before the others on their loop have their
/// turn, all together. Less, and going round the loop is most of the work; more, and those wait.
const SPIN_NS: u64 = 300;
/// The same while nobody else on the loop has much to do: about as long as an ask of one that polls too takes.
const QUIET_SPIN_NS: u64 = 800;
/// The longest tour of a loop on which nobody has much to do.
const QUIET_TOUR_NS: u64 = 1_000;

/// Looks at a ring between two at the clock.
const LOOKS: u32 = 4;

/// The links of this process that poll.
static POLLING: AtomicU32 = AtomicU32::new(0);

/// What one who has found nothing to read does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// Reads: there is something now.
    Found,
    /// Looks again when the others on its loop have had their turn.
    ComeBack,
    /// Sleeps until it is woken.
    Sleep,
}

/// What one link knows about polling.
#[derive(Debug)]
pub(crate) struct Poller {
    budget_ns: u64,
    until_ns: u64,
    /// When it looked last.
    left_ns: u64,
    /// Something has come since the last look at the clock.
    is_fresh: bool,
    /// Something has been asked of one who may have to be woken for it, since then.
    is_expecting: bool,
    /// Where this side runs, as the other was told.
    core: Option<u32>,
    /// Whose seat it has, while it polls.
    seat: Option<u32>,
    process: u32,
}

/// Nanoseconds by a clock that all processes share.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Neither is negative.
    (now.tv_sec as u64).wrapping_mul(1_000_000_000) + now.tv_nsec as u64
}

impl Poller {
    /// One that goes on for `budget` after the last frame; not at all if that is zero.
    pub(crate) fn new(budget: Duration) -> Self {
        Self {
            budget_ns: u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX),
            until_ns: 0,
            left_ns: 0,
            is_fresh: true,
            is_expecting: false,
            core: None,
            seat: None,
            process: std::process::id(),
        }
    }

    /// Something has come.
    pub(crate) fn renew(&mut self) {
        self.is_fresh = true;
    }

    /// A reply is to come, of one who may have to be woken first. That alone may take the whole budget: so it is twice as
    /// long, or who asks would fall asleep just before the reply, and have to be woken too.
    pub(crate) fn expect_reply(&mut self) {
        self.is_fresh = true;
        self.is_expecting = true;
    }

    /// Looks at the ring: for a moment, or once if there is something else to do.
    pub(crate) fn look(&mut self, ring: &mut RingInbox, is_busy: bool) -> Look {
        if self.is_with_other(&ring.sleeper) {
            self.stop();
            return Look::Sleep;
        }
        let begun_ns = now_ns();
        if !self.may_poll(begun_ns) {
            self.stop();
            return Look::Sleep;
        }
        let tour_ns = begun_ns.saturating_sub(self.left_ns);
        let spin_ns = match tour_ns < QUIET_TOUR_NS {
            _ if is_busy => 0,
            true => QUIET_SPIN_NS,
            false => SPIN_NS,
        };
        match self.spin(ring, begun_ns, spin_ns) {
            true => Look::Found,
            false => Look::ComeBack,
        }
    }

    /// Looks at the ring for who waits for a reply: once, or for a moment while nobody else on the loop has much to do. True
    /// if there is something.
    pub(crate) fn look_for_reply(&mut self, ring: &mut RingInbox) -> bool {
        if ring.may_have_more() {
            return true;
        }
        if self.is_with_other(&ring.sleeper) {
            return false;
        }
        let begun_ns = now_ns();
        let is_quiet = begun_ns.saturating_sub(self.left_ns) < QUIET_TOUR_NS;
        is_quiet && self.may_poll(begun_ns) && self.spin(ring, begun_ns, QUIET_SPIN_NS)
    }

    /// Looks at the ring for this link's share of that time; true if there is something.
    fn spin(&mut self, ring: &mut RingInbox, begun_ns: u64, spin_ns: u64) -> bool {
        let share_ns = spin_ns / u64::from(POLLING.load(Ordering::Relaxed).max(1));
        self.left_ns = begun_ns;
        loop {
            // The clock takes as long as some looks do.
            for _ in 0..LOOKS {
                if ring.may_have_more() {
                    return true;
                }
                std::hint::spin_loop();
            }
            self.left_ns = now_ns();
            if self.left_ns.saturating_sub(begun_ns) >= share_ns {
                return false;
            }
        }
    }

    /// It sleeps: somebody else may poll here.
    pub(crate) fn stop(&mut self) {
        let Some(core) = self.seat.take() else { return };
        POLLING.fetch_sub(1, Ordering::Relaxed);
        if let Some(seats) = Seats::here() {
            seats.leave(core, self.process);
        }
    }

    /// Tells the other side where this one runs.
    pub(crate) fn publish_core(&mut self, sleeper: &Sleeper<Mapped>) {
        let core = current_core();
        if core != self.core {
            self.core = core;
            if let Some(core) = core {
                sleeper.publish_core(core);
            }
        }
    }

    /// If something has come since the last look at the clock, the budget counts from this one.
    fn begin_anew(&mut self, now_ns: u64) {
        if self.is_fresh {
            self.is_fresh = false;
            let budgets = 1 + u64::from(std::mem::take(&mut self.is_expecting));
            self.until_ns = now_ns.saturating_add(self.budget_ns.saturating_mul(budgets));
        }
    }

    /// True if the other side ran on this processor last, or nobody knows on which.
    fn is_with_other(&self, sleeper: &Sleeper<Mapped>) -> bool {
        self.core.is_none() || sleeper.core_of_other() == self.core
    }

    /// True if it may poll now, where the other side is elsewhere.
    fn may_poll(&mut self, now_ns: u64) -> bool {
        self.begin_anew(now_ns);
        let Some(core) = self.core else { return false };
        if now_ns >= self.until_ns {
            return false;
        }
        let Some(seats) = Seats::here() else {
            return false;
        };
        if self.seat.is_some_and(|seat| seat != core) {
            // It has been moved to another processor.
            self.stop();
        }
        let taken = seats.take(core, self.process, now_ns);
        if taken && self.seat.is_none() {
            self.seat = Some(core);
            POLLING.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_begins_with_what_comes_and_is_twice_as_long_for_a_reply() {
        let mut poller = Poller::new(Duration::from_nanos(50));
        poller.begin_anew(1_000);
        assert_eq!(poller.until_ns, 1_050);
        poller.begin_anew(1_040);
        assert_eq!(poller.until_ns, 1_050);
        poller.expect_reply();
        poller.begin_anew(2_000);
        assert_eq!(poller.until_ns, 2_100);
        poller.renew();
        poller.begin_anew(3_000);
        assert_eq!(poller.until_ns, 3_050);
    }
}
