//! Which decisions of a group are right, each by itself.

use std::time::Duration;

use super::{Ledger, Order, Verdict};
use crate::coverage::{Coverage, Seen};
use crate::slot::Slot;

impl Ledger {
    /// Permits what was decided on what was heard, in its order, or tells what is wrong with it.
    pub(crate) fn permit(&mut self, order: &Order, now: Duration, seen: &mut Coverage) -> Verdict {
        if self.has_ended {
            return Err("a decision after the end".to_owned());
        }
        match order {
            Order::Begin { child, incarnation } => self.permit_begin(*child, *incarnation, now)?,
            Order::Stop { child } => self.permit_stop(*child, now)?,
            Order::Kill { child } => self.permit_kill(*child, now)?,
            Order::Delay { child, until } => self.permit_delay(*child, *until)?,
            Order::Forget { child } => {
                let slot = self.slots.get_mut(*child).ok_or("no such child")?;
                slot.permit_forget()?;
            }
            Order::End { gave_up } => self.permit_end(gave_up.as_deref(), seen)?,
        }
        seen.saw(match order {
            Order::Begin { .. } => Seen::Begin,
            Order::Stop { .. } => Seen::Stop,
            Order::Kill { .. } => Seen::GroupKill,
            Order::Delay { .. } => Seen::Delay,
            Order::Forget { .. } => Seen::Forget,
            Order::End { .. } => Seen::End,
        });
        Ok(())
    }

    fn permit_begin(&mut self, child: usize, incarnation: u32, now: Duration) -> Verdict {
        self.end_restart_of_several();
        if self.is_stopping {
            return Err("a begin in a group that stops".to_owned());
        }
        if !self.has_turn_to_begin(child) {
            return Err(format!("child {child} begins before its turn"));
        }
        let slot = self.slots.get_mut(child).ok_or("no such child")?;
        slot.permit_begin(incarnation, now)
    }

    fn permit_stop(&mut self, child: usize, now: Duration) -> Verdict {
        let has_turn = self.has_turn_to_stop(child);
        let slot = self.slots.get_mut(child).ok_or("no such child")?;
        let life = slot.life.as_mut().ok_or("a stop of nobody")?;
        if life.asked_at.is_some() {
            return Err(format!("child {child} is asked to stop twice"));
        }
        if !has_turn && !life.place_ends {
            return Err(format!("child {child} is asked to stop out of turn"));
        }
        life.asked_at = Some(now);
        Ok(())
    }

    fn permit_kill(&mut self, child: usize, now: Duration) -> Verdict {
        let slot = self.slots.get_mut(child).ok_or("no such child")?;
        let life = slot.life.as_mut().ok_or("a kill of nobody")?;
        match life.kill_due(&slot.rules) {
            Some(due) if due <= now => {
                life.is_killed = true;
                Ok(())
            }
            due => Err(format!("a kill of child {child}, which is due at {due:?}")),
        }
    }

    fn permit_delay(&mut self, child: usize, until: Duration) -> Verdict {
        match self.owed_delay.take() {
            // Two ways to multiply may differ by a rounding.
            Some((owed, at)) if owed == child && at.abs_diff(until) < Duration::from_micros(1) => {
                self.slots[child].not_before = Some(until);
                Ok(())
            }
            owed => Err(format!(
                "a delay of child {child}, {until:?} instead of {owed:?}"
            )),
        }
    }

    fn permit_end(&mut self, gave_up: Option<&str>, seen: &mut Coverage) -> Verdict {
        if !self.is_stopping || self.slots.iter().any(Slot::lives) {
            return Err("an end of a group that lives".to_owned());
        }
        self.check_reason(gave_up)?;
        self.has_ended = true;
        match self.gives_up {
            Some("boots") => seen.saw(Seen::GaveUpByBoots),
            Some("restarts in") => seen.saw(Seen::GaveUpByIntensity),
            Some(_) => seen.saw(Seen::GaveUpSpent),
            None => {}
        }
        Ok(())
    }
}
