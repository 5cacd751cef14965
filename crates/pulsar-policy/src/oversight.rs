//! The decisions about one life: events and the time go in, what to do comes out.
//!
//! No I/O and no clock of its own, so that each order of events can be tested.

use std::time::Duration;

use pulsar_sys::Exit;
use tokio::time::Instant;

use crate::looks::Looks;
use pulsar_model::{Cause, Info, Placement};

/// What an overseer's channel holds. Notifies give way to the rest when it is half full; of the
/// other events one life has fewer than half of this.
pub const CHILD_EVENTS: usize = 64;
/// A process that has said its last word, or has closed its link, exits within this or is
/// killed.
const EXIT_GRACE: Duration = Duration::from_secs(1);
/// How long after a process's exit its link may still bring what it had sent. Its end of the
/// stream follows at once, unless a descendant holds the socket.
const LINGER: Duration = Duration::from_millis(250);
/// The signal of an abort, on all systems that we know.
const SIGABRT: i32 = 6;
/// A process that was silent has this long to leave a trace of where it stood.
const ABORT_GRACE: Duration = Duration::from_secs(1);
/// A verdict that comes later than this after its time says that we were held ourselves: what was said
/// to us meanwhile may not have been read.
const HELD_AFTER: Duration = Duration::from_millis(250);
/// Who seems silent is looked at once more after this. If all have stood still, we too, and go on, what
/// was due in that time comes now; and our own timer may be read before it.
const SECOND_LOOK: Duration = Duration::from_millis(250);
/// Late looks in a row that are not held against who is silent. A host that is held again and again would
/// never come to judge; and of who is alive something is read in one of so many whole timeouts.
const PARDONS: u32 = 3;
/// Looks in a row at which a process that sleeps counts as heard. At the next it has to speak: not all that keeps a
/// process from going on can be seen, and what it said last is not to be too old.
const MOST_SIGHTS: u32 = 10;
/// No time that was set is longer: what is added to the present stays a time that the clock can tell.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// A killed process that the kernel does not give up within this is given up by us.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// A thread or a task whose loop does not turn cannot be ended; it is abandoned after this.
const ABANDON_AFTER: Duration = Duration::from_secs(1);

/// What an overseer learns.
#[derive(Debug)]
pub enum ChildEvent {
    /// The child is there and is who it should be.
    HelloCame,
    /// It is alive; the first one says that it is ready.
    Notified(Box<Info>),
    /// It has said how it ended.
    EndSaid(Cause),
    /// Its link has ended; with a reason if it was not to be trusted any further.
    LinkClosed(Option<String>),
    /// Its process is dead, and the system says that it lacked memory. Told before [`Exited`](Self::Exited).
    MemoryRanOut,
    /// Its process has exited and was reaped.
    Exited(Exit),
    /// Somebody wants it to stop.
    StopAsked,
    /// Somebody wants it gone.
    KillAsked,
    /// The look that was [decided on](Decision::Look) has shown whether its loop sleeps, and could be woken.
    Seen {
        /// It does, for longer than a moment. False also where that cannot be seen.
        asleep: bool,
    },
    /// Somebody wants to know how it is, and its last notify is old.
    NewsWanted,
    /// The time of [`Oversight::deadline`] has come.
    TimeCame,
}

/// What an overseer does.
#[derive(Debug, PartialEq)]
#[must_use]
pub enum Decision {
    /// Nothing, until the next event.
    Wait,
    /// The actor is ready: resolve its spawn.
    Ready(Box<Info>),
    /// Keep its status.
    Note(Box<Info>),
    /// Look whether its loop sleeps, and tell by [`ChildEvent::Seen`].
    Look,
    /// Have it notify.
    Ask,
    /// Ask it to stop.
    Stop,
    /// Send its process TERM.
    Terminate,
    /// It is silent. Send its process ABRT; a thread can only be asked to end, once its loop turns.
    Abort,
    /// Kill it.
    Kill,
    /// The life is over.
    End(Cause),
}

/// One life, as its manager sees it.
#[derive(Debug)]
pub struct Oversight {
    is_process: bool,
    /// How long it may be silent; `None` for a task, whose loop is its host's.
    timeout: Option<Duration>,
    exit_timeout: Duration,
    looks: Option<Looks>,
    phase: Phase,
    /// Looks at which it slept, since it was last heard.
    sights: u32,
    /// Late looks since it was last heard.
    pardons: u32,
    stop_asked: bool,
    /// How it says it ended.
    said: Option<Cause>,
    /// Why we ended it.
    verdict: Option<Cause>,
    exit: Option<Exit>,
    memory_ran_out: bool,
    link_closed: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Phase {
    Booting {
        until: Instant,
    },
    Ready {
        /// It may be silent until then.
        silent_until: Option<Instant>,
        /// When it is looked at next, if it is.
        look_at: Option<Instant>,
    },
    /// It seems silent.
    Doubted {
        until: Instant,
    },
    /// It was silent for too long, and ABRT was sent.
    Aborted {
        kill_at: Instant,
    },
    /// Asked to stop. Half of the grace later TERM, at its end KILL.
    Stopping {
        terminate_at: Instant,
        kill_at: Instant,
    },
    /// TERM was sent.
    Terminated {
        kill_at: Instant,
    },
    /// It is leaving by itself.
    Leaving {
        kill_at: Instant,
    },
    /// KILL was sent.
    Killed {
        give_up_at: Instant,
    },
    /// It has exited; what it had sent is still being read.
    Lingering {
        until: Instant,
    },
}

impl Oversight {
    /// A life that was launched just now and is to be ready at `boot_until`; from then on it may be
    /// silent for `timeout`, and once asked to stop it has `exit_timeout`: each a year at most.
    pub fn new(
        placement: Placement,
        boot_until: Instant,
        timeout: Duration,
        exit_timeout: Duration,
    ) -> Self {
        Self {
            is_process: placement == Placement::Process,
            timeout: (placement != Placement::Task).then_some(timeout.min(LONGEST)),
            exit_timeout: exit_timeout.min(LONGEST),
            looks: None,
            sights: 0,
            phase: Phase::Booting { until: boot_until },
            pardons: 0,
            stop_asked: false,
            said: None,
            verdict: None,
            exit: None,
            memory_ran_out: false,
            link_closed: false,
        }
    }

    /// It notifies when it is [asked](Decision::Ask) to, and not by itself: it is looked at each such period,
    /// counted from `from`, and asked unless it sleeps. A period is a third of the timeout at most, and a
    /// millisecond at least.
    #[must_use]
    pub fn looked_at(mut self, every: Duration, from: Instant) -> Self {
        self.looks = Some(Looks::new(every.min(LONGEST), from));
        self
    }

    /// When [`ChildEvent::TimeCame`] is due; `None` while there is no hurry.
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Ready {
                silent_until,
                look_at,
            } => silent_until.into_iter().chain(look_at).min(),
            Phase::Booting { until } | Phase::Doubted { until } | Phase::Lingering { until } => {
                Some(until)
            }
            Phase::Stopping { terminate_at, .. } => Some(terminate_at),
            Phase::Terminated { kill_at }
            | Phase::Leaving { kill_at }
            | Phase::Aborted { kill_at } => Some(kill_at),
            Phase::Killed { give_up_at } => Some(give_up_at),
        }
    }

    /// True until the first notify.
    pub fn is_booting(&self) -> bool {
        matches!(self.phase, Phase::Booting { .. })
    }

    /// True once we have sent a signal that ends a process by itself: its death by one says nothing more.
    pub fn is_doomed(&self) -> bool {
        matches!(self.phase, Phase::Killed { .. } | Phase::Aborted { .. })
    }

    /// True if it was killed and its end has not been learnt.
    pub fn is_given_up(&self) -> bool {
        matches!(self.phase, Phase::Killed { .. }) && self.exit.is_none() && self.said.is_none()
    }

    /// Takes an event and decides.
    pub fn on(&mut self, event: ChildEvent, now: Instant) -> Decision {
        match event {
            ChildEvent::HelloCame => Decision::Wait,
            ChildEvent::Notified(info) => self.notified(info, now),
            ChildEvent::EndSaid(cause) => self.end_said(cause, now),
            ChildEvent::LinkClosed(reason) => self.link_closed(reason, now),
            ChildEvent::MemoryRanOut => {
                self.memory_ran_out = !self.is_doomed();
                Decision::Wait
            }
            ChildEvent::Exited(exit) => {
                self.exit = Some(exit);
                self.phase = Phase::Lingering {
                    until: now + LINGER,
                };
                self.end_if_over()
            }
            ChildEvent::StopAsked => self.stop_asked(now),
            ChildEvent::KillAsked => self.kill(now),
            ChildEvent::Seen { asleep } => self.seen(asleep, now),
            ChildEvent::NewsWanted if self.looks.is_some() && self.is_up() => Decision::Ask,
            ChildEvent::NewsWanted => Decision::Wait,
            ChildEvent::TimeCame => self.time_came(now),
        }
    }

    fn notified(&mut self, info: Box<Info>, now: Instant) -> Decision {
        let is_first = self.is_booting();
        if is_first || self.is_up() {
            self.pardons = 0;
            self.sights = 0;
            self.phase = self.ready(now);
        }
        match is_first {
            true => Decision::Ready(info),
            false => Decision::Note(info),
        }
    }

    fn ready(&self, heard: Instant) -> Phase {
        Phase::Ready {
            silent_until: self.timeout.map(|timeout| heard + timeout),
            look_at: self.next_look(heard),
        }
    }

    fn next_look(&self, now: Instant) -> Option<Instant> {
        self.looks.as_ref().map(|looks| looks.next(now))
    }

    /// One that sleeps with nothing to do is as good as heard. Any other speaks for itself.
    fn seen(&mut self, asleep: bool, now: Instant) -> Decision {
        if !self.is_up() {
            return Decision::Wait;
        }
        if !asleep || self.sights >= MOST_SIGHTS {
            return Decision::Ask;
        }
        self.sights += 1;
        self.pardons = 0;
        self.phase = self.ready(now);
        Decision::Wait
    }

    /// It is time to look at it, or to doubt it.
    fn look(&mut self, silent_until: Option<Instant>, now: Instant) -> Decision {
        if let Some(until) = silent_until.filter(|until| *until <= now) {
            return self.doubt(until, now);
        }
        self.phase = Phase::Ready {
            silent_until,
            look_at: self.next_look(now),
        };
        Decision::Look
    }

    /// It is ready, and nothing else is known of it.
    fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Ready { .. } | Phase::Doubted { .. })
    }

    /// It may have been silent for too long: it was to be heard by `until`.
    fn doubt(&mut self, until: Instant, now: Instant) -> Decision {
        if self.pardon(until, now) {
            return Decision::Wait;
        }
        self.phase = Phase::Doubted {
            until: now + SECOND_LOOK,
        };
        // It may be that we have only come too late to ask it.
        match self.looks {
            Some(_) => Decision::Look,
            None => Decision::Wait,
        }
    }

    /// It has not been heard at the second look either.
    fn silent(&mut self, until: Instant, now: Instant) -> Decision {
        if self.pardon(until, now) {
            return Decision::Wait;
        }
        self.verdict = Some(Cause::HeartbeatTimeout);
        self.phase = match self.is_process {
            true => Phase::Aborted {
                kill_at: now + ABORT_GRACE,
            },
            false => Phase::Killed {
                give_up_at: now + ABANDON_AFTER,
            },
        };
        Decision::Abort
    }

    /// Gives it a whole new timeout if this look, due at `until`, comes so late that we were held ourselves.
    /// True if it does.
    fn pardon(&mut self, until: Instant, now: Instant) -> bool {
        let is_pardoned = now > until + HELD_AFTER && self.pardons < PARDONS;
        if is_pardoned {
            self.pardons += 1;
            self.phase = self.ready(now);
        }
        is_pardoned
    }

    fn end_said(&mut self, cause: Cause, now: Instant) -> Decision {
        self.said = Some(cause);
        self.leave(now);
        self.end_if_over()
    }

    fn link_closed(&mut self, reason: Option<String>, now: Instant) -> Decision {
        self.link_closed = true;
        if let Some(reason) = reason {
            self.verdict.get_or_insert(Cause::Failed(reason));
            if self.exit.is_none() {
                return self.kill(now);
            }
        }
        self.leave(now);
        self.end_if_over()
    }

    fn leave(&mut self, now: Instant) {
        let grace = now + EXIT_GRACE;
        // Never later than it was: one that says its last word again and again is killed in time.
        let kill_at = match self.phase {
            Phase::Killed { .. } | Phase::Lingering { .. } | Phase::Leaving { .. } => return,
            Phase::Stopping { kill_at, .. }
            | Phase::Terminated { kill_at }
            | Phase::Aborted { kill_at } => kill_at.min(grace),
            Phase::Booting { .. } | Phase::Ready { .. } | Phase::Doubted { .. } => grace,
        };
        self.phase = Phase::Leaving { kill_at };
    }

    fn stop_asked(&mut self, now: Instant) -> Decision {
        if !self.is_booting() && !self.is_up() {
            return Decision::Wait;
        }
        self.stop_asked = true;
        self.phase = Phase::Stopping {
            terminate_at: now + self.exit_timeout / 2,
            kill_at: now + self.exit_timeout,
        };
        Decision::Stop
    }

    fn kill(&mut self, now: Instant) -> Decision {
        let give_up_at = match self.is_process {
            true => now + KILL_PATIENCE,
            false => now + ABANDON_AFTER,
        };
        match self.phase {
            Phase::Killed { .. } | Phase::Lingering { .. } => Decision::Wait,
            _ => {
                self.phase = Phase::Killed { give_up_at };
                Decision::Kill
            }
        }
    }

    fn time_came(&mut self, now: Instant) -> Decision {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Decision::Wait;
        }
        match self.phase {
            Phase::Ready { silent_until, .. } => self.look(silent_until, now),
            Phase::Doubted { until } => self.silent(until, now),
            Phase::Booting { .. } => {
                self.verdict = Some(Cause::BootTimeout);
                self.kill(now)
            }
            Phase::Stopping { kill_at, .. } => {
                self.phase = Phase::Terminated { kill_at };
                Decision::Terminate
            }
            Phase::Terminated { .. } | Phase::Aborted { .. } => self.kill(now),
            Phase::Leaving { .. } => {
                // Its last word stands: that we hasten its exit says nothing of it.
                self.verdict = self.verdict.take().or_else(|| self.said.clone());
                self.kill(now)
            }
            Phase::Killed { .. } | Phase::Lingering { .. } => Decision::End(self.cause()),
        }
    }

    /// A process is over when it has exited and all it had sent was read; a thread or a task
    /// when it says so.
    fn end_if_over(&self) -> Decision {
        let over = match self.is_process {
            true => self.exit.is_some() && self.link_closed,
            false => self.said.is_some(),
        };
        match over {
            true => Decision::End(self.cause()),
            false => Decision::Wait,
        }
    }

    /// The most certain word on how it ended: our own verdict, then the kernel's, then its own.
    fn cause(&self) -> Cause {
        if let Some(verdict) = &self.verdict {
            return verdict.clone();
        }
        match (self.exit, &self.said) {
            // The kernel that killed it, or its allocator that gave up: the signal is only how.
            (Some(Exit::Signal { .. }), _) if self.memory_ran_out => Cause::OutOfMemory,
            // The panic that aborted it: the signal is only how.
            (
                Some(Exit::Signal {
                    signal: SIGABRT, ..
                }),
                Some(said @ Cause::Panic(_)),
            ) => said.clone(),
            (
                Some(Exit::Signal {
                    signal,
                    core_dumped,
                }),
                _,
            ) => Cause::Signal {
                signal,
                core_dumped,
            },
            (_, Some(said)) => said.clone(),
            (Some(Exit::Code(0)), None) if self.stop_asked => Cause::Stopped,
            (Some(Exit::Code(0)), None) => Cause::Normal,
            (Some(Exit::Code(code)), None) => Cause::Code(code),
            (None | Some(Exit::Lost), None) if self.stop_asked => Cause::Stopped,
            (None | Some(Exit::Lost), None) => Cause::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
