//! One group: the real `Roster` of it, and the ledger that checks it.

use std::time::Duration;

use pulsar_model::Incarnation;
use pulsar_policy::{GroupEvent, GroupStatus, News, Roster, RosterDecision};

use crate::coverage::Coverage;
use crate::ledger::{Ledger, Order};
use crate::life::Member;
use crate::past::Past;
use crate::plan::{Clock, GroupPlan, MOST_CHILDREN};

/// What a group is told.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Told {
    Begin,
    News {
        child: usize,
        incarnation: u32,
        news: News,
    },
    Command(GroupEvent),
    TimeCame,
}

/// Who is in a place, or was the last there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Occupant {
    Life(usize),
    Group(usize),
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) plan: GroupPlan,
    /// Where it is a child itself.
    pub(crate) member: Option<Member>,
    pub(crate) occupants: Vec<Option<Occupant>>,
    /// Of each child that is a group, with what it goes on when it begins anew.
    pub(crate) inner_pasts: Vec<Past>,
    /// Its parent was told that it is ready.
    pub(crate) was_ready: bool,
    roster: Roster,
    ledger: Ledger,
    clock: Clock,
}

impl Group {
    pub(crate) fn new(plan: GroupPlan, member: Option<Member>, past: &Past, clock: Clock) -> Self {
        let next = past.lives.iter().copied().map(Incarnation).collect();
        Self {
            member,
            occupants: vec![None; MOST_CHILDREN],
            inner_pasts: vec![Past::default(); MOST_CHILDREN],
            was_ready: false,
            roster: Roster::new(plan.supervision().with_stopped(&past.stopped), next),
            ledger: Ledger::new(&plan, past),
            plan,
            clock,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ledger.has_ended()
    }

    /// With what it goes on, if it begins anew.
    pub(crate) fn past(&self) -> Past {
        self.ledger.past()
    }

    pub(crate) fn next_lives(&self) -> Vec<u32> {
        self.ledger.next_lives()
    }

    pub(crate) fn status(&self) -> &GroupStatus {
        self.roster.status()
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.roster.deadline().map(|at| self.clock.offset(at))
    }

    /// When it has to decide something, whatever it thinks itself.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.ledger.due()
    }

    /// True if all that is wanted is there and nothing is on its way.
    pub(crate) fn is_settled(&self) -> bool {
        let status = self.status();
        self.has_ended() || (status.ready == status.wanted && self.roster.deadline().is_none())
    }

    /// True if all that is wanted has come to be ready.
    pub(crate) fn is_ready(&self) -> bool {
        let status = self.status();
        !self.has_ended() && status.gave_up.is_none() && status.ready == status.wanted
    }

    /// Tells the group, and checks what it decides.
    pub(crate) fn hear(
        &mut self,
        told: &Told,
        now: Duration,
        chance: f64,
        seen: &mut Coverage,
    ) -> Result<Vec<Order>, String> {
        let (event, is_known) = self.event(told);
        let late_before = self.roster.late_news();
        let decisions = self.decide(told, now, chance);
        let orders: Vec<Order> = decisions.iter().map(|one| self.order(one)).collect();
        let was_late = self.roster.late_news() > late_before;
        if is_known == was_late {
            return Err(format!("news dropped: {was_late}, known: {is_known}"));
        }
        if !is_known {
            return match orders.is_empty() {
                true => Ok(orders),
                false => Err(format!("{orders:?} on news of an earlier life")),
            };
        }
        self.ledger.hear(&event, now, chance, seen);
        let checked = self.check(&orders, now, seen);
        checked.map_err(|what| format!("{what}; it decided {orders:?}"))?;
        Ok(orders)
    }

    fn check(
        &mut self,
        orders: &[Order],
        now: Duration,
        seen: &mut Coverage,
    ) -> Result<(), String> {
        for order in orders {
            self.ledger.permit(order, now, seen)?;
        }
        self.ledger.look_for_missing(now, self.roster.status())?;
        self.compare()
    }

    /// What it is told, and whether that is news to it.
    fn event(&self, told: &Told) -> (GroupEvent, bool) {
        match told.clone() {
            Told::Begin | Told::TimeCame => (GroupEvent::TimeCame, true),
            Told::Command(event) => (event, true),
            Told::News {
                child,
                incarnation,
                news,
            } => {
                let event = match news {
                    News::Ready => GroupEvent::Ready { child },
                    News::Ended(cause) => GroupEvent::Ended { child, cause },
                };
                (event, self.ledger.is_current(child, incarnation))
            }
        }
    }

    fn decide(&mut self, told: &Told, now: Duration, chance: f64) -> Vec<RosterDecision> {
        let now = self.clock.instant(now);
        match told.clone() {
            Told::Begin => self.roster.begin(now),
            Told::TimeCame => self.roster.time_came(now, chance),
            Told::Command(event) => self.roster.command(event, now, chance),
            Told::News {
                child,
                incarnation,
                news,
            } => {
                let incarnation = Incarnation(incarnation);
                self.roster.news(child, incarnation, news, now, chance)
            }
        }
    }

    fn order(&self, decision: &RosterDecision) -> Order {
        match decision.clone() {
            RosterDecision::Begin { child, incarnation } => Order::Begin {
                child,
                incarnation: incarnation.0,
            },
            RosterDecision::Stop { child } => Order::Stop { child },
            RosterDecision::Kill { child } => Order::Kill { child },
            RosterDecision::Delay { child, until } => Order::Delay {
                child,
                until: self.clock.offset(until),
            },
            RosterDecision::Forget { child } => Order::Forget { child },
            RosterDecision::End { gave_up } => Order::End { gave_up },
        }
    }

    /// The roster and the ledger say the same to those who ask.
    fn compare(&self) -> Result<(), String> {
        if self.deadline() != self.due() {
            let (deadline, due) = (self.deadline(), self.due());
            return Err(format!("the deadline is {deadline:?}, not {due:?}"));
        }
        for child in 0..=MOST_CHILDREN {
            let next = self.ledger.next_life(child);
            let roster = &self.roster;
            let said = (roster.is_over(child), roster.next_incarnation(child).0);
            let expected = (self.ledger.is_over(child), next);
            if said != expected || roster.is_alive(child) != self.ledger.lives(child) {
                return Err(format!(
                    "of child {child} it says {said:?}, not {expected:?}"
                ));
            }
        }
        Ok(())
    }
}
