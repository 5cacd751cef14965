//! The states of an actor, forward only.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::{Deserialize, Serialize};

/// Where in its life an actor is. The order is the order of a life.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Asked for; nothing runs yet.
    #[default]
    Initial,
    /// Its process, thread or task exists and has said hello.
    Inactive,
    /// Its `start` hook runs.
    Starting,
    /// It takes commands.
    Running,
    /// Its `stopping` hook runs; what is in flight is finished.
    Stopping,
    /// Its mailbox is closed.
    Closed,
    /// It is gone.
    Terminated,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Initial,
        Self::Inactive,
        Self::Starting,
        Self::Running,
        Self::Stopping,
        Self::Closed,
        Self::Terminated,
    ];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initial => "initial",
            Self::Inactive => "inactive",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Closed => "closed",
            Self::Terminated => "terminated",
        })
    }
}

/// A step that was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) struct Transition {
    pub(crate) from: State,
    pub(crate) to: State,
}

/// One incarnation's state. Its lifecycle writes it, anybody reads it.
#[derive(Debug, Default)]
pub(crate) struct StateCell(AtomicU8);

impl StateCell {
    pub(crate) fn get(&self) -> State {
        State::ALL[usize::from(self.0.load(Ordering::Acquire))]
    }

    /// The actor's process, thread or task exists.
    pub(crate) fn come_alive(&self) -> Option<Transition> {
        self.advance(State::Inactive)
    }

    /// The `start` hook begins.
    pub(crate) fn begin_start(&self) -> Option<Transition> {
        self.advance(State::Starting)
    }

    /// The actor is ready.
    pub(crate) fn run(&self) -> Option<Transition> {
        self.advance(State::Running)
    }

    /// The `stopping` hook begins.
    pub(crate) fn begin_stop(&self) -> Option<Transition> {
        self.advance(State::Stopping)
    }

    /// The mailbox takes nothing more.
    pub(crate) fn close(&self) -> Option<Transition> {
        self.advance(State::Closed)
    }

    /// Nothing of the actor is left.
    pub(crate) fn terminate(&self) -> Option<Transition> {
        self.advance(State::Terminated)
    }

    /// Moves forward to `to`, skipping what lies between; `None` if the actor was there already
    /// or past it. Only one caller sees any given step.
    fn advance(&self, to: State) -> Option<Transition> {
        let before = self.0.fetch_max(to as u8, Ordering::AcqRel);
        let from = State::ALL[usize::from(before)];
        (from < to).then_some(Transition { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_only_move_forward() {
        let state = StateCell::default();
        let step = state.begin_stop();
        let expected = Transition {
            from: State::Initial,
            to: State::Stopping,
        };
        assert_eq!(step, Some(expected));
        assert_eq!(state.run(), None);
        assert_eq!(state.begin_stop(), None);
        assert_eq!(state.get(), State::Stopping);
        assert!(state.terminate().is_some());
    }
}
