//! What one connection is doing, and when it has done so for too long.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use pulsar_core::runtime::coarse_us;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::deadlines::Deadlines;

/// What every HTTP/2 connection begins with, and no HTTP/1 request.
const HTTP2_BEGINNING: &[u8] = b"PRI ";

/// A time by the coarse clock is too early by less than this, whatever the system's tick; no idle connection is closed too early.
const COARSE: Duration = Duration::from_millis(10);

/// What one connection is doing: told by its [`Socket`](crate::socket::Socket) and its requests, asked by its task.
///
/// On HTTP/1 all of them run in that task. On HTTP/2 the requests are tasks of their own, which can only make a connection busy
/// or idle.
pub(crate) struct Activity {
    /// When it was accepted: all times in `state` count from here, or from the same by the coarse clock.
    accepted: Instant,
    accepted_us: u64,
    /// A [`State`], packed.
    state: AtomicU64,
    /// The task has something to look at beside its socket.
    marked: AtomicBool,
    cut: AtomicBool,
    handed_over: AtomicBool,
    task: OnceLock<Waker>,
    pub(crate) reader: AtomicWaker,
    pub(crate) writer: AtomicWaker,
    socket_closed: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    phase: Phase,
    http2: bool,
}

/// A time is microseconds since the connection was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Accepted, nothing read yet (HTTP/2: no request yet).
    New,
    /// Part of a request's header has been read; since when, once somebody has asked. Never so on HTTP/2, whose frames need not
    /// belong to a request.
    Head(Option<u64>),
    /// So many requests are without the end of their response.
    Busy(u64),
    /// Nothing has come since the last response, at this time by the coarse clock, of which each request costs one reading.
    Idle(u64),
}

/// A [`State`] as a number: the phase in two bits, `http2` in one, and in the others the phase's value, which holds 73,000 years.
struct Packed;

impl Packed {
    const VALUE_BITS: u32 = u64::BITS - 3;
    /// The value of a time that nobody has asked for.
    const UNKNOWN: u64 = (1 << Self::VALUE_BITS) - 1;

    fn of(state: State) -> u64 {
        let (phase, value) = match state.phase {
            Phase::New => (0, 0),
            Phase::Head(since) => (1, since.unwrap_or(Self::UNKNOWN)),
            Phase::Busy(requests) => (2, requests),
            Phase::Idle(since) => (3, since),
        };
        value << 3 | u64::from(state.http2) << 2 | phase
    }

    fn state(packed: u64) -> State {
        let value = packed >> 3;
        let phase = match packed & 3 {
            0 => Phase::New,
            1 => Phase::Head(Some(value).filter(|value| *value != Self::UNKNOWN)),
            2 => Phase::Busy(value),
            _ => Phase::Idle(value),
        };
        let http2 = packed & 4 != 0;
        State { phase, http2 }
    }
}

impl Activity {
    pub(crate) fn new() -> Self {
        let (phase, http2) = (Phase::New, false);
        Self {
            accepted: Instant::now(),
            accepted_us: coarse_us(),
            state: AtomicU64::new(Packed::of(State { phase, http2 })),
            marked: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            handed_over: AtomicBool::new(false),
            task: OnceLock::new(),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            socket_closed: Notify::new(),
        }
    }

    /// When the client has to have done something; `None` while it is the server's turn, or without a deadline.
    ///
    /// A header is looked at for the first time at the end of the poll that has read its first part: its time begins then.
    pub(crate) fn due(&self, deadlines: &Deadlines) -> Option<Instant> {
        let (since, deadline) = match self.state().phase {
            Phase::New => (0, deadlines.header),
            Phase::Head(Some(since)) => (since, deadlines.header),
            Phase::Head(None) => {
                let now = micros(self.accepted.elapsed());
                self.enter(|state| State {
                    phase: Phase::Head(Some(now)),
                    ..state
                });
                (now, deadlines.header)
            }
            Phase::Idle(since) => (since, deadlines.idle.saturating_add(COARSE)),
            Phase::Busy(_) => return None,
        };
        let since = self.accepted + Duration::from_micros(since);
        since.checked_add(deadline)
    }

    /// Whether a part of a request's header has been read, and not all of it.
    pub(crate) fn is_in_head(&self) -> bool {
        matches!(self.state().phase, Phase::Head(_))
    }

    /// Whether a graceful shutdown loses no request: hyper would close a kept-alive connection together with a header of which it
    /// has read a part.
    pub(crate) fn may_shut(&self) -> bool {
        !self.is_in_head()
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.state().http2
    }

    /// The socket has read these bytes.
    pub(crate) fn read(&self, bytes: &[u8]) {
        self.enter(|state| match state.phase {
            Phase::New if bytes.starts_with(HTTP2_BEGINNING) => State {
                http2: true,
                ..state
            },
            Phase::New | Phase::Idle(_) if !state.http2 => State {
                phase: Phase::Head(None),
                ..state
            },
            _ => state,
        });
    }

    /// A request's header has come; it lasts until [`end`](Self::end).
    pub(crate) fn begin(&self, http2: bool) {
        self.enter(|state| State {
            phase: match state.phase {
                Phase::Busy(others) => Phase::Busy(others + 1),
                _ => Phase::Busy(1),
            },
            http2: state.http2 || http2,
        });
    }

    /// The response to a request has ended.
    pub(crate) fn end(&self) {
        let now = coarse_us().saturating_sub(self.accepted_us);
        self.enter(|state| State {
            phase: match state.phase {
                Phase::Busy(requests) if requests > 1 => Phase::Busy(requests - 1),
                _ => Phase::Idle(now),
            },
            ..state
        });
    }

    /// Has the connection's task look at more than its socket, and wakes it. Before its first poll there is nothing to wake.
    pub(crate) fn mark(&self) {
        self.marked.store(true, Ordering::Release);
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }

    /// Whether there was a mark since the last call; for the connection's task, which has one waker for all of its life.
    pub(crate) fn take_mark(&self, task: &Waker) -> bool {
        // Not seen here, a mark is seen by the poll that it causes.
        if !self.marked.load(Ordering::Relaxed) {
            return false;
        }
        let known = self.task.get_or_init(|| task.clone());
        debug_assert!(known.will_wake(task), "another task has taken over");
        self.marked.swap(false, Ordering::Acquire)
    }

    /// Makes the socket fail from now on, wherever an upgrade has taken it.
    pub(crate) fn cut(&self) {
        // A socket that was handed over registers its waker before it looks at the flag: either it sees the flag, or it is woken
        // here.
        self.cut.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// A request asks for another protocol: from now on others than the connection's task may wait for the socket.
    pub(crate) fn hand_over(&self) {
        // hyper gives the socket away after this request, in the same task: who gets it sees the flag.
        self.handed_over.store(true, Ordering::Release);
    }

    pub(crate) fn is_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Acquire)
    }

    /// The socket has been dropped.
    pub(crate) fn close_socket(&self) {
        self.socket_closed.notify_one();
    }

    /// Waits until the socket has been dropped. For one caller, once.
    pub(crate) async fn socket_closed(&self) {
        self.socket_closed.notified().await;
    }

    fn state(&self) -> State {
        Packed::state(self.state.load(Ordering::Relaxed))
    }

    /// Nothing else is published with the state, so that its order with other memory does not matter.
    fn enter(&self, next: impl Fn(State) -> State) {
        let mut packed = self.state.load(Ordering::Relaxed);
        loop {
            let state = Packed::state(packed);
            let entered = next(state);
            if entered == state {
                return;
            }
            if !entered.http2 {
                // HTTP/1: only the connection's task gets here, or whoever an upgrade gave the socket to, when nobody asks any
                // more. A plain store costs a tenth of an exchange.
                return self.state.store(Packed::of(entered), Ordering::Relaxed);
            }
            let (new, order) = (Packed::of(entered), Ordering::Relaxed);
            match self.state.compare_exchange_weak(packed, new, order, order) {
                Ok(_) => return,
                Err(other) => packed = other,
            }
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(Packed::UNKNOWN - 1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const DEADLINES: Deadlines = Deadlines {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        body: Duration::MAX,
    };

    /// Seconds until the connection is due, rounded.
    fn due(activity: &Activity) -> Option<u64> {
        let left = activity.due(&DEADLINES)? - Instant::now();
        Some((left + Duration::from_millis(500)).as_secs())
    }

    /// A waker that counts.
    fn counting() -> (Waker, Arc<AtomicU64>) {
        struct Counting(Arc<AtomicU64>);
        impl std::task::Wake for Counting {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let count = Arc::<AtomicU64>::default();
        (Waker::from(Arc::new(Counting(count.clone()))), count)
    }

    #[test]
    fn a_new_connection_has_the_header_deadline_and_may_be_shut() {
        let activity = Activity::new();
        assert_eq!((due(&activity), activity.may_shut()), (Some(10), true));
    }

    #[test]
    fn a_connection_is_due_for_its_header_then_not_then_for_being_idle() {
        let activity = Activity::new();
        activity.read(b"GET / HT");
        assert_eq!((due(&activity), activity.may_shut()), (Some(10), false));
        activity.begin(false);
        activity.read(b"a body");
        assert_eq!((due(&activity), activity.may_shut()), (None, true));
        activity.end();
        assert_eq!((due(&activity), activity.may_shut()), (Some(75), true));
        activity.read(b"G");
        assert_eq!((due(&activity), activity.may_shut()), (Some(10), false));
    }

    #[test]
    fn http2_is_idle_once_its_last_request_has_ended_whatever_frames_come() {
        let activity = Activity::new();
        activity.read(b"PRI * HTTP/2.0");
        assert!(activity.is_http2());
        assert_eq!((due(&activity), activity.may_shut()), (Some(10), true));
        activity.begin(true);
        activity.begin(true);
        activity.end();
        assert_eq!(due(&activity), None);
        activity.end();
        activity.read(b"a ping");
        assert_eq!((due(&activity), activity.may_shut()), (Some(75), true));
    }

    #[test]
    fn a_state_survives_its_packing() {
        const LAST: u64 = Packed::UNKNOWN - 1;
        for phase in [
            Phase::New,
            Phase::Head(None),
            Phase::Head(Some(0)),
            Phase::Head(Some(LAST)),
            Phase::Busy(0),
            Phase::Busy(7),
            Phase::Idle(1),
            Phase::Idle(LAST),
        ] {
            for http2 in [false, true] {
                let state = State { phase, http2 };
                assert_eq!(Packed::state(Packed::of(state)), state);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_headers_time_begins_when_it_is_looked_at_first() {
        let activity = Activity::new();
        activity.read(b"G");
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(due(&activity), Some(10));
        tokio::time::advance(Duration::from_secs(3)).await;
        activity.read(b"ET");
        assert_eq!(due(&activity), Some(7));
    }

    #[test]
    fn requests_of_several_threads_are_all_counted() {
        const EACH: usize = 10_000;
        let activity = Activity::new();
        activity.read(b"PRI * HTTP/2.0");
        // One that stays, so that the last of the others leaves the connection busy.
        activity.begin(true);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        activity.begin(true);
                        activity.end();
                    }
                });
            }
        });
        assert_eq!(activity.state().phase, Phase::Busy(1));
    }

    #[test]
    fn each_mark_wakes_the_task_and_is_taken_once() {
        let activity = Activity::new();
        let (waker, woken) = counting();
        assert!(!activity.take_mark(&waker));
        activity.mark();
        assert!(activity.take_mark(&waker));
        for wakes in 1..4 {
            activity.mark();
            assert_eq!(woken.load(Ordering::Relaxed), wakes);
            assert!(activity.take_mark(&waker));
            assert!(!activity.take_mark(&waker));
        }
    }

    #[test]
    fn a_deadline_of_for_ever_is_never_due() {
        let deadlines = Deadlines {
            header: Duration::MAX,
            ..DEADLINES
        };
        assert_eq!(Activity::new().due(&deadlines), None);
    }
}
