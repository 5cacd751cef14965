//! How many processes of the system poll at a time.
//!
//! Who polls keeps a processor busy. That is worth it while there is nothing else for it to do, so no
//! more may poll than there are processors, whatever links they have. All processes of a system share a page
//! with a *seat* for each processor; who polls on one takes its seat. The page is made by the arbiter,
//! and passed to a child before its first rings.
//!
//! A seat is lent for a millisecond and renewed while it is used, so that a process that is killed
//! while it polls, or stopped, keeps it no longer. What is stored there is not trusted with more than
//! that: the worst that a liar reaches is that others poll too much or not at all.

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use pulsar_sys::SharedWords;
use pulsar_sys::sealed::NotSealed;

/// What one seat takes: a line of a cache, so that one that is renewed takes no other one away.
const SEAT_BYTES: usize = 64;
/// Seats. On a machine with more processors some share one: there fewer poll than could.
const SEATS: usize = 256;
/// Pages of it that nobody sits on are not there.
const PAGE_BYTES: NonZeroUsize = NonZeroUsize::new(SEAT_BYTES * SEATS).unwrap();
/// The unit of time on a seat, as a power of two of nanoseconds: 65 µs, so that 32 bits are days and
/// one who polls stores but a few times in a millisecond.
const TICK_SHIFT: u32 = 16;
/// How long a seat is lent, in ticks: a millisecond. Longer than one who polls is kept from it by the
/// other tasks of its loop, as a rule; so short that a dead one's seat is not missed.
const LEASE_TICKS: u32 = 16;

/// The page of this process's system.
static HERE: OnceLock<Option<Seats>> = OnceLock::new();

/// The arbiter begins: makes the page by which the processes of its system agree how many of them
/// poll. It costs a descriptor until [`close_seats`].
pub fn open_seats() {
    drop(Seats::to_pass());
}

/// The arbiter has ended: the page is passed to nobody any more.
pub fn close_seats() {
    if let Some(seats) = Seats::here() {
        seats.descriptor.lock().take();
    }
}

/// The seats of a system.
#[derive(Debug)]
pub(crate) struct Seats {
    words: SharedWords,
    /// By which children take it; where it was made, and while the arbiter runs.
    descriptor: Mutex<Option<Arc<OwnedFd>>>,
}

impl Seats {
    /// The page of this process's system, if it has one.
    pub(crate) fn here() -> Option<&'static Self> {
        HERE.get()?.as_ref()
    }

    /// What is passed to a child, in the arbiter's process. The page is made if there is none;
    /// nothing if that cannot be: then nobody polls.
    pub(crate) fn to_pass() -> Option<Arc<OwnedFd>> {
        let made = HERE.get_or_init(|| match Self::make() {
            Ok(seats) => Some(seats),
            Err(error) => {
                tracing::debug!(%error, "there are no seats: no process of the system polls");
                None
            }
        });
        made.as_ref()?.descriptor.lock().clone()
    }

    /// The arbiter has passed the page. The first is kept.
    ///
    /// # Errors
    ///
    /// If it is no such page.
    pub(crate) fn came(descriptor: &OwnedFd) -> Result<(), NotSealed> {
        let words = SharedWords::take(descriptor.as_fd(), PAGE_BYTES)?;
        let descriptor = Mutex::default();
        // In a test's process both sides may be here.
        let _ = HERE.set(Some(Self { words, descriptor }));
        Ok(())
    }

    fn make() -> std::io::Result<Self> {
        let (words, descriptor) = SharedWords::create(PAGE_BYTES)?;
        let descriptor = Mutex::new(Some(Arc::new(descriptor)));
        Ok(Self { words, descriptor })
    }

    /// Takes the seat of the processor `core` for the process `owner`, or renews it; false if somebody
    /// else has it. `now_ns` is the time of a clock that all processes share.
    pub(crate) fn take(&self, core: u32, owner: u32, now_ns: u64) -> bool {
        let seat = self.seat(core);
        let now = (now_ns >> TICK_SHIFT) as u32;
        // Relaxed, all of it: nothing else hangs on it.
        let found = seat.load(Ordering::Relaxed);
        let (sitter, since) = (found as u32, (found >> 32) as u32);
        if sitter == owner && since == now {
            return true;
        }
        // One that lies in the future is as good as none.
        if sitter != 0 && sitter != owner && now.wrapping_sub(since) < LEASE_TICKS {
            return false;
        }
        let taken = u64::from(now) << 32 | u64::from(owner);
        let swapped = seat.compare_exchange(found, taken, Ordering::Relaxed, Ordering::Relaxed);
        swapped.is_ok()
    }

    /// Gives back the seat of `core`, if `owner` has it.
    pub(crate) fn leave(&self, core: u32, owner: u32) {
        let seat = self.seat(core);
        let found = seat.load(Ordering::Relaxed);
        if found as u32 == owner {
            // If it has changed meanwhile it is somebody else's.
            let _ = seat.compare_exchange(found, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    fn seat(&self, core: u32) -> &AtomicU64 {
        self.words.word(core as usize % SEATS * SEAT_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_NS: u64 = 1 << TICK_SHIFT;
    const LEASE_NS: u64 = TICK_NS * LEASE_TICKS as u64;

    #[test]
    fn one_polls_on_each_processor() {
        let seats = Seats::make().unwrap();
        assert!(seats.take(0, 7, 0) && seats.take(1, 8, 0));
        assert!(!seats.take(0, 8, TICK_NS) && !seats.take(1, 7, TICK_NS));
        seats.leave(0, 8);
        assert!(!seats.take(0, 8, TICK_NS));
        seats.leave(0, 7);
        assert!(seats.take(0, 8, TICK_NS));
    }

    #[test]
    fn a_seat_is_kept_by_renewing_it_and_lost_without() {
        let seats = Seats::make().unwrap();
        let mut now = 5 * TICK_NS;
        for _ in 0..10 {
            assert!(seats.take(3, 7, now));
            now += LEASE_NS - TICK_NS;
            assert!(!seats.take(3, 8, now));
        }
        // As if it had been killed.
        assert!(seats.take(3, 8, now + TICK_NS));
        assert!(!seats.take(3, 7, now + TICK_NS));
    }

    #[test]
    fn a_seat_that_is_taken_for_the_future_is_free() {
        let seats = Seats::make().unwrap();
        assert!(seats.take(0, 8, 9 * TICK_NS));
        assert!(seats.take(0, 7, 8 * TICK_NS));
    }

    #[test]
    fn a_page_is_taken_by_its_descriptor() {
        let made = Seats::make().unwrap();
        let descriptor = made.descriptor.lock().clone().unwrap();
        Seats::came(&descriptor).unwrap();
        let (other, _) = std::os::unix::net::UnixStream::pair().unwrap();
        Seats::came(&other.into()).unwrap_err();
    }
}
