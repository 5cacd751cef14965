//! One child of a group, as the ledger keeps it.

use std::time::Duration;

use pulsar_model::{Cause, RestartPolicy};
use pulsar_policy::{ChildRules, RestartLimits};

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) rules: ChildRules,
    pub(crate) wanted: bool,
    pub(crate) life: Option<LedgerLife>,
    pub(crate) not_before: Option<Duration>,
    /// The number of the next life.
    pub(crate) next: u32,
    pub(crate) failed_boots: usize,
    pub(crate) ever_ready: bool,
    /// It has gone with others, to begin with them.
    pub(crate) begins_with_others: bool,
    /// Lives that ended by themselves and were not healthy, since the last that was.
    unhealthy: u32,
    /// The place has come to its end and has to be forgotten in this step.
    owes_forget: bool,
}

/// A life, from its begin to the news of its end.
#[derive(Debug, Default)]
pub(crate) struct LedgerLife {
    ready_at: Option<Duration>,
    pub(crate) asked_at: Option<Duration>,
    pub(crate) is_killed: bool,
    /// The place ends with it.
    pub(crate) place_ends: bool,
}

/// What is to be known of a life that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lived {
    pub(crate) was_asked: bool,
    pub(crate) was_healthy: bool,
    pub(crate) place_ends: bool,
}

impl LedgerLife {
    /// When it has to be killed for not stopping, if it was not.
    pub(crate) fn kill_due(&self, rules: &ChildRules) -> Option<Duration> {
        let asked = self.asked_at.filter(|_| !self.is_killed);
        asked.map(|at| at + rules.stop_within)
    }
}

impl Slot {
    pub(crate) fn new(rules: ChildRules, next: u32) -> Self {
        Self {
            rules,
            wanted: true,
            life: None,
            not_before: None,
            next,
            failed_boots: 0,
            ever_ready: false,
            begins_with_others: false,
            unhealthy: 0,
            owes_forget: false,
        }
    }

    pub(crate) fn lives(&self) -> bool {
        self.life.is_some()
    }

    pub(crate) fn has_ready_life(&self) -> bool {
        let life = self.life.as_ref();
        life.is_some_and(|life| life.ready_at.is_some())
    }

    pub(crate) fn is_due(&self, now: Duration) -> bool {
        let waits = self.not_before.is_some_and(|at| at > now);
        self.wanted && !self.lives() && !waits
    }

    pub(crate) fn is_ready(&mut self, now: Duration) {
        if let Some(life) = &mut self.life {
            life.ready_at.get_or_insert(now);
        }
        self.ever_ready = true;
        self.begins_with_others = false;
    }

    pub(crate) fn is_final(&self, cause: &Cause) -> bool {
        let by_policy = match self.rules.restart {
            RestartPolicy::Temporary => true,
            RestartPolicy::Transient => matches!(cause, Cause::Normal | Cause::Stopped),
            RestartPolicy::Permanent => false,
        };
        by_policy || self.rules.final_after.iter().any(|end| end.covers(cause))
    }

    pub(crate) fn ends(&mut self, now: Duration, limits: &RestartLimits) -> Lived {
        let life = self.life.take().unwrap_or_default();
        let ready_for = life.ready_at.map(|at| now - at);
        let lived = Lived {
            was_asked: life.asked_at.is_some(),
            was_healthy: ready_for.is_some_and(|time| time >= limits.healthy_after),
            place_ends: life.place_ends,
        };
        if lived.was_healthy {
            self.unhealthy = 0;
        }
        if ready_for.is_none() && !lived.was_asked {
            self.failed_boots += 1;
        }
        lived
    }

    pub(crate) fn ends_for_good(&mut self) {
        self.wanted = false;
        self.owes_forget = true;
    }

    /// An operator wants nobody here.
    pub(crate) fn dismiss(&mut self) {
        if !self.wanted {
            return;
        }
        self.wanted = false;
        match &mut self.life {
            Some(life) => life.place_ends = true,
            None => self.owes_forget = true,
        }
    }

    /// An operator wants somebody here again.
    pub(crate) fn revive(&mut self) {
        self.wanted = true;
        if self.life.is_none() {
            self.begin_anew();
        }
    }

    /// The life has ended with which the place ends.
    pub(crate) fn renew_after_end(&mut self) {
        self.owes_forget = true;
        self.begin_anew();
    }

    /// A new place has no past.
    fn begin_anew(&mut self) {
        self.failed_boots = 0;
        self.ever_ready = false;
        self.begins_with_others = false;
        self.unhealthy = 0;
        self.not_before = None;
    }

    /// The wait after one more life that was not healthy.
    pub(crate) fn next_delay(&mut self, limits: &RestartLimits, chance: f64) -> Duration {
        let mut delay = limits.first_delay;
        for _ in 0..self.unhealthy {
            delay = (delay * 2).min(limits.max_delay);
        }
        self.unhealthy += 1;
        let varied = delay.min(limits.max_delay).as_secs_f64() * (1.0 + limits.jitter * chance);
        Duration::from_secs_f64(varied)
    }

    pub(crate) fn permit_begin(&mut self, incarnation: u32, now: Duration) -> Result<(), String> {
        if self.lives() {
            return Err("a second life in one place".to_owned());
        }
        if !self.wanted || self.owes_forget {
            return Err("a begin where nobody is wanted".to_owned());
        }
        if self.not_before.is_some_and(|at| at > now) {
            return Err(format!(
                "a begin within the delay, until {:?}",
                self.not_before
            ));
        }
        if incarnation != self.next {
            return Err(format!(
                "life {incarnation} begins instead of {}",
                self.next
            ));
        }
        self.next += 1;
        self.life = Some(LedgerLife::default());
        Ok(())
    }

    pub(crate) fn permit_forget(&mut self) -> Result<(), String> {
        if !self.owes_forget {
            return Err("a place is forgotten that has not ended".to_owned());
        }
        self.owes_forget = false;
        self.next = 1;
        Ok(())
    }

    pub(crate) fn look_for_missing(&self, now: Duration) -> Result<(), String> {
        if self.owes_forget {
            return Err("its place is not forgotten".to_owned());
        }
        let Some(life) = &self.life else {
            return Ok(());
        };
        if life.place_ends && life.asked_at.is_none() {
            return Err("it is not asked to stop though nobody wants it".to_owned());
        }
        // Who is asked now has all of its time before it, if that is none at all.
        let was_asked_before = life.asked_at.is_some_and(|at| at < now);
        let is_due = life.kill_due(&self.rules).is_some_and(|due| due <= now);
        match was_asked_before && is_due {
            true => Err("it is not killed".to_owned()),
            false => Ok(()),
        }
    }
}
