//! What one connection is doing, and when it has done so for too long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::deadlines::Deadlines;

/// What every HTTP/2 connection begins with, and no HTTP/1 request.
const HTTP2_BEGINNING: &[u8] = b"PRI ";

/// What one connection is doing: told by its [`Socket`](crate::socket::Socket) and its requests, asked by its task.
///
/// On HTTP/1 all of them run in one task. On HTTP/2 the requests are tasks of their own, which can only make a connection busy
/// or idle.
pub(crate) struct Activity {
    state: Mutex<State>,
    cut: AtomicBool,
    pub(crate) reader: AtomicWaker,
    pub(crate) writer: AtomicWaker,
    socket_closed: Notify,
}

struct State {
    phase: Phase,
    http2: bool,
}

#[derive(Clone, Copy)]
enum Phase {
    /// Accepted, nothing read yet (HTTP/2: no request yet).
    New(Instant),
    /// Part of a request's header has been read. Never so on HTTP/2, whose frames need not belong to a request.
    Head(Instant),
    /// So many requests are without the end of their response.
    Busy(usize),
    /// Nothing has come since the last response.
    Idle(Instant),
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::New(Instant::now()),
                http2: false,
            }),
            cut: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            socket_closed: Notify::new(),
        }
    }

    /// When the client has to have done something; `None` while it is the server's turn, or without a deadline.
    pub(crate) fn due(&self, deadlines: &Deadlines) -> Option<Instant> {
        match self.state().phase {
            Phase::New(since) | Phase::Head(since) => since.checked_add(deadlines.header),
            Phase::Idle(since) => since.checked_add(deadlines.idle),
            Phase::Busy(_) => None,
        }
    }

    /// Whether a graceful shutdown loses no request: hyper would close a kept-alive connection together with a header of which it
    /// has read a part.
    pub(crate) fn may_shut(&self) -> bool {
        !matches!(self.state().phase, Phase::Head(_))
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.state().http2
    }

    /// The socket has read these bytes.
    pub(crate) fn read(&self, bytes: &[u8]) {
        let mut state = self.state();
        match state.phase {
            Phase::New(_) if bytes.starts_with(HTTP2_BEGINNING) => state.http2 = true,
            Phase::New(_) | Phase::Idle(_) if !state.http2 => {
                state.phase = Phase::Head(Instant::now());
            }
            _ => {}
        }
    }

    /// A request's header has come; it lasts until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>, http2: bool) -> RequestGuard {
        let mut state = self.state();
        state.http2 |= http2;
        let others = match state.phase {
            Phase::Busy(others) => others,
            _ => 0,
        };
        state.phase = Phase::Busy(others + 1);
        drop(state);
        RequestGuard(self.clone())
    }

    fn end(&self) {
        let mut state = self.state();
        state.phase = match state.phase {
            Phase::Busy(requests) if requests > 1 => Phase::Busy(requests - 1),
            _ => Phase::Idle(Instant::now()),
        };
    }

    /// Makes the socket fail from now on, wherever an upgrade has taken it.
    pub(crate) fn cut(&self) {
        // The socket registers its waker before it looks at the flag: either it sees the flag, or it is woken here.
        self.cut.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// The socket has been dropped.
    pub(crate) fn close_socket(&self) {
        self.socket_closed.notify_one();
    }

    /// Waits until the socket has been dropped. For one caller, once.
    pub(crate) async fn socket_closed(&self) {
        self.socket_closed.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose response has not ended yet.
pub(crate) struct RequestGuard(Arc<Activity>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    #[test]
    fn a_new_connection_has_the_header_deadline_and_may_be_shut() {
        let activity = Activity::new();
        assert_eq!((due(&activity), activity.may_shut()), (Some(10), true));
    }

    #[test]
    fn a_connection_is_due_for_its_header_then_not_then_for_being_idle() {
        let activity = Arc::new(Activity::new());
        activity.read(b"GET / HT");
        assert_eq!((due(&activity), activity.may_shut()), (Some(10), false));
        let request = activity.begin(false);
        activity.read(b"a body");
        assert_eq!((due(&activity), activity.may_shut()), (None, true));
        drop(request);
        assert_eq!((due(&activity), activity.may_shut()), (Some(75), true));
        activity.read(b"G");
        assert_eq!((due(&activity), activity.may_shut()), (Some(10), false));
    }

    #[test]
    fn http2_is_idle_once_its_last_request_has_ended_whatever_frames_come() {
        let activity = Arc::new(Activity::new());
        activity.read(b"PRI * HTTP/2.0");
        assert!(activity.is_http2());
        assert_eq!((due(&activity), activity.may_shut()), (Some(10), true));
        let requests = (activity.begin(true), activity.begin(true));
        drop(requests.0);
        assert_eq!(due(&activity), None);
        drop(requests.1);
        activity.read(b"a ping");
        assert_eq!((due(&activity), activity.may_shut()), (Some(75), true));
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
