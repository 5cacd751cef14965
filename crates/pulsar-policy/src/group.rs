//! What a group is told, what it decides, and how it is doing.

use pulsar_model::Cause;
use tokio::time::Instant;

/// What happens to a group. Children count from 0, in the order of their start.
#[derive(Clone, PartialEq, Debug)]
pub enum GroupEvent {
    /// A child is ready.
    Ready {
        /// Which.
        child: usize,
    },
    /// A child has ended, or was never made.
    Ended {
        /// Which.
        child: usize,
        /// How; [`Cause::Failed`] if it was never made.
        cause: Cause,
    },
    /// A pool shall have so many children; those that were stopped or have ended for good begin
    /// anew. Ordered groups ignore it.
    ///
    /// A pool keeps track of as many places as it was ever told to have: whoever passes on a number
    /// bounds it.
    ScaleTo {
        /// How many.
        children: usize,
    },
    /// An operator's word: the child stops and stays stopped, unless a pool is scaled.
    StopChild {
        /// Which.
        child: usize,
    },
    /// The group is to end.
    StopAsked,
    /// The time of [`Supervision::deadline`](crate::Supervision::deadline) has come.
    TimeCame,
}

/// What a group does. Children count from 0, in the order of their start.
#[derive(Clone, PartialEq, Debug)]
pub enum GroupDecision {
    /// Begin its next life now.
    Start {
        /// Whose.
        child: usize,
    },
    /// Ask the living one to stop.
    Stop {
        /// Whom.
        child: usize,
    },
    /// It was asked to stop and its time has passed: kill it. Said once. Its end must follow.
    Kill {
        /// Whom.
        child: usize,
    },
    /// Its next life begins no earlier: for those who ask. It begins by a later
    /// [`Start`](Self::Start).
    Delay {
        /// Whose.
        child: usize,
        /// When, at the earliest.
        until: Instant,
    },
    /// Its place is given up. A [`Start`](Self::Start) that follows is of a new place.
    Forget {
        /// Whose.
        child: usize,
    },
    /// No child lives and none will: the group ends. The last decision.
    End {
        /// Why it has given up, if it has.
        gave_up: Option<String>,
    },
}

/// How a group is doing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct GroupStatus {
    /// Children that the group is meant to have, whatever has become of them.
    pub size: usize,
    /// Children that should be alive: not those that have ended for good, were stopped by an operator or
    /// scaled away. A group that stops leaves it as it is.
    pub wanted: usize,
    /// Children that are ready now.
    pub ready: usize,
    /// Lives that have begun and not ended.
    pub living: usize,
    /// A child has been ready at some time.
    pub ever_ready: bool,
    /// How the last child ended that ended by itself and not in order.
    pub last_failure: Option<Cause>,
    /// Why the group has given up, if it has: told as soon as it does, before its children have
    /// stopped.
    pub gave_up: Option<String>,
    /// It ends: no child begins any more. Told from the moment that it is asked to stop or gives up.
    pub stopping: bool,
}

impl GroupStatus {
    /// True if all children that should be alive are ready.
    pub fn is_whole(&self) -> bool {
        self.ready >= self.wanted
    }
}
