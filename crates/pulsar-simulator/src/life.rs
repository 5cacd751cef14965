//! One life: its process, the real `Oversight` of it, and the check on that.

use std::time::Duration;

use pulsar_model::{
    ActorInfo, ExecutorInfo, Extra, Info, LinksInfo, LoopInfo, MailboxInfo, Placement, State,
};
use pulsar_policy::{ChildEvent, Decision, Oversight};

use crate::life_check::{Heard, LifeCheck};
use crate::plan::{Clock, Timing};
use crate::process::Process;

/// Where a life is lived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    pub(crate) group: usize,
    pub(crate) child: usize,
    pub(crate) incarnation: u32,
}

#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) member: Member,
    pub(crate) process: Process,
    pub(crate) is_over: bool,
    /// When the latest of its news reaches its group: none overtakes another.
    pub(crate) news_at: Duration,
    oversight: Oversight,
    check: LifeCheck,
    clock: Clock,
}

impl Life {
    pub(crate) fn new(
        member: Member,
        process: Process,
        timing: Timing,
        clock: Clock,
        now: Duration,
    ) -> Self {
        let boot_until = clock.instant(now + timing.boot_timeout);
        let mut oversight =
            Oversight::new(timing.placement, boot_until, timing.silence, timing.grace);
        if let Some(every) = timing.look_every {
            oversight = oversight.looked_at(every, clock.instant(Duration::ZERO));
        }
        Self {
            member,
            process,
            is_over: false,
            news_at: now,
            oversight,
            check: LifeCheck::new(timing, now),
            clock,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        let deadline = self.oversight.deadline();
        deadline.map(|at| self.clock.offset(at))
    }

    /// When it has to be decided on, whatever its overseer thinks.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.check.due()
    }

    /// Looks in a row that came too late.
    pub(crate) fn pardons(&self) -> u32 {
        self.check.pardons()
    }

    /// True between the two looks at who seems silent.
    pub(crate) fn is_doubted(&self) -> bool {
        self.check.is_doubted()
    }

    pub(crate) fn hear(&mut self, heard: Heard, now: Duration) -> Result<Decision, String> {
        let event = match heard.clone() {
            Heard::Hello => ChildEvent::HelloCame,
            Heard::Notify => ChildEvent::Notified(Box::new(info())),
            Heard::LastWord(cause) => ChildEvent::EndSaid(cause),
            Heard::LinkEnd { distrusted } => {
                ChildEvent::LinkClosed(distrusted.then(|| "garbage".to_owned()))
            }
            Heard::Exit(exit) => ChildEvent::Exited(exit),
            Heard::Seen { asleep } => ChildEvent::Seen { asleep },
            Heard::StopAsked => ChildEvent::StopAsked,
            Heard::KillAsked => ChildEvent::KillAsked,
            Heard::TimeCame => ChildEvent::TimeCame,
        };
        let decision = self.oversight.on(event, self.clock.instant(now));
        self.check.check(heard, &decision, now)?;
        if !matches!(decision, Decision::End(_)) {
            return Ok(decision);
        }
        self.is_over = true;
        match self.process.is_dead || self.check.may_be_given_up(now) {
            true => Ok(decision),
            false => Err("a life is called over that goes on".to_owned()),
        }
    }
}

fn info() -> Info {
    Info {
        actor: ActorInfo {
            name: String::new(),
            id: String::new(),
            incarnation: 1,
            state: State::Running,
            placement: Placement::Process,
            uptime_s: 0.0,
            pid: 1,
            thread_id: 1,
            age: 1,
            generation: 1,
            restarts: 0,
            next_periodic_task_s: None,
        },
        mailbox: MailboxInfo::default(),
        system: None,
        event_loop: LoopInfo::default(),
        executor: ExecutorInfo::default(),
        links: LinksInfo::default(),
        extra: Extra::default(),
    }
}
