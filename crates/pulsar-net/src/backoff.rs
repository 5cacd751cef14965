//! What an error of `accept` means, and how long to wait after it.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

/// Long enough for a connection to end, short enough not to be felt.
const FIRST_WAIT: Duration = Duration::from_millis(10);

/// Descriptors that have not come back by now take longer; once a second is cheap to ask.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What to do after an error of `accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The queue is empty, or another process was faster.
    Empty,
    /// This one connection failed; the next may not.
    Next,
    /// This process or the system has run out of something. The connection stays in the queue, so the socket stays ready, and
    /// trying again at once would spin.
    Wait,
    /// The socket itself is useless.
    Fatal,
}

impl Verdict {
    pub(crate) fn of(error: &io::Error) -> Self {
        let Some(errno) = Errno::from_io_error(error) else {
            return Self::Wait;
        };
        match errno {
            Errno::WOULDBLOCK => Self::Empty,
            // What the manual of accept tells to treat like an empty queue, and a firewall's refusal.
            Errno::CONNABORTED
            | Errno::INTR
            | Errno::PERM
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::CONNRESET => Self::Next,
            Errno::BADF | Errno::NOTSOCK | Errno::INVAL | Errno::OPNOTSUPP => Self::Fatal,
            // MFILE, NFILE, NOBUFS and NOMEM; and whatever is unknown, which must not spin either.
            _ => Self::Wait,
        }
    }
}

/// The waits of one episode of failing accepts: 10 ms, doubling to 1 s.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// The next wait, and whether it is the first of its episode, which is the one to log.
    pub(crate) fn next(&mut self) -> (Duration, bool) {
        let first = self.last.is_none();
        let wait = self
            .last
            .map_or(FIRST_WAIT, |last| (last * 2).min(LONGEST_WAIT));
        self.last = Some(wait);
        (wait, first)
    }

    /// An accept worked: the episode is over. Whether there was one.
    pub(crate) fn reset(&mut self) -> bool {
        self.last.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_10_ms_to_1_s_and_is_logged_once() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..9).map(|_| backoff.next()).collect();
        let millis: Vec<_> = waits.iter().map(|(wait, _)| wait.as_millis()).collect();
        assert_eq!(millis, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        let logged = waits.iter().filter(|(_, first)| *first).count();
        assert_eq!((logged, waits[0].1), (1, true));
    }

    #[test]
    fn an_accept_that_works_ends_the_episode() {
        let mut backoff = Backoff::default();
        assert!(!backoff.reset());
        backoff.next();
        backoff.next();
        assert!(backoff.reset());
        assert_eq!(backoff.next(), (FIRST_WAIT, true));
    }

    #[test]
    fn each_error_has_its_verdict() {
        let of = |errno: Errno| Verdict::of(&errno.into());
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::IO,
        ] {
            assert_eq!(of(errno), Verdict::Wait, "{errno}");
        }
        for errno in [Errno::CONNABORTED, Errno::INTR, Errno::PERM, Errno::NETDOWN] {
            assert_eq!(of(errno), Verdict::Next, "{errno}");
        }
        assert_eq!(of(Errno::AGAIN), Verdict::Empty);
        assert_eq!(of(Errno::BADF), Verdict::Fatal);
        assert_eq!(of(Errno::INVAL), Verdict::Fatal);
        assert_eq!(Verdict::of(&io::Error::other("no number")), Verdict::Wait);
    }
}
