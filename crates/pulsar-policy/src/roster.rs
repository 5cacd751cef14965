//! Which life is in which place of a group.

use pulsar_model::{Cause, Incarnation};
use tokio::time::Instant;

use crate::{GroupDecision, GroupEvent, GroupStatus, Supervision};

/// What a monitor is told of one life.
#[derive(Clone, PartialEq, Debug)]
pub enum News {
    /// It is ready.
    Ready,
    /// It has ended so; [`Cause::Failed`] if it was never made.
    Ended(Cause),
}

/// What a monitor does: a [`GroupDecision`] that names the life that begins.
#[derive(Clone, PartialEq, Debug)]
pub enum RosterDecision {
    /// Begin this life now.
    Begin {
        /// Whose.
        child: usize,
        /// Which life in its place.
        incarnation: Incarnation,
    },
    /// Ask the living one to stop.
    Stop {
        /// Whom.
        child: usize,
    },
    /// Kill the living one.
    Kill {
        /// Whom.
        child: usize,
    },
    /// Its next life begins no earlier.
    Delay {
        /// Whose.
        child: usize,
        /// When, at the earliest.
        until: Instant,
    },
    /// Its place is given up.
    Forget {
        /// Whose.
        child: usize,
    },
    /// The group ends.
    End {
        /// Why it has given up, if it has.
        gave_up: Option<String>,
    },
}

/// A monitor's bookkeeping around a [`Supervision`]: it numbers the lives, and lets through no news but those
/// of the life that is in its place now.
#[derive(Debug)]
pub struct Roster {
    supervision: Supervision,
    places: Vec<Place>,
    late_news: u64,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    next: Incarnation,
    living: Option<Incarnation>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            next: Incarnation::FIRST,
            living: None,
        }
    }
}

impl Roster {
    /// A group of which nobody lives yet. `next` says with which life each child begins; those that it
    /// does not name begin with their first.
    pub fn new(supervision: Supervision, next: Vec<Incarnation>) -> Self {
        let place = |next| Place { next, living: None };
        Self {
            supervision,
            places: next.into_iter().map(place).collect(),
            late_news: 0,
        }
    }

    /// As [`Supervision::begin`].
    pub fn begin(&mut self, now: Instant) -> Vec<RosterDecision> {
        let decisions = self.supervision.begin(now);
        self.enter(decisions)
    }

    /// Takes news of a life. Those of another than the one that is in its place now come too late: they are
    /// ignored, and counted.
    pub fn news(
        &mut self,
        child: usize,
        incarnation: Incarnation,
        news: News,
        now: Instant,
        chance: f64,
    ) -> Vec<RosterDecision> {
        let mut places = self.places.get_mut(child).into_iter();
        let Some(place) = places.find(|place| place.living == Some(incarnation)) else {
            self.late_news += 1;
            return Vec::new();
        };
        let event = match news {
            News::Ready => GroupEvent::Ready { child },
            News::Ended(cause) => {
                place.living = None;
                GroupEvent::Ended { child, cause }
            }
        };
        let decisions = self.supervision.on(event, now, chance);
        self.enter(decisions)
    }

    /// Takes an operator's word: scale, stop a child, stop all. What else there is of events does
    /// not come this way and is ignored.
    pub fn command(&mut self, event: GroupEvent, now: Instant, chance: f64) -> Vec<RosterDecision> {
        match event {
            GroupEvent::ScaleTo { .. } | GroupEvent::StopChild { .. } | GroupEvent::StopAsked => {
                let decisions = self.supervision.on(event, now, chance);
                self.enter(decisions)
            }
            GroupEvent::Ready { .. } | GroupEvent::Ended { .. } | GroupEvent::TimeCame => {
                Vec::new()
            }
        }
    }

    /// The time of [`deadline`](Self::deadline) has come.
    pub fn time_came(&mut self, now: Instant, chance: f64) -> Vec<RosterDecision> {
        let decisions = self.supervision.on(GroupEvent::TimeCame, now, chance);
        self.enter(decisions)
    }

    /// As [`Supervision::deadline`].
    pub fn deadline(&self) -> Option<Instant> {
        self.supervision.deadline()
    }

    /// As [`Supervision::status`].
    pub fn status(&self) -> &GroupStatus {
        self.supervision.status()
    }

    /// Which life begins next in a place: the first again where it was given up.
    pub fn next_incarnation(&self, child: usize) -> Incarnation {
        let place = self.places.get(child).copied();
        place.unwrap_or_default().next
    }

    /// True if a life was begun in this place and has not ended.
    pub fn is_alive(&self, child: usize) -> bool {
        let mut places = self.places.get(child).into_iter();
        places.any(|place| place.living.is_some())
    }

    /// As [`Supervision::is_over`].
    pub fn is_over(&self, child: usize) -> bool {
        self.supervision.is_over(child)
    }

    /// How often news came of a life that was not, or no longer, in its place.
    pub fn late_news(&self) -> u64 {
        self.late_news
    }

    fn enter(&mut self, decisions: Vec<GroupDecision>) -> Vec<RosterDecision> {
        let entered = decisions.into_iter().map(|decision| match decision {
            GroupDecision::Start { child } => {
                let incarnation = self.place(child).begin();
                RosterDecision::Begin { child, incarnation }
            }
            GroupDecision::Stop { child } => RosterDecision::Stop { child },
            GroupDecision::Kill { child } => RosterDecision::Kill { child },
            GroupDecision::Delay { child, until } => RosterDecision::Delay { child, until },
            GroupDecision::Forget { child } => {
                *self.place(child) = Place::default();
                RosterDecision::Forget { child }
            }
            GroupDecision::End { gave_up } => RosterDecision::End { gave_up },
        });
        entered.collect()
    }

    fn place(&mut self, child: usize) -> &mut Place {
        if child >= self.places.len() {
            self.places.resize(child + 1, Place::default());
        }
        &mut self.places[child]
    }
}

impl Place {
    fn begin(&mut self) -> Incarnation {
        let incarnation = self.next;
        self.next = incarnation.next();
        self.living = Some(incarnation);
        incarnation
    }
}
