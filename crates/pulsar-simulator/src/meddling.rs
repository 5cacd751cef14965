//! What chance does to a running system: operators' words, deaths out of turn, held loops, and news
//! that come twice or too late.

use std::time::Duration;

use pulsar_model::Cause;
use pulsar_policy::{GroupEvent, News};

use crate::agenda::Happening;
use crate::coverage::Seen;
use crate::group::Told;
use crate::life_check::Heard;
use crate::plan::{Death, MOST_CHILDREN};
use crate::process::Step;
use crate::world::{TOP, World};

impl World {
    /// Chance steps in, and will again.
    pub(crate) fn meddle(&mut self) -> Result<(), String> {
        if self.is_calm() {
            return Ok(());
        }
        match self.chance.below(16) {
            _ if self.is_often_held && self.chance.permille(600) => self.hold_sometime(),
            0 | 1 => self.scale(),
            2 => self.stop_a_child(),
            3 if self.chance.permille(80) => self.stop_a_group(),
            4 => self.hold_sometime(),
            5 | 6 => self.repeat_old_news()?,
            7 => self.repeat_ready(),
            8 => self.raise_false_alarm()?,
            _ => self.kill_somebody(),
        }
        self.meddle_later();
        Ok(())
    }

    pub(crate) fn meddle_later(&mut self) {
        let longest = 40_000 / (1 + self.faults / 10);
        let at = self.now + self.chance.ms(0, longest);
        self.agenda.enter(at, Happening::Meddle);
    }

    fn any_group(&mut self) -> usize {
        match self.chance.permille(600) {
            true => TOP,
            false => self.chance.below(self.groups.len()),
        }
    }

    fn command_now(&mut self, group: usize, event: GroupEvent) {
        if self.groups[group].has_ended() {
            self.coverage.saw(Seen::LateForEnded);
        }
        let at = self.now.max(self.held_until);
        self.agenda.enter(at, Happening::Command { group, event });
    }

    fn scale(&mut self) {
        let group = self.any_group();
        let children = self.chance.below(MOST_CHILDREN + 1);
        self.command_now(group, GroupEvent::ScaleTo { children });
        // A second thought, while those who go are still going.
        if self.chance.permille(400) {
            let children = self.chance.below(MOST_CHILDREN + 1);
            self.command_now(group, GroupEvent::ScaleTo { children });
        }
    }

    fn stop_a_child(&mut self) {
        self.coverage.saw(Seen::StoppedChild);
        let group = self.any_group();
        // Also one that is not there.
        let child = self.chance.below(MOST_CHILDREN + 1);
        self.command_now(group, GroupEvent::StopChild { child });
    }

    fn stop_a_group(&mut self) {
        self.coverage.saw(Seen::StoppedGroup);
        let group = self.any_group();
        self.command_now(group, GroupEvent::StopAsked);
        if self.chance.permille(300) {
            self.command_now(group, GroupEvent::StopAsked);
        }
    }

    fn hold_sometime(&mut self) {
        let longest = self.chance.pick(&[100, 1_000, 10_000]);
        let time = self.chance.ms(0, longest);
        self.hold(time);
        if let Some(life) = self.any_life() {
            self.hold_at_next_look(life);
        }
    }

    /// A loop that was held as it looked at a life may be so at its next look too.
    pub(crate) fn hold_at_next_look(&mut self, life: usize) {
        let deadline = self.lives[life].deadline();
        if let Some(at) = deadline.filter(|_| self.is_often_held) {
            let time = self.chance.ms(200, 1000);
            self.agenda.enter(at, Happening::Hold(time));
        }
    }

    /// A loop that has just come to read from a life may be held until after its next look.
    pub(crate) fn hold_over_next_look(&mut self, life: usize) {
        let deadline = self.lives[life].deadline();
        if let Some(at) = deadline.filter(|_| self.is_often_held && !self.is_calm()) {
            let late = self.chance.ms(260, 1000);
            self.hold((at + late).saturating_sub(self.now));
        }
    }

    pub(crate) fn hold(&mut self, time: Duration) {
        self.coverage.saw(Seen::Held);
        let until = self.now + time;
        self.held_until = self.held_until.max(until);
        self.trace
            .line(self.now, || format!("the loop is held until {until:?}"));
    }

    /// News of a life that the group has outlived, in the place that it is in still.
    ///
    /// Told at once: later it may be a new place, whose lives have the same numbers. Real news cannot come so
    /// late, since a place is given up only after the end of its last life, and that is the last of its news.
    fn repeat_old_news(&mut self) -> Result<(), String> {
        if self.now < self.held_until {
            return Ok(());
        }
        let group = self.any_group();
        let child = self.chance.below(MOST_CHILDREN);
        let next = self.groups[group].next_lives();
        let next = next.get(child).copied().unwrap_or(1);
        let incarnation = match next.checked_sub(2) {
            // The life before the last one that was begun, or an earlier one.
            Some(lives) if lives > 0 => 1 + self.chance.below(lives as usize) as u32,
            _ => return Ok(()),
        };
        self.coverage.saw(Seen::LateNews);
        let news = match self.chance.permille(500) {
            true => News::Ready,
            false => News::Ended(Cause::Code(1)),
        };
        let told = Told::News {
            child,
            incarnation,
            news,
        };
        self.tell(group, told)
    }

    /// A life says twice that it is ready.
    fn repeat_ready(&mut self) {
        let Some(life) = self.any_life() else {
            return;
        };
        if self.lives[life].process.is_sound() {
            self.coverage.saw(Seen::DoubledReady);
            self.report(life, News::Ready);
        }
    }

    /// A timer that comes too early: nothing may follow from it that is not due.
    fn raise_false_alarm(&mut self) -> Result<(), String> {
        if self.now < self.held_until {
            return Ok(());
        }
        self.coverage.saw(Seen::FalseAlarm);
        if let Some(life) = self.any_life() {
            self.hear(life, Heard::TimeCame)?;
        }
        let group = self.any_group();
        self.tell(group, Told::TimeCame)
    }

    fn kill_somebody(&mut self) {
        let Some(life) = self.any_life() else {
            return;
        };
        let step = Step::Die(Death::draw(&mut self.chance));
        self.agenda
            .enter(self.now, Happening::Process { life, step });
    }

    fn any_life(&mut self) -> Option<usize> {
        match self.living.len() {
            0 => None,
            living => Some(self.living[self.chance.below(living)]),
        }
    }
}
