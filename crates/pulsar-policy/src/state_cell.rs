//! One incarnation's state, forward only.

use std::sync::atomic::{AtomicU8, Ordering};

use pulsar_model::State;

/// A step that was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Transition {
    /// Where the actor was.
    pub from: State,
    /// Where it is now.
    pub to: State,
}

/// One incarnation's state. Its lifecycle writes it, anybody reads it.
#[derive(Debug, Default)]
pub struct StateCell(AtomicU8);

impl StateCell {
    /// Where the actor is.
    pub fn get(&self) -> State {
        State::ALL[usize::from(self.0.load(Ordering::Acquire))]
    }

    /// The actor's process, thread or task exists.
    pub fn come_alive(&self) -> Option<Transition> {
        self.advance(State::Inactive)
    }

    /// The `start` hook begins.
    pub fn begin_start(&self) -> Option<Transition> {
        self.advance(State::Starting)
    }

    /// The actor is ready.
    pub fn run(&self) -> Option<Transition> {
        self.advance(State::Running)
    }

    /// The `stopping` hook begins.
    pub fn begin_stop(&self) -> Option<Transition> {
        self.advance(State::Stopping)
    }

    /// The mailbox takes nothing more.
    pub fn close(&self) -> Option<Transition> {
        self.advance(State::Closed)
    }

    /// Nothing of the actor is left.
    pub fn terminate(&self) -> Option<Transition> {
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
