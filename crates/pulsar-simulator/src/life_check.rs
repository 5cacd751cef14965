//! What may, must and must not be decided about one life, told from its events alone.
//!
//! Written apart from `Oversight`, from what is promised of it, so that a mistake there is none here.

use std::time::Duration;

use pulsar_model::{Cause, Placement};
use pulsar_policy::Decision;
use pulsar_sys::Exit;

use crate::plan::Timing;

/// What a life promises its manager, in time.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
const READ_ON_FOR: Duration = Duration::from_millis(250);
const DUMP_WITHIN: Duration = Duration::from_secs(1);
const HELD_FOR: Duration = Duration::from_millis(250);
const MOST_PARDONS: u32 = 3;
const LOOKED_AT_AGAIN_AFTER: Duration = Duration::from_millis(250);
const MOST_SEEN_ASLEEP: u32 = 10;
const KERNEL_KILLS_WITHIN: Duration = Duration::from_secs(10);
const ABANDONED_AFTER: Duration = Duration::from_secs(1);

/// An event, without what only the life itself cares for.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Heard {
    Hello,
    Notify,
    LastWord(Cause),
    LinkEnd {
        distrusted: bool,
    },
    Exit(Exit),
    StopAsked,
    KillAsked,
    /// What a look has shown.
    Seen {
        asleep: bool,
    },
    TimeCame,
}

#[derive(Debug)]
pub(crate) struct LifeCheck {
    timing: Timing,
    boot_until: Duration,
    /// When it was last heard, seen asleep, or given a new grace, once it was ready.
    heard: Option<Duration>,
    /// When it was last looked at, if it was not heard since.
    looked_at: Option<Duration>,
    /// How often it was seen asleep, and believed, since it spoke.
    seen_asleep: u32,
    /// When it seemed silent, if it was not heard since.
    doubted_at: Option<Duration>,
    /// Looks since it was last heard that came too late to be held against it.
    pardons: u32,
    stop_at: Option<Duration>,
    terminated: bool,
    abort_at: Option<Duration>,
    /// When it has to have left by itself.
    leave_by: Option<Duration>,
    exit: Option<(Duration, Exit)>,
    said: Option<Cause>,
    link_ended: bool,
    kill_at: Option<Duration>,
    /// Why we ended it, if that is how it ended.
    verdict: Option<Cause>,
}

impl LifeCheck {
    pub(crate) fn new(timing: Timing, now: Duration) -> Self {
        Self {
            timing,
            boot_until: now + timing.boot_timeout,
            heard: None,
            looked_at: None,
            seen_asleep: 0,
            doubted_at: None,
            pardons: 0,
            stop_at: None,
            terminated: false,
            abort_at: None,
            leave_by: None,
            exit: None,
            said: None,
            link_ended: false,
            kill_at: None,
            verdict: None,
        }
    }

    /// True if it was killed long ago and nobody knows what became of it.
    pub(crate) fn may_be_given_up(&self, now: Duration) -> bool {
        let patience = match self.is_process() {
            true => KERNEL_KILLS_WITHIN,
            false => ABANDONED_AFTER,
        };
        self.kill_at.is_some_and(|at| at + patience <= now)
    }

    /// When something has to be decided by itself. Later than that nothing else may come first.
    pub(crate) fn due(&self) -> Option<Duration> {
        if let Some((at, _)) = self.exit {
            return Some(at + READ_ON_FOR);
        }
        if let Some(at) = self.kill_at {
            return Some(match self.is_process() {
                true => at + KERNEL_KILLS_WITHIN,
                false => at + ABANDONED_AFTER,
            });
        }
        self.kill_due().or(match (self.stop_at, self.heard) {
            (Some(at), _) if !self.terminated => Some(at + self.timing.grace / 2),
            (Some(at), _) => Some(at + self.timing.grace),
            (None, Some(_)) => self.look_due().into_iter().chain(self.sight_due()).min(),
            (None, None) => Some(self.boot_until),
        })
    }

    /// When it is killed because it does not go.
    fn kill_due(&self) -> Option<Duration> {
        let aborted = self.abort_at.map(|at| at + DUMP_WITHIN);
        match (aborted, self.leave_by) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Takes an event and what was decided on it.
    pub(crate) fn check(
        &mut self,
        heard: Heard,
        decision: &Decision,
        now: Duration,
    ) -> Result<(), String> {
        let was_free = self.is_free();
        let expected_stop = heard == Heard::StopAsked && was_free;
        let first = self.heard.is_none() && was_free;
        self.check_asking(&heard, decision, was_free)?;
        self.note(&heard, was_free, now);
        self.note_sight(&heard, decision, was_free, now);
        if expected_stop != (*decision == Decision::Stop) {
            return Err(format!(
                "{decision:?} on {heard:?}, a stop was expected: {expected_stop}"
            ));
        }
        let is_ready = matches!(decision, Decision::Ready(_));
        if is_ready != (heard == Heard::Notify && first) {
            return Err(format!(
                "{decision:?} on {heard:?}, of a first one: {first}"
            ));
        }
        match decision {
            Decision::Stop | Decision::Ready(_) | Decision::Ask => Ok(()),
            Decision::Look => self.check_look(&heard, was_free, now),
            Decision::Note(_) if heard == Heard::Notify => Ok(()),
            Decision::Note(_) => Err("noted what was not said".to_owned()),
            Decision::Wait => self.check_wait(&heard, now),
            Decision::Terminate => self.check_terminate(&heard, now),
            Decision::Abort => self.check_abort(&heard, now),
            Decision::Kill => self.check_kill(&heard, now),
            Decision::End(cause) => self.check_end(cause, now),
        }
    }

    /// Nothing was said or done that leads to its end.
    fn is_free(&self) -> bool {
        let on_its_way = self.stop_at.is_some() || self.abort_at.is_some();
        let leaves = self.leave_by.is_some() || self.exit.is_some();
        !on_its_way && !leaves && self.kill_at.is_none()
    }

    fn note(&mut self, heard: &Heard, was_free: bool, now: Duration) {
        match heard {
            Heard::Notify if was_free => {
                self.pardons = 0;
                self.seen_asleep = 0;
                self.has_new_grace(now);
            }
            Heard::StopAsked if was_free => self.stop_at = Some(now),
            Heard::LastWord(cause) => {
                self.said = Some(cause.clone());
                self.leaves(now);
            }
            Heard::LinkEnd { distrusted } => {
                self.link_ended = true;
                if *distrusted {
                    self.verdict.get_or_insert(Cause::Failed(String::new()));
                }
                self.leaves(now);
            }
            Heard::Exit(exit) => self.exit = Some((now, *exit)),
            _ => {}
        }
    }

    /// Who sleeps is as good as heard, some times in a row, and is not woken.
    fn note_sight(&mut self, heard: &Heard, decision: &Decision, was_free: bool, now: Duration) {
        let is_up = was_free && self.heard.is_some();
        let is_believed = *heard == Heard::Seen { asleep: true } && *decision == Decision::Wait;
        if is_up && is_believed {
            self.seen_asleep += 1;
            self.pardons = 0;
            self.has_new_grace(now);
        }
    }

    /// It is asked to notify when it was looked at and not believed to sleep, and at no other time.
    fn check_asking(
        &self,
        heard: &Heard,
        decision: &Decision,
        was_free: bool,
    ) -> Result<(), String> {
        let is_up = was_free && self.heard.is_some();
        let expected = match heard {
            Heard::Seen { asleep } if is_up => !asleep || self.seen_asleep >= MOST_SEEN_ASLEEP,
            _ => false,
        };
        match expected == (*decision == Decision::Ask) {
            true => Ok(()),
            false => Err(format!(
                "{decision:?} on {heard:?}, to be asked: {expected}"
            )),
        }
    }

    /// It is looked at in its period, and before its silence is held against it.
    fn check_look(&mut self, heard: &Heard, was_free: bool, now: Duration) -> Result<(), String> {
        let is_up = was_free && self.heard.is_some() && self.timing.look_every.is_some();
        if !is_up || *heard != Heard::TimeCame {
            return Err(format!("a look on {heard:?}"));
        }
        self.looked_at = Some(now);
        match self.look_due() {
            Some(due) if due <= now && self.doubted_at.is_some() => {
                Err("a look instead of a verdict".to_owned())
            }
            Some(due) if due <= now && self.is_pardoned(due, now) => {
                Err("a look instead of a new grace".to_owned())
            }
            Some(due) if due <= now => {
                self.doubted_at = Some(now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// When it has been looked at, at the latest, if it is neither heard nor doubted.
    fn sight_due(&self) -> Option<Duration> {
        let every = self.timing.look_every?;
        let since = self.looked_at.or(self.heard)?;
        (self.doubted_at.is_none()).then_some(since + every)
    }

    /// It goes by itself now: within a second, or sooner if it was to be killed sooner.
    fn leaves(&mut self, now: Duration) {
        let stop = self.stop_at.map(|at| at + self.timing.grace);
        let abort = self.abort_at.map(|at| at + DUMP_WITHIN);
        let sooner = stop.into_iter().chain(abort).min();
        let by = sooner.unwrap_or(now + LEAVE_WITHIN).min(now + LEAVE_WITHIN);
        self.leave_by.get_or_insert(by);
    }

    fn check_wait(&mut self, heard: &Heard, now: Duration) -> Result<(), String> {
        let is_over = match self.is_process() {
            true => self.exit.is_some() && self.link_ended,
            false => self.said.is_some(),
        };
        let is_quiet = matches!(heard, Heard::Hello | Heard::StopAsked);
        if is_over && !is_quiet && *heard != Heard::TimeCame && *heard != Heard::KillAsked {
            return Err(format!("no end though it is over, on {heard:?}"));
        }
        let may_kill = self.kill_at.is_none() && self.exit.is_none();
        if *heard == Heard::KillAsked && may_kill {
            return Err("no kill though one was asked for".to_owned());
        }
        if *heard == (Heard::LinkEnd { distrusted: true }) && may_kill {
            return Err("no kill though it is not to be trusted".to_owned());
        }
        if *heard == Heard::TimeCame && self.is_free() {
            let was_doubted = self.doubted_at.is_some();
            self.look(now);
            let is_new = self.doubted_at.is_some() && !was_doubted;
            if is_new && self.timing.look_every.is_some() {
                return Err("it is doubted, and not looked at".to_owned());
            }
        }
        Ok(())
    }

    /// Its overseer has looked whether it is silent, and has not judged it.
    fn look(&mut self, now: Duration) {
        match self.look_due() {
            // Who was held itself gives a new grace, but not for ever.
            Some(due) if self.is_pardoned(due, now) => {
                self.pardons += 1;
                self.has_new_grace(now);
            }
            Some(due) if now >= due && self.doubted_at.is_none() => self.doubted_at = Some(now),
            // At the second look there is a verdict: as none was given, it stays due.
            _ => {}
        }
    }

    fn has_new_grace(&mut self, now: Duration) {
        self.heard = Some(now);
        self.looked_at = None;
        self.doubted_at = None;
    }

    fn check_terminate(&mut self, heard: &Heard, now: Duration) -> Result<(), String> {
        let due = self.stop_at.map(|at| at + self.timing.grace / 2);
        let is_due = *heard == Heard::TimeCame && due.is_some_and(|due| due <= now);
        if !is_due || self.terminated || self.kill_due().is_some() || self.kill_at.is_some() {
            return Err(format!("TERM that was due at {due:?}"));
        }
        self.terminated = true;
        Ok(())
    }

    fn check_abort(&mut self, heard: &Heard, now: Duration) -> Result<(), String> {
        self.check_silence(heard, now)?;
        // A thread or a task can be asked to end, nothing more: it is given up like one that was killed.
        match self.is_process() {
            true => self.abort_at = Some(now),
            false => self.kill_at = Some(now),
        }
        self.verdict = Some(Cause::HeartbeatTimeout);
        Ok(())
    }

    fn check_silence(&self, heard: &Heard, now: Duration) -> Result<(), String> {
        let due = self.look_due().filter(|_| *heard == Heard::TimeCame);
        let may_judge = self.is_free() && self.is_doubted();
        match due {
            Some(due) if may_judge && due <= now && !self.is_pardoned(due, now) => Ok(()),
            _ => Err(format!(
                "held its silence against it, a look is due at {due:?}"
            )),
        }
    }

    fn check_kill(&mut self, heard: &Heard, now: Duration) -> Result<(), String> {
        if self.kill_at.is_some() || self.exit.is_some() {
            return Err("a kill of what was killed or has exited".to_owned());
        }
        match heard {
            Heard::KillAsked | Heard::LinkEnd { distrusted: true } => {}
            Heard::TimeCame => self.check_timely_kill(now)?,
            other => return Err(format!("a kill on {other:?}")),
        }
        self.kill_at = Some(now);
        Ok(())
    }

    fn check_timely_kill(&mut self, now: Duration) -> Result<(), String> {
        let due = match (self.kill_due(), self.stop_at, self.heard) {
            (Some(due), _, _) => {
                if self.leave_by.is_some() && self.verdict.is_none() {
                    // Its last word stands.
                    self.verdict.clone_from(&self.said);
                }
                due
            }
            (None, Some(at), _) => at + self.timing.grace,
            (None, None, None) => {
                self.verdict = Some(Cause::BootTimeout);
                self.boot_until
            }
            (None, None, Some(_)) => {
                return Err("who is silent is killed without ABRT".to_owned());
            }
        };
        match due <= now {
            true => Ok(()),
            false => Err(format!("a kill that is due at {due:?} only")),
        }
    }

    fn check_end(&self, cause: &Cause, now: Duration) -> Result<(), String> {
        let exited = self.exit.map(|(at, _)| at);
        let is_over = match self.is_process() {
            true => {
                let is_read = self.link_ended || exited.is_some_and(|at| at + READ_ON_FOR <= now);
                exited.is_some() && is_read
            }
            false => self.said.is_some(),
        };
        if !is_over && (exited.is_some() || !self.may_be_given_up(now)) {
            return Err("an end of what is not over".to_owned());
        }
        let expected = self.expected_cause();
        let is_same = match (&expected, cause) {
            (Cause::Failed(_), Cause::Failed(_)) => true,
            (expected, cause) => expected == cause,
        };
        match is_same {
            true => Ok(()),
            false => Err(format!("an end by {cause:?}, not {expected:?}")),
        }
    }

    fn expected_cause(&self) -> Cause {
        let asked = self.stop_at.is_some();
        match (&self.verdict, self.exit, &self.said) {
            (Some(verdict), _, _) => verdict.clone(),
            (None, Some((_, Exit::Signal { signal: 6, .. })), Some(said @ Cause::Panic(_))) => {
                said.clone()
            }
            (
                None,
                Some((
                    _,
                    Exit::Signal {
                        signal,
                        core_dumped,
                    },
                )),
                _,
            ) => Cause::Signal {
                signal,
                core_dumped,
            },
            (None, _, Some(said)) => said.clone(),
            (None, Some((_, Exit::Code(0))), None) if !asked => Cause::Normal,
            (None, Some((_, Exit::Code(code))), None) if code != 0 => Cause::Code(code),
            (None, _, None) if asked => Cause::Stopped,
            (None, _, None) => Cause::Unknown,
        }
    }

    /// True if this look comes too late to be held against it.
    fn is_pardoned(&self, due: Duration, now: Duration) -> bool {
        now > due + HELD_FOR && self.pardons < MOST_PARDONS
    }

    /// How many looks in a row came too late.
    pub(crate) fn pardons(&self) -> u32 {
        self.pardons
    }

    /// When it is looked at: first as it has been silent for its time, then, for the verdict, once more.
    fn look_due(&self) -> Option<Duration> {
        let first = self.heard.map(|heard| heard + self.timing.silence);
        let second = self.doubted_at.map(|at| at + LOOKED_AT_AGAIN_AFTER);
        second.or(first).filter(|_| self.is_judged())
    }

    /// True if it seems silent, and that was seen once.
    pub(crate) fn is_doubted(&self) -> bool {
        self.doubted_at.is_some() && self.is_free()
    }

    fn is_process(&self) -> bool {
        self.timing.placement == Placement::Process
    }

    fn is_judged(&self) -> bool {
        self.timing.placement != Placement::Task
    }
}
