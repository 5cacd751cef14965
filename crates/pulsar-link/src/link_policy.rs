//! How the processes of a system speak with each other.

use std::env;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Link, RingSettings};

/// `socket` or `rings`.
const WAY: &str = "PULSAR_LINK";
/// Microseconds.
const POLL: &str = "PULSAR_LINK_POLL_US";
/// The longest time that a reader may poll: who polls for longer than it takes to be woken a thousand
/// times has mistaken the unit.
const LONGEST_POLL: Duration = Duration::from_millis(50);

/// How the processes of a system speak with each other: over sockets, or, once there is traffic, through
/// rings in shared memory. The arbiter's holds for all; see
/// `Arbiter::set_link_policy`.
///
/// Its defaults come from the environment: `PULSAR_LINK` is `rings` or `socket`, `PULSAR_LINK_POLL_US` is
/// [`poll`](Self::poll) in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkPolicy {
    /// Links go on through rings once there is traffic. It takes 260 KiB at most for each link, and only
    /// what of that is used.
    pub rings: bool,
    /// Messages that go over a link, in both directions, before it does.
    pub after: u32,
    /// How long a reader that has just been busy looks at its ring before it sleeps; zero is never. At most
    /// 50 ms. While it does, its thread takes a processor for itself and the other tasks of its loop: an ask
    /// between two such readers takes less than a microsecond, where one that has to be woken takes tens.
    pub poll: Duration,
}

impl Default for LinkPolicy {
    /// Rings after a few messages, and 50 µs, whatever the environment says.
    fn default() -> Self {
        Self {
            rings: true,
            after: RingSettings::AFTER,
            poll: RingSettings::POLL,
        }
    }
}

impl LinkPolicy {
    /// What the environment says, or else the default. What it says wrongly is warned of.
    pub fn from_environment() -> Self {
        let said = |name| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self::read(said(WAY).as_deref(), said(POLL).as_deref())
    }

    fn read(way: Option<&str>, poll: Option<&str>) -> Self {
        let mut policy = Self::default();
        match way {
            None | Some("" | "rings") => {}
            Some("socket") => policy.rings = false,
            Some(other) => {
                tracing::warn!(value = other, "{WAY} is neither rings nor socket");
            }
        }
        match poll.filter(|poll| !poll.is_empty()).map(str::parse) {
            None => {}
            Some(Ok(us)) => policy.poll = Duration::from_micros(us),
            Some(Err(_)) => tracing::warn!(value = poll, "{POLL} is no number of microseconds"),
        }
        policy
    }

    /// A link as this says; this end `makes` its rings, or the other.
    #[must_use]
    pub fn apply(self, link: Link, makes: bool) -> Link {
        match self.rings {
            true => link.with_rings(RingSettings {
                makes,
                after: self.after,
                poll: self.poll.min(LONGEST_POLL),
            }),
            false => link,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_the_way_and_how_long_readers_poll() {
        let default = LinkPolicy::default();
        assert_eq!(LinkPolicy::read(None, None), default);
        assert_eq!(LinkPolicy::read(Some("rings"), Some("")), default);
        assert_eq!(LinkPolicy::read(Some("shm"), Some("50us")), default);
        assert!(!LinkPolicy::read(Some("socket"), None).rings);
        let poll = Duration::from_micros(7);
        let expected = LinkPolicy { poll, ..default };
        assert_eq!(LinkPolicy::read(None, Some("7")), expected);
    }
}
