//! When a group of children starts, stops and restarts them, and when it gives up.
//!
//! Each event changes what is wanted and what is so; then [`Supervision::settle`] decides what
//! leads from the one to the other. So an order of events that nobody thought of cannot find a
//! decision missing.

use pulsar_model::Cause;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::child::{Child, ChildRules, Life};
use crate::intensity::Intensity;
use crate::{GroupDecision, GroupEvent, GroupStatus, RestartLimits};

/// Which children of an ordered group are restarted with one that is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Strategy {
    /// None but itself.
    #[default]
    OneForOne,
    /// All.
    OneForAll,
    /// Those that start after it.
    RestForOne,
}

/// The policy of one group, a pure state machine.
///
/// ```
/// use std::time::Duration;
///
/// use pulsar_model::{Cause, RestartPolicy};
/// use pulsar_policy::{ChildRules, GroupDecision, GroupEvent, RestartLimits, Supervision};
/// use tokio::time::Instant;
///
/// let worker = ChildRules {
///     restart: RestartPolicy::Permanent,
///     final_after: Vec::new(),
///     stop_within: Duration::from_secs(10),
/// };
/// let mut pool = Supervision::pool(worker, 1, RestartLimits::default());
/// let now = Instant::now();
/// assert_eq!(pool.begin(now), [GroupDecision::Start { child: 0 }]);
/// let ended = GroupEvent::Ended { child: 0, cause: Cause::Code(1) };
/// let until = now + Duration::from_millis(100);
/// assert_eq!(pool.on(ended, now, 0.0), [GroupDecision::Delay { child: 0, until }]);
/// assert_eq!(pool.deadline(), Some(until));
/// let start = pool.on(GroupEvent::TimeCame, until, 0.0);
/// assert_eq!(start, [GroupDecision::Start { child: 0 }]);
/// ```
#[derive(Debug)]
pub struct Supervision {
    shape: Shape,
    limits: RestartLimits,
    children: Vec<Child>,
    /// How many children the group is meant to have, whatever has become of them.
    size: usize,
    restarts: Intensity,
    /// Several children restart: all from this one on end before any of them begins.
    restarting_from: Option<usize>,
    phase: Phase,
    status: GroupStatus,
}

#[derive(Debug)]
enum Shape {
    /// Like children, side by side.
    Pool(ChildRules),
    /// The group starts one after the other, each when those before it are ready, and so do all that are
    /// restarted together; one that is restarted alone waits for nobody. Each stops when those after
    /// it have ended.
    Ordered(Strategy),
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Phase {
    Running,
    Stopping,
    Ended,
}

impl Supervision {
    /// A group of children that start in this order and stop in reverse.
    ///
    /// In order are the first start of a child, until it was ready once, and the starts of all that
    /// are restarted together: each waits until those before it are ready. A child that is restarted
    /// alone waits for none, so that one that is sick keeps no other down.
    pub fn ordered(children: Vec<ChildRules>, strategy: Strategy, limits: RestartLimits) -> Self {
        let children = children.into_iter().map(Child::new).collect();
        Self::new(Shape::Ordered(strategy), children, limits)
    }

    /// A group of like children that start and stop side by side, and whose number can change.
    pub fn pool(child: ChildRules, children: usize, limits: RestartLimits) -> Self {
        let new = || Child::new(child.clone());
        let children = std::iter::repeat_with(new).take(children).collect();
        Self::new(Shape::Pool(child), children, limits)
    }

    /// These children are off from the start, as by [`GroupEvent::StopChild`]: what an operator had set in
    /// the group's life before. What there is no child of is ignored, and nothing is decided on them.
    /// Called before [`begin`](Self::begin).
    #[must_use]
    pub fn with_stopped(mut self, stopped: &[usize]) -> Self {
        for index in stopped {
            // Nobody lives there yet, so the place is free at once.
            self.children.get_mut(*index).map(Child::dismiss);
        }
        self.status.wanted = self.count(|child| child.wanted);
        self
    }

    fn new(shape: Shape, children: Vec<Child>, limits: RestartLimits) -> Self {
        let status = GroupStatus {
            size: children.len(),
            wanted: children.len(),
            ..GroupStatus::default()
        };
        Self {
            shape,
            limits,
            size: children.len(),
            children,
            restarts: Intensity::default(),
            restarting_from: None,
            phase: Phase::Running,
            status,
        }
    }

    /// The first decisions. Called once, before any event.
    pub fn begin(&mut self, now: Instant) -> Vec<GroupDecision> {
        self.on(GroupEvent::TimeCame, now, 0.0)
    }

    /// Takes an event and decides; the decisions are to be carried out in their order. `chance` is
    /// drawn anew for each event, from -1 to 1.
    ///
    /// What is said of a child that is not alive, or of none, is ignored. After
    /// [`GroupDecision::End`] there are no decisions any more.
    pub fn on(&mut self, event: GroupEvent, now: Instant, chance: f64) -> Vec<GroupDecision> {
        let mut decisions = Vec::new();
        match event {
            GroupEvent::Ready { child } => self.ready(child, now),
            GroupEvent::Ended { child, cause } => {
                self.ended(child, cause, now, chance, &mut decisions);
            }
            GroupEvent::ScaleTo { children } => self.scale_to(children, &mut decisions),
            GroupEvent::StopChild { child } => self.dismiss(child, &mut decisions),
            GroupEvent::StopAsked => self.stop(),
            GroupEvent::TimeCame => {}
        }
        self.settle(now, &mut decisions);
        decisions
    }

    /// When [`GroupEvent::TimeCame`] is due; `None` while there is no hurry.
    pub fn deadline(&self) -> Option<Instant> {
        let children = self.children.iter();
        let hurried = children.filter(|child| child.is_alive() || self.phase == Phase::Running);
        hurried.filter_map(Child::deadline).min()
    }

    /// How the group is doing.
    pub fn status(&self) -> &GroupStatus {
        &self.status
    }

    /// True if nobody will live in this place any more, unless the group is scaled: its child has
    /// ended for good, was stopped by an operator or scaled away, or there never was one.
    pub fn is_over(&self, child: usize) -> bool {
        self.children.get(child).is_none_or(|child| !child.wanted)
    }

    fn ready(&mut self, index: usize, now: Instant) {
        let child = self.children.get_mut(index);
        self.status.ever_ready |= child.is_some_and(|child| child.ready(now));
    }

    fn ended(
        &mut self,
        index: usize,
        cause: Cause,
        now: Instant,
        chance: f64,
        decisions: &mut Vec<GroupDecision>,
    ) {
        let Some(child) = self.children.get_mut(index) else {
            return;
        };
        let Some(life) = child.end() else {
            return;
        };
        child.judge(life, &self.limits, now);
        if life.is_last {
            child.vacate();
            decisions.push(GroupDecision::Forget { child: index });
        } else if self.phase != Phase::Running {
            // Nobody follows it.
        } else if !life.is_asked {
            self.ended_by_itself(index, life, cause, now, chance, decisions);
        } else if child.is_temporary() {
            // It had to go for a sibling's restart.
            child.wanted = false;
            decisions.push(GroupDecision::Forget { child: index });
        }
    }

    fn ended_by_itself(
        &mut self,
        index: usize,
        life: Life,
        cause: Cause,
        now: Instant,
        chance: f64,
        decisions: &mut Vec<GroupDecision>,
    ) {
        let child = &mut self.children[index];
        let is_final = child.ends_for_good(&cause);
        if !cause.is_orderly() {
            self.status.last_failure = Some(cause);
        }
        if is_final {
            decisions.push(GroupDecision::Forget { child: index });
            if self.is_spent_pool() {
                self.give_up("every worker has ended for good".to_owned());
            }
            return;
        }
        if let Err(reason) = self.count_restart(index, now) {
            return self.give_up(reason);
        }
        let child = &mut self.children[index];
        if let Some(until) = child.delay(life, &self.limits, now, chance) {
            decisions.push(GroupDecision::Delay {
                child: index,
                until,
            });
        }
        self.restart_siblings_of(index);
    }

    /// True if no child is left that could live, in a group that is worth nothing then.
    fn is_spent_pool(&self) -> bool {
        matches!(self.shape, Shape::Pool(_)) && self.children.iter().all(|child| !child.wanted)
    }

    /// Counts a restart of a child, or tells why there is none. One that would have been stopped
    /// for the restart of a sibling is restarted with it: the two are one.
    fn count_restart(&mut self, index: usize, now: Instant) -> Result<(), String> {
        if let Some(reason) = self.failed_boots(index) {
            return Err(reason);
        }
        match self.is_restarting(index) {
            true => Ok(()),
            false => self.restarts.count(&self.limits, self.size, now),
        }
    }

    /// What is wrong with the boots in a place, if they leave no hope.
    fn failed_boots(&self, index: usize) -> Option<String> {
        let boots = self.children[index].boots_in_vain();
        // None at all leaves hope, whatever the limit: who was ready has failed none.
        if boots < self.limits.max_failed_boots.max(1) {
            return None;
        }
        match self.shape {
            Shape::Pool(_) if self.status.ever_ready => None,
            Shape::Pool(_) => Some(format!(
                "no worker became ready, after {boots} boots in one place"
            )),
            Shape::Ordered(_) => Some(format!(
                "child {index} was never ready, after {boots} boots"
            )),
        }
    }

    fn restart_siblings_of(&mut self, index: usize) {
        let from = match self.shape {
            Shape::Pool(_) | Shape::Ordered(Strategy::OneForOne) => return,
            Shape::Ordered(Strategy::OneForAll) => 0,
            Shape::Ordered(Strategy::RestForOne) => index,
        };
        let before = self.restarting_from.unwrap_or(from);
        self.restarting_from = Some(from.min(before));
    }

    /// True if the child waits for others to end, to start with them.
    fn is_restarting(&self, index: usize) -> bool {
        self.restarting_from.is_some_and(|from| index >= from)
    }

    fn scale_to(&mut self, size: usize, decisions: &mut Vec<GroupDecision>) {
        let Shape::Pool(rules) = &self.shape else {
            return;
        };
        if self.phase != Phase::Running {
            return;
        }
        let new = || Child::new(rules.clone());
        self.children
            .resize_with(self.children.len().max(size), new);
        self.size = size;
        self.children[..size].iter_mut().for_each(Child::renew);
        for index in size..self.children.len() {
            self.dismiss(index, decisions);
        }
    }

    /// Gives up a place: at once if it is empty.
    fn dismiss(&mut self, index: usize, decisions: &mut Vec<GroupDecision>) {
        if self.phase != Phase::Running {
            return;
        }
        let child = self.children.get_mut(index);
        if child.is_some_and(Child::dismiss) {
            decisions.push(GroupDecision::Forget { child: index });
        }
    }

    fn stop(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Stopping;
        }
    }

    fn give_up(&mut self, reason: String) {
        self.status.gave_up = Some(reason);
        self.stop();
    }

    /// Decides what leads from what is so to what is wanted.
    fn settle(&mut self, now: Instant, decisions: &mut Vec<GroupDecision>) {
        for (index, child) in self.children.iter_mut().enumerate() {
            child.pass_time(now);
            if child.is_overdue(now) {
                decisions.push(GroupDecision::Kill { child: index });
            }
        }
        self.stop_unwanted(now, decisions);
        self.start_wanted(decisions);
        self.drop_free_places();
        self.status.wanted = self.count(|child| child.wanted);
        self.status.ready = self.count(Child::is_ready);
        self.status.living = self.count(Child::is_alive);
        self.status.size = self.size;
        self.status.stopping = self.phase != Phase::Running;
        if self.phase == Phase::Stopping && self.status.living == 0 {
            self.phase = Phase::Ended;
            let gave_up = self.status.gave_up.clone();
            decisions.push(GroupDecision::End { gave_up });
        }
    }

    fn count(&self, is: impl Fn(&Child) -> bool) -> usize {
        self.children.iter().filter(|child| is(child)).count()
    }

    /// Forgets the places at the end that were scaled away, so that a pool which was large once is not
    /// walked through as if it were. A new place is like one that was never there.
    fn drop_free_places(&mut self) {
        let is_used = |child: &Child| child.wanted || child.is_alive();
        let used = self.children.iter().rposition(is_used);
        let used = used.map_or(0, |last| last + 1);
        if matches!(self.shape, Shape::Pool(_)) {
            self.children.truncate(used.max(self.size));
        }
    }

    fn stop_unwanted(&mut self, now: Instant, decisions: &mut Vec<GroupDecision>) {
        let last_alive = self.children.iter().rposition(Child::is_alive);
        for index in 0..last_alive.map_or(0, |last| last + 1) {
            let is_last = last_alive == Some(index);
            let has_to_go =
                self.children[index].is_leaving() || self.has_turn_to_stop(index, is_last);
            if has_to_go && self.children[index].ask_to_stop(now) {
                decisions.push(GroupDecision::Stop { child: index });
            }
        }
    }

    /// True if the child has to go with others and its turn has come. `is_last`: nobody lives after it.
    fn has_turn_to_stop(&self, index: usize, is_last: bool) -> bool {
        let all_go = self.phase == Phase::Stopping || self.is_restarting(index);
        let in_any_order = matches!(self.shape, Shape::Pool(_));
        all_go && (in_any_order || is_last)
    }

    fn start_wanted(&mut self, decisions: &mut Vec<GroupDecision>) {
        if self.phase != Phase::Running {
            return;
        }
        if let Some(from) = self.restarting_from {
            let mut children = self.children[from..].iter();
            if !children.any(|child| child.is_alive() || child.is_delayed()) {
                self.restarting_from = None;
                // Not before: until now a life that has to go can still have become ready.
                self.children[from..]
                    .iter_mut()
                    .for_each(Child::begin_in_order);
            }
        }
        let in_any_order = matches!(self.shape, Shape::Pool(_));
        let mut has_turn = true;
        for index in 0..self.children.len() {
            if self.is_restarting(index) {
                return;
            }
            let child = &mut self.children[index];
            if child.is_due() && (has_turn || !child.is_in_order()) {
                child.start();
                decisions.push(GroupDecision::Start { child: index });
            }
            has_turn &= in_any_order || !child.wanted || child.is_ready();
        }
    }
}
