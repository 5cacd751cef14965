//! A supervisor and its processes, in virtual time.

mod orders;

use std::time::Duration;

use pulsar_model::Placement;
use pulsar_policy::{Decision, News};

use crate::agenda::{Agenda, Happening};
use crate::chance::Chance;
use crate::coverage::{Coverage, Seen};
use crate::group::{Group, Told};
use crate::life::{Life, Member};
use crate::life_check::Heard;
use crate::past::Past;
use crate::plan::{Clock, GroupPlan};
use crate::process::{Effects, Step, Word};
use crate::trace::Trace;

/// The group that holds all others.
pub(crate) const TOP: usize = 0;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) coverage: Coverage,
    pub(crate) trace: Trace,
    pub(crate) groups: Vec<Group>,
    pub(crate) lives: Vec<Life>,
    /// Those of the lives that are not over.
    pub(crate) living: Vec<usize>,
    pub(crate) agenda: Agenda,
    pub(crate) chance: Chance,
    /// Until then the supervisor's loop takes nothing in.
    pub(crate) held_until: Duration,
    /// The loop is held again and again.
    pub(crate) is_often_held: bool,
    /// In how many of a thousand cases something goes wrong.
    pub(crate) faults: usize,
    clock: Clock,
}

type Checked = Result<(), String>;

#[derive(Clone, Copy, Debug)]
enum Whose {
    Life(usize),
    Group(usize),
}

impl World {
    pub(crate) fn new(mut chance: Chance, is_traced: bool) -> Self {
        let mut coverage = Coverage::default();
        if chance.permille(250) {
            coverage.saw(Seen::Coarse);
            chance.make_coarse();
        }
        let faults = chance.pick(&[60, 200, 450, 800]);
        let is_often_held = chance.permille(200);
        let clock = Clock::new();
        let plan = GroupPlan::draw(&mut chance, true);
        let mut world = Self {
            now: Duration::ZERO,
            coverage,
            trace: Trace::new(is_traced),
            groups: Vec::new(),
            lives: Vec::new(),
            living: Vec::new(),
            agenda: Agenda::default(),
            chance,
            held_until: Duration::ZERO,
            is_often_held,
            faults,
            clock,
        };
        world.found(plan, None, &Past::default());
        world
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.faults == 0
    }

    /// From now on nothing goes wrong that has not begun to.
    pub(crate) fn calm_down(&mut self) {
        self.trace.line(self.now, || "the faults end".to_owned());
        self.faults = 0;
        for life in &self.living {
            self.lives[*life].process.calm_down(&mut self.chance);
        }
    }

    /// True if all that is wanted is there, or all is over.
    pub(crate) fn is_settled(&self) -> bool {
        let mut lives = self.living.iter().map(|life| &self.lives[*life]);
        self.groups.iter().all(Group::is_settled) && lives.all(|life| life.process.is_sound())
    }

    /// Lets the next thing happen. True if it was more than one more sign of life.
    pub(crate) fn step(&mut self) -> Result<bool, String> {
        let due = self.next_deadline();
        let due = due.map(|(at, whose)| (at.max(self.held_until).max(self.now), whose));
        match (self.agenda.next_at(), due) {
            // Of a timer and a message at one time, either may be read first.
            (Some(at), Some((deadline, whose)))
                if deadline < at || (deadline == at && self.chance.permille(500)) =>
            {
                self.time_came(deadline, whose)?;
            }
            (None, Some((deadline, whose))) => self.time_came(deadline, whose)?,
            (None, None) => return Err("nothing happens any more".to_owned()),
            (Some(_), _) => {
                if let Some((at, happening)) = self.agenda.take() {
                    let is_beat = happening.is_beat();
                    self.happen(at, happening)?;
                    return Ok(!is_beat);
                }
            }
        }
        Ok(true)
    }

    fn next_deadline(&self) -> Option<(Duration, Whose)> {
        let lives = self.living.iter().filter_map(|life| {
            let at = self.lives[*life].deadline()?;
            Some((at, Whose::Life(*life)))
        });
        let groups = self.groups.iter().enumerate();
        let groups = groups.filter_map(|(index, group)| {
            let at = group.deadline()?;
            Some((at, Whose::Group(index)))
        });
        lives.chain(groups).min_by_key(|(at, _)| *at)
    }

    fn time_came(&mut self, at: Duration, whose: Whose) -> Checked {
        self.pass_time(at)?;
        match whose {
            Whose::Life(life) => self.hear(life, Heard::TimeCame),
            Whose::Group(group) => self.tell(group, Told::TimeCame),
        }
    }

    fn happen(&mut self, at: Duration, happening: Happening) -> Checked {
        if happening.needs_the_loop() && at < self.held_until {
            self.agenda.enter(self.held_until, happening);
            return Ok(());
        }
        self.pass_time(at)?;
        match happening {
            Happening::Process { life, step } => {
                self.process(life, step);
                Ok(())
            }
            Happening::Told { life, heard } => self.hear(life, heard),
            Happening::News {
                group,
                child,
                incarnation,
                news,
            } => {
                let told = Told::News {
                    child,
                    incarnation,
                    news,
                };
                self.tell(group, told)
            }
            Happening::Command { group, event } => self.tell(group, Told::Command(event)),
            Happening::Hold(time) => {
                self.hold(time);
                Ok(())
            }
            Happening::Meddle => self.meddle(),
        }
    }

    /// Nothing that is due may be left behind, but for a loop that is held.
    fn pass_time(&mut self, to: Duration) -> Checked {
        if to > self.now && to > self.held_until {
            let lives = self
                .living
                .iter()
                .filter_map(|life| self.lives[*life].due());
            let groups = self.groups.iter().filter_map(Group::due);
            if let Some(due) = lives.chain(groups).find(|due| *due < to) {
                return Err(format!("what was due at {due:?} was not done by {to:?}"));
            }
        }
        self.now = to;
        Ok(())
    }

    fn process(&mut self, life: usize, step: Step) {
        if self.is_calm() && matches!(step, Step::MeetFate(_)) {
            return;
        }
        let process = &mut self.lives[life].process;
        let was_dead = process.is_dead;
        let effects = process.take(step, &mut self.chance, &mut self.coverage);
        if !was_dead && !matches!(step, Step::Notify | Step::TakeAsk) {
            self.trace
                .line(self.now, || format!("process {life}: {step:?}"));
        }
        self.enter(life, effects);
    }

    fn enter(&mut self, life: usize, effects: Effects) {
        for (after, step) in effects.steps {
            let happening = Happening::Process { life, step };
            self.agenda.enter(self.now + after, happening);
        }
        for (after, word) in effects.words {
            let heard = match word {
                Word::Hello => Heard::Hello,
                Word::Notify => Heard::Notify,
                Word::Goodbye(cause) => Heard::LastWord(cause),
                Word::LinkEnd { distrusted } => Heard::LinkEnd { distrusted },
                Word::Exit(exit) => Heard::Exit(exit),
            };
            let happening = Happening::Told { life, heard };
            self.agenda.enter(self.now + after, happening);
        }
    }

    /// The overseer of a life hears something, and carries out what follows.
    pub(crate) fn hear(&mut self, index: usize, heard: Heard) -> Checked {
        let life = &mut self.lives[index];
        if life.is_over {
            return Ok(());
        }
        let is_beat = matches!(heard, Heard::Notify | Heard::Seen { .. });
        let was_seen = heard == Heard::Seen { asleep: true };
        let (was_doubted, pardons) = (life.is_doubted(), life.pardons());
        let text = self.trace.is_on().then(|| format!("{heard:?}"));
        let member = life.member;
        let name = || {
            format!(
                "group {} child {} life {}",
                member.group, member.child, member.incarnation
            )
        };
        let decision = life.hear(heard, self.now);
        let decision = decision.map_err(|what| format!("{}: {what}", name()))?;
        match (was_doubted, life.is_doubted()) {
            (false, true) => self.coverage.saw(Seen::Doubted),
            (true, false) if is_beat => self.coverage.saw(Seen::Cleared),
            _ => {}
        }
        if life.pardons() > pardons {
            self.coverage.saw(Seen::Pardoned);
            self.hold_at_next_look(index);
        } else if life.pardons() < pardons {
            self.hold_over_next_look(index);
        } else if decision == Decision::Abort && pardons > 2 {
            self.coverage.saw(Seen::PardonsSpent);
        }
        match &decision {
            Decision::Ask if was_seen => self.coverage.saw(Seen::AskedAsleep),
            Decision::Ask => self.coverage.saw(Seen::Asked),
            Decision::Wait if was_seen => self.coverage.saw(Seen::SeenAsleep),
            _ => {}
        }
        if let Some(text) = text.filter(|_| !is_beat || matches!(decision, Decision::Ready(_))) {
            let decided = match &decision {
                Decision::Ready(_) => "Ready".to_owned(),
                other => format!("{other:?}"),
            };
            let line = format!("{} (process {index}): {text} -> {decided}", name());
            self.trace.line(self.now, || line);
        }
        self.carry_out(index, decision);
        Ok(())
    }

    fn carry_out(&mut self, index: usize, decision: Decision) {
        let is_process = self.lives[index].process.placement == Placement::Process;
        let step = match decision {
            Decision::Wait | Decision::Note(_) => return,
            Decision::Ready(_) => return self.report(index, News::Ready),
            Decision::End(cause) => {
                if !self.lives[index].process.is_dead {
                    self.coverage.saw(Seen::Abandoned);
                }
                self.living.retain(|life| *life != index);
                return self.report(index, News::Ended(cause));
            }
            Decision::Look => return self.look(index),
            Decision::Ask => Step::TakeAsk,
            Decision::Stop => Step::TakeStop,
            Decision::Terminate => {
                self.coverage.saw(Seen::Terminate);
                Step::TakeTerm
            }
            Decision::Abort => {
                self.coverage.saw(Seen::Abort);
                Step::TakeAbort
            }
            Decision::Kill => {
                self.coverage.saw(Seen::Kill);
                Step::TakeKill
            }
        };
        // A thread and a task can be asked, nothing more.
        if is_process || step == Step::TakeStop {
            let at = self.now + self.chance.ms(0, 3);
            self.agenda
                .enter(at, Happening::Process { life: index, step });
        }
    }

    /// Its overseer looks whether it sleeps, and learns it a moment later.
    fn look(&mut self, life: usize) {
        let asleep = self.lives[life].process.sleeps(&mut self.chance);
        let heard = Heard::Seen { asleep };
        let at = self.now + self.chance.ms(0, 20);
        self.agenda.enter(at, Happening::Told { life, heard });
    }

    /// A life's news go to its group, in their order, now and then with a delay.
    pub(crate) fn report(&mut self, index: usize, news: News) {
        let delay = match self.chance.permille(300) {
            true => self.chance.ms(0, 50),
            false => Duration::ZERO,
        };
        let life = &mut self.lives[index];
        life.news_at = life.news_at.max(self.now + delay);
        let (at, member) = (life.news_at, life.member);
        self.report_at(at, member, news);
    }

    fn report_at(&mut self, at: Duration, member: Member, news: News) {
        let happening = Happening::News {
            group: member.group,
            child: member.child,
            incarnation: member.incarnation,
            news,
        };
        self.agenda.enter(at, happening);
    }

    /// Tells a group, and carries out what it decides.
    pub(crate) fn tell(&mut self, index: usize, told: Told) -> Checked {
        let chance = self.chance.signed();
        let group = &mut self.groups[index];
        let orders = group.hear(&told, self.now, chance, &mut self.coverage);
        let orders = orders.map_err(|what| format!("group {index}, on {told:?}: {what}"))?;
        self.trace.line(self.now, || {
            format!("group {index}: {told:?} -> {orders:?}")
        });
        for order in orders {
            self.obey(index, order)?;
        }
        let group = &mut self.groups[index];
        if !group.was_ready && group.is_ready() {
            group.was_ready = true;
            if let Some(member) = group.member {
                self.report_at(self.now, member, News::Ready);
            }
        }
        Ok(())
    }
}
