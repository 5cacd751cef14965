//! What a group orders, carried out.

use pulsar_model::Cause;
use pulsar_policy::{GroupEvent, News, Strategy};

use super::{Checked, World};
use crate::agenda::Happening;
use crate::coverage::Seen;
use crate::group::{Group, Occupant, Told};
use crate::ledger::Order;
use crate::life::{Life, Member};
use crate::life_check::Heard;
use crate::past::Past;
use crate::plan::{GroupPlan, LifePlan, MOST_CHILDREN, Shape};
use crate::process::Process;

impl World {
    pub(super) fn obey(&mut self, group: usize, order: Order) -> Checked {
        match order {
            Order::Begin { child, incarnation } => self.begin(Member {
                group,
                child,
                incarnation,
            }),
            Order::Stop { child } => {
                self.command(group, child, Heard::StopAsked);
                Ok(())
            }
            Order::Kill { child } => {
                self.command(group, child, Heard::KillAsked);
                Ok(())
            }
            Order::Delay { .. } => Ok(()),
            Order::Forget { child } => {
                self.groups[group].inner_pasts[child] = Past::default();
                Ok(())
            }
            Order::End { gave_up } => {
                self.ended(group, gave_up);
                Ok(())
            }
        }
    }

    fn begin(&mut self, member: Member) -> Checked {
        let is_free = match self.groups[member.group].occupants[member.child] {
            None => true,
            Some(Occupant::Life(life)) => self.lives[life].is_over,
            Some(Occupant::Group(group)) => self.groups[group].has_ended(),
        };
        if !is_free {
            return Err(format!("two live in the place of {member:?}"));
        }
        let child = self.groups[member.group].plan.child(member.child).clone();
        if let Some(plan) = child.group {
            let past = self.groups[member.group].inner_pasts[member.child].clone();
            if !past.stopped.is_empty() {
                self.coverage.saw(Seen::BegunStopped);
            }
            let index = self.found(past.apply(*plan), Some(member), &past);
            return self.tell(index, Told::Begin);
        }
        if self.chance.permille(self.faults / 5) {
            self.coverage.saw(Seen::NeverMade);
            let at = self.now + self.chance.ms(0, 20);
            let failed = Cause::Failed("no process".to_owned());
            self.report_at(at, member, News::Ended(failed));
            return Ok(());
        }
        let plan = match self.faults {
            0 => LifePlan::calm(&mut self.chance),
            faults => LifePlan::draw(&mut self.chance, faults),
        };
        let timing = child.timing;
        let (process, effects) = Process::launch(timing, plan, &mut self.coverage);
        let index = self.lives.len();
        let life = Life::new(member, process, timing, self.clock, self.now);
        self.trace
            .line(self.now, || format!("process {index} begins: {plan:?}"));
        self.lives.push(life);
        self.living.push(index);
        self.groups[member.group].occupants[member.child] = Some(Occupant::Life(index));
        self.enter(index, effects);
        Ok(())
    }

    /// A group comes to be; it is not told so yet.
    pub(super) fn found(&mut self, plan: GroupPlan, member: Option<Member>, past: &Past) -> usize {
        self.coverage.saw(match plan.shape {
            _ if member.is_some() => Seen::Nested,
            Shape::Pool => Seen::Pool,
            Shape::Ordered(Strategy::OneForOne) => Seen::OneForOne,
            Shape::Ordered(Strategy::OneForAll) => Seen::OneForAll,
            Shape::Ordered(Strategy::RestForOne) => Seen::RestForOne,
        });
        let index = self.groups.len();
        self.trace
            .line(self.now, || format!("group {index}: {plan:?}"));
        if let Some(member) = member {
            let occupant = Some(Occupant::Group(index));
            self.groups[member.group].occupants[member.child] = occupant;
        }
        let group = Group::new(plan, member, past, self.clock);
        self.groups.push(group);
        index
    }

    /// A child is asked to stop, or is killed. One that was never made has nobody to hear it.
    fn command(&mut self, group: usize, child: usize, heard: Heard) {
        match self.groups[group].occupants[child] {
            Some(Occupant::Life(life)) => {
                self.agenda.enter(self.now, Happening::Told { life, heard });
            }
            Some(Occupant::Group(inner)) => {
                if heard == Heard::KillAsked {
                    for child in 0..MOST_CHILDREN {
                        self.command(inner, child, Heard::KillAsked);
                    }
                }
                let event = GroupEvent::StopAsked;
                let happening = Happening::Command {
                    group: inner,
                    event,
                };
                self.agenda.enter(self.now, happening);
            }
            None => {}
        }
    }

    fn ended(&mut self, index: usize, gave_up: Option<String>) {
        let Some(member) = self.groups[index].member else {
            return;
        };
        let past = self.groups[index].past();
        self.groups[member.group].inner_pasts[member.child] = past;
        let cause = gave_up.map_or(Cause::Stopped, Cause::Failed);
        self.report_at(self.now, member, News::Ended(cause));
    }
}
