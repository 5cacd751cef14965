//! One place of a group, and the life in it.

use std::time::Duration;

use pulsar_model::{Cause, Ending, RestartPolicy};
use tokio::time::Instant;

use crate::RestartLimits;
use crate::backoff::Backoff;

/// What is said of one child.
#[derive(Clone, PartialEq, Debug)]
pub struct ChildRules {
    /// Whether it begins anew when it has ended.
    pub restart: RestartPolicy,
    /// Endings after which it does not, whatever [`restart`](Self::restart) says.
    pub final_after: Vec<Ending>,
    /// How long it may take to stop before it is killed.
    pub stop_within: Duration,
}

impl ChildRules {
    /// True if a child that has ended so by itself does not begin anew.
    fn is_final(&self, cause: &Cause) -> bool {
        let is_last = match self.restart {
            RestartPolicy::Permanent => false,
            RestartPolicy::Transient => cause.is_orderly(),
            RestartPolicy::Temporary => true,
        };
        is_last || self.final_after.iter().any(|ending| ending.covers(cause))
    }
}

/// One place of a group.
#[derive(Debug)]
pub(crate) struct Child {
    rules: ChildRules,
    /// Somebody should live here.
    pub(crate) wanted: bool,
    state: State,
    backoff: Backoff,
    /// Lives that ended by themselves before they were ready.
    failed_boots: usize,
    ever_ready: bool,
    /// Its next life is one of several that begin in their order.
    in_order: bool,
}

#[derive(Debug)]
enum State {
    /// Nobody lives here, and nobody may before `until`.
    Empty {
        until: Option<Instant>,
    },
    Alive(Life),
}

/// A life that has not ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Life {
    ready_since: Option<Instant>,
    /// It was asked to stop.
    pub(crate) is_asked: bool,
    /// When it is killed; `None` if it was not asked to stop, or was killed.
    kill_at: Option<Instant>,
    /// The place is given up when it has ended.
    pub(crate) is_last: bool,
}

impl Child {
    /// A place that is to be filled.
    pub(crate) fn new(rules: ChildRules) -> Self {
        Self {
            rules,
            wanted: true,
            state: State::Empty { until: None },
            backoff: Backoff::default(),
            failed_boots: 0,
            ever_ready: false,
            in_order: true,
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state, State::Alive(_))
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.state, State::Alive(life) if life.ready_since.is_some())
    }

    /// True if a life here ends the place too.
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self.state, State::Alive(life) if life.is_last)
    }

    pub(crate) fn is_temporary(&self) -> bool {
        self.rules.restart == RestartPolicy::Temporary
    }

    /// True if nobody lives here only because the back-off has not passed.
    pub(crate) fn is_delayed(&self) -> bool {
        self.wanted && matches!(self.state, State::Empty { until: Some(_) })
    }

    /// True if a life may begin here, as far as this place is concerned.
    pub(crate) fn is_due(&self) -> bool {
        self.wanted && matches!(self.state, State::Empty { until: None })
    }

    /// True if it begins only when those before it are ready: it was never ready in this place, or is
    /// restarted with others.
    pub(crate) fn is_in_order(&self) -> bool {
        self.in_order
    }

    /// It begins with others, in their order.
    pub(crate) fn begin_in_order(&mut self) {
        self.in_order = true;
    }

    /// Failed boots of a place where nobody was ever ready; else 0.
    pub(crate) fn boots_in_vain(&self) -> usize {
        match self.ever_ready {
            true => 0,
            false => self.failed_boots,
        }
    }

    /// When something is due here by itself.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Empty { until } => until.filter(|_| self.wanted),
            State::Alive(life) => life.kill_at,
        }
    }

    pub(crate) fn start(&mut self) {
        self.state = State::Alive(Life::default());
    }

    /// The life here is ready. True if that is news.
    pub(crate) fn ready(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::Alive(life) if life.ready_since.is_none() => {
                life.ready_since = Some(now);
                self.ever_ready = true;
                self.in_order = false;
                true
            }
            _ => false,
        }
    }

    /// Asks the life here to stop. True if there is one and it was not asked before.
    pub(crate) fn ask_to_stop(&mut self, now: Instant) -> bool {
        let stop_within = self.rules.stop_within;
        match &mut self.state {
            State::Alive(life) if !life.is_asked => {
                life.is_asked = true;
                // A time that the clock cannot tell never comes.
                life.kill_at = now.checked_add(stop_within);
                true
            }
            _ => false,
        }
    }

    /// True, once, when the life here has had its time to stop.
    pub(crate) fn is_overdue(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::Alive(life) => life.kill_at.take_if(|at| *at <= now).is_some(),
            State::Empty { .. } => false,
        }
    }

    /// Nobody is wanted here any more. True if the place is free at once; else it is when the life
    /// in it has ended.
    pub(crate) fn dismiss(&mut self) -> bool {
        if !self.wanted {
            return false;
        }
        self.wanted = false;
        match &mut self.state {
            State::Alive(life) => {
                life.is_last = true;
                false
            }
            State::Empty { .. } => true,
        }
    }

    /// Somebody is wanted here again, in a new place. While the last life of the old one goes on
    /// the new one waits for its end.
    pub(crate) fn renew(&mut self) {
        match (self.wanted, self.is_alive()) {
            (true, _) => {}
            (false, true) => self.wanted = true,
            (false, false) => *self = Self::new(self.rules.clone()),
        }
    }

    /// The place was given up with the life that has ended in it. A new one takes its stead if
    /// somebody is wanted again.
    pub(crate) fn vacate(&mut self) {
        let wanted = self.wanted;
        *self = Self::new(self.rules.clone());
        self.wanted = wanted;
    }

    /// The life here has ended; `None` if there was none.
    pub(crate) fn end(&mut self) -> Option<Life> {
        let State::Alive(life) = self.state else {
            return None;
        };
        self.state = State::Empty { until: None };
        Some(life)
    }

    /// The life that has just ended did so by itself. True if it was the last here.
    pub(crate) fn ends_for_good(&mut self, cause: &Cause) -> bool {
        let is_final = self.rules.is_final(cause);
        self.wanted &= !is_final;
        is_final
    }

    /// Counts how well a life did that has just ended.
    pub(crate) fn judge(&mut self, life: Life, limits: &RestartLimits, now: Instant) {
        if life.is_healthy(limits, now) {
            self.backoff.reset();
        }
        if life.ready_since.is_none() && !life.is_asked {
            self.failed_boots += 1;
        }
    }

    /// Keeps the place empty after a life that was not healthy. Until when, if it does.
    pub(crate) fn delay(
        &mut self,
        life: Life,
        limits: &RestartLimits,
        now: Instant,
        chance: f64,
    ) -> Option<Instant> {
        if life.is_healthy(limits, now) {
            return None;
        }
        let delay = self.backoff.failed(limits, chance);
        let until = Some(now + delay).filter(|_| !delay.is_zero());
        self.state = State::Empty { until };
        until
    }

    /// Forgets a delay that has passed.
    pub(crate) fn pass_time(&mut self, now: Instant) {
        if let State::Empty { until } = &mut self.state {
            until.take_if(|at| *at <= now);
        }
    }
}

impl Life {
    fn is_healthy(&self, limits: &RestartLimits, now: Instant) -> bool {
        let ready_for = self.ready_since.map(|since| now.duration_since(since));
        ready_for.is_some_and(|ready_for| ready_for >= limits.healthy_after)
    }
}
