//! What a group may, must and must not decide, told from its rules, its events and its decisions.
//!
//! Written apart from `Supervision`, from what is promised of it, so that a mistake there is none here.
//! After each event it is told what was decided; it permits each decision by itself, and then looks for
//! what is missing.

mod permits;

use std::collections::BTreeSet;
use std::time::Duration;

use pulsar_model::{Cause, RestartPolicy};
use pulsar_policy::{ChildRules, GroupEvent, GroupStatus, RestartLimits, Strategy};

use crate::coverage::{Coverage, Seen};
use crate::past::Past;
use crate::plan::{GroupPlan, Shape};
use crate::slot::{Lived, Slot};

/// What was decided, in offsets.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Order {
    Begin { child: usize, incarnation: u32 },
    Stop { child: usize },
    Kill { child: usize },
    Delay { child: usize, until: Duration },
    Forget { child: usize },
    End { gave_up: Option<String> },
}

#[derive(Debug)]
pub(crate) struct Ledger {
    shape: Shape,
    limits: RestartLimits,
    slots: Vec<Slot>,
    /// What each new child of a pool is.
    like: ChildRules,
    /// Whom operators have stopped since they last said how many there shall be.
    stopped: BTreeSet<usize>,
    /// With which life the children begin that the group may get.
    next: Vec<u32>,
    size: usize,
    restarts: Vec<Duration>,
    /// A restart of several is under way, from this one on.
    restarting_from: Option<usize>,
    is_stopping: bool,
    /// Words of the reason that the group has to give up for.
    gives_up: Option<&'static str>,
    has_ended: bool,
    ever_ready: bool,
    last_failure: Option<Cause>,
    /// The delay that is owed for this step: exactly until then.
    owed_delay: Option<(usize, Duration)>,
}

type Verdict = Result<(), String>;

impl Ledger {
    /// A group that goes on from its life before.
    pub(crate) fn new(plan: &GroupPlan, past: &Past) -> Self {
        let next = &past.lives;
        let slot = |(index, child): (usize, &crate::plan::ChildPlan)| {
            Slot::new(child.rules.clone(), next.get(index).copied().unwrap_or(1))
        };
        let mut slots: Vec<Slot> = plan.children.iter().enumerate().map(slot).collect();
        for child in &past.stopped {
            slots[*child].wanted = false;
        }
        Self {
            shape: plan.shape,
            limits: plan.limits,
            size: slots.len(),
            slots,
            like: plan.like.rules.clone(),
            stopped: past.stopped.iter().copied().collect(),
            next: next.clone(),
            restarts: Vec::new(),
            restarting_from: None,
            is_stopping: false,
            gives_up: None,
            has_ended: false,
            ever_ready: false,
            last_failure: None,
            owed_delay: None,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// With what the group goes on, if it begins anew.
    pub(crate) fn past(&self) -> Past {
        Past {
            lives: self.next_lives(),
            size: Some(self.size),
            stopped: self.stopped.iter().copied().collect(),
        }
    }

    /// With which life each child goes on, if the group begins anew.
    pub(crate) fn next_lives(&self) -> Vec<u32> {
        let children = self.slots.len().max(self.next.len());
        (0..children).map(|child| self.next_life(child)).collect()
    }

    pub(crate) fn next_life(&self, child: usize) -> u32 {
        match self.slots.get(child) {
            Some(slot) => slot.next,
            None => self.next.get(child).copied().unwrap_or(1),
        }
    }

    pub(crate) fn lives(&self, child: usize) -> bool {
        self.slots.get(child).is_some_and(Slot::lives)
    }

    /// True if this is the life that the group knows of.
    pub(crate) fn is_current(&self, child: usize, incarnation: u32) -> bool {
        let slot = self.slots.get(child);
        slot.is_some_and(|slot| slot.lives() && slot.next == incarnation + 1)
    }

    /// When something has to be decided by itself.
    pub(crate) fn due(&self) -> Option<Duration> {
        let due = |slot: &Slot| match &slot.life {
            Some(life) => life.kill_due(&slot.rules),
            None if self.is_stopping || !slot.wanted => None,
            None => slot.not_before,
        };
        self.slots.iter().filter_map(due).min()
    }

    /// What happens. News come here only if they are of a life that [`is_current`](Self::is_current).
    pub(crate) fn hear(
        &mut self,
        event: &GroupEvent,
        now: Duration,
        chance: f64,
        seen: &mut Coverage,
    ) {
        self.owed_delay = None;
        if self.has_ended {
            return;
        }
        match event {
            GroupEvent::Ready { child } => {
                seen.saw(Seen::Ready);
                self.slots[*child].is_ready(now);
                self.ever_ready = true;
            }
            GroupEvent::Ended { child, cause } => self.ended(*child, cause, now, chance, seen),
            GroupEvent::ScaleTo { children } => self.scale(*children, seen),
            GroupEvent::StopChild { child } if !self.is_stopping => {
                if let Some(slot) = self.slots.get_mut(*child) {
                    slot.dismiss();
                    if *child < self.size {
                        self.stopped.insert(*child);
                    }
                }
            }
            GroupEvent::StopAsked => self.is_stopping = true,
            GroupEvent::StopChild { .. } | GroupEvent::TimeCame => {}
        }
        // Time that has passed is no delay any more.
        for slot in &mut self.slots {
            slot.not_before.take_if(|at| *at <= now);
        }
    }

    fn ended(
        &mut self,
        child: usize,
        cause: &Cause,
        now: Duration,
        chance: f64,
        seen: &mut Coverage,
    ) {
        let slot = &mut self.slots[child];
        let lived = slot.ends(now, &self.limits);
        if lived.place_ends {
            slot.renew_after_end();
            return;
        }
        if self.is_stopping {
            return;
        }
        if lived.was_asked {
            if slot.rules.restart == RestartPolicy::Temporary {
                slot.ends_for_good();
            }
            return;
        }
        if !cause.is_orderly() {
            self.last_failure = Some(cause.clone());
        }
        if slot.is_final(cause) {
            seen.saw(Seen::EndForGood);
            slot.ends_for_good();
            if self.shape == Shape::Pool && self.slots.iter().all(|slot| !slot.wanted) {
                self.give_up("ended for good");
            }
            return;
        }
        self.restart(child, lived, now, chance, seen);
    }

    fn restart(
        &mut self,
        child: usize,
        lived: Lived,
        now: Duration,
        chance: f64,
        seen: &mut Coverage,
    ) {
        let slot = &mut self.slots[child];
        let too_many = self.limits.max_failed_boots.max(1);
        let hopeless = slot.failed_boots >= too_many && !slot.ever_ready;
        if hopeless && !(self.shape == Shape::Pool && self.ever_ready) {
            return self.give_up("boots");
        }
        let is_part = self.restarting_from.is_some_and(|from| child >= from);
        if is_part {
            seen.saw(Seen::Absorbed);
        } else {
            let period = self.limits.period;
            self.restarts.retain(|at| *at + period > now);
            let most = self.limits.intensity.unwrap_or((5 * self.size).max(10));
            if self.restarts.len() >= most {
                return self.give_up("restarts in");
            }
            self.restarts.push(now);
        }
        match lived.was_healthy {
            true => seen.saw(Seen::HealthyRestart),
            false => {
                let delay = slot.next_delay(&self.limits, chance);
                if delay > Duration::ZERO {
                    slot.not_before = Some(now + delay);
                    self.owed_delay = Some((child, now + delay));
                }
            }
        }
        self.restart_siblings(child, seen);
    }

    fn restart_siblings(&mut self, child: usize, seen: &mut Coverage) {
        let from = match self.shape {
            Shape::Pool | Shape::Ordered(Strategy::OneForOne) => return,
            Shape::Ordered(Strategy::OneForAll) => 0,
            Shape::Ordered(Strategy::RestForOne) => child,
        };
        match self.restarting_from {
            None => {
                if self.slots[from..].iter().any(Slot::lives) {
                    seen.saw(Seen::GroupRestart);
                }
                self.restarting_from = Some(from);
            }
            Some(before) if from < before => {
                seen.saw(Seen::Widened);
                self.restarting_from = Some(from);
            }
            Some(_) => {}
        }
    }

    fn scale(&mut self, children: usize, seen: &mut Coverage) {
        if self.shape != Shape::Pool || self.is_stopping {
            return;
        }
        while self.slots.len() < children {
            let next = self.next_life(self.slots.len());
            self.slots.push(Slot::new(self.like.clone(), next));
        }
        self.stopped.clear();
        if children > self.size {
            seen.saw(Seen::ScaledUp);
        } else if children < self.size {
            seen.saw(Seen::ScaledDown);
        }
        self.size = children;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if index >= children {
                slot.dismiss();
            } else if !slot.wanted {
                slot.revive();
                if slot.lives() {
                    seen.saw(Seen::Renewed);
                }
            }
        }
    }

    fn give_up(&mut self, reason: &'static str) {
        self.gives_up = Some(reason);
        self.is_stopping = true;
    }

    /// Looks for what was not decided though it had to be.
    pub(crate) fn look_for_missing(&mut self, now: Duration, status: &GroupStatus) -> Verdict {
        self.check_reason(status.gave_up.as_deref())?;
        self.check_status(status)?;
        if self.has_ended {
            return Ok(());
        }
        if let Some(owed) = self.owed_delay {
            return Err(format!("no delay, {owed:?} is owed"));
        }
        if self.is_stopping && !self.slots.iter().any(Slot::lives) {
            return Err("no end though nobody lives".to_owned());
        }
        self.end_restart_of_several();
        for (index, slot) in self.slots.iter().enumerate() {
            slot.look_for_missing(now)
                .map_err(|what| format!("child {index}: {what}"))?;
            let is_asked = slot
                .life
                .as_ref()
                .is_none_or(|life| life.asked_at.is_some());
            if self.has_turn_to_stop(index) && !is_asked {
                return Err(format!("child {index} is not asked to stop"));
            }
            let may_begin = slot.is_due(now) && !self.is_stopping;
            if may_begin && self.has_turn_to_begin(index) {
                return Err(format!("child {index} does not begin"));
            }
        }
        Ok(())
    }

    fn check_reason(&self, gave_up: Option<&str>) -> Verdict {
        let is_right = match (self.gives_up, gave_up) {
            (None, None) => true,
            (Some(word), Some(reason)) => reason.contains(word),
            _ => false,
        };
        match is_right {
            true => Ok(()),
            false => Err(format!("gave up: {gave_up:?}, not {:?}", self.gives_up)),
        }
    }

    fn check_status(&self, status: &GroupStatus) -> Verdict {
        let wanted = self.slots.iter().filter(|slot| slot.wanted).count();
        let ready = self.slots.iter().filter(|slot| slot.has_ready_life());
        let living = self.slots.iter().filter(|slot| slot.lives()).count();
        let expected = GroupStatus {
            size: self.size,
            living,
            wanted,
            ready: ready.count(),
            ever_ready: self.ever_ready,
            last_failure: self.last_failure.clone(),
            gave_up: status.gave_up.clone(),
            stopping: self.is_stopping,
        };
        match *status == expected {
            true => Ok(()),
            false => Err(format!("the status is {status:?}, not {expected:?}")),
        }
    }

    pub(crate) fn is_over(&self, child: usize) -> bool {
        self.slots.get(child).is_none_or(|slot| !slot.wanted)
    }

    /// A restart of several turns from stopping to starting when all of them have ended and none
    /// waits any longer.
    fn end_restart_of_several(&mut self) {
        let in_way = |slot: &Slot| slot.lives() || (slot.wanted && slot.not_before.is_some());
        let Some(from) = self.restarting_from else {
            return;
        };
        if !self.slots[from..].iter().any(in_way) {
            self.restarting_from = None;
            for slot in &mut self.slots[from..] {
                slot.begins_with_others = true;
            }
        }
    }

    /// True if it waits until all before it are ready: who has not been ready in its place, and who
    /// begins with others. Who is restarted alone does not.
    fn begins_in_order(&self, child: usize) -> bool {
        let slot = self.slots.get(child);
        let is_alone = slot.is_some_and(|slot| slot.ever_ready && !slot.begins_with_others);
        self.shape != Shape::Pool && !is_alone
    }

    fn has_turn_to_begin(&self, child: usize) -> bool {
        let is_held = self.restarting_from.is_some_and(|from| child >= from);
        let mut earlier = self.slots[..child.min(self.slots.len())].iter();
        let are_ready = earlier.all(|slot| !slot.wanted || slot.has_ready_life());
        !is_held && (are_ready || !self.begins_in_order(child))
    }

    fn has_turn_to_stop(&self, child: usize) -> bool {
        let goes = self.is_stopping || self.restarting_from.is_some_and(|from| child >= from);
        let mut later = self.slots.iter().skip(child + 1);
        goes && (self.shape == Shape::Pool || !later.any(Slot::lives))
    }
}
