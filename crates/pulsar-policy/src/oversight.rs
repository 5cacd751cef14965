//! The decisions about one life: events and the time go in, what to do comes out.
//!
//! No I/O and no clock of its own, so that each order of events can be tested.

use std::time::Duration;

use pulsar_sys::Exit;
use tokio::time::Instant;

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
/// No period of looks is shorter.
const SHORTEST_PERIOD: Duration = Duration::from_millis(1);
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

/// The heartbeat's period for an actor that may be silent for `timeout`: three in that time, but
/// neither so many that they cost nor so few that what they show is old.
pub fn notify_period(timeout: Duration) -> Duration {
    timeout
        .mul_f64(0.3)
        .clamp(Duration::from_millis(100), Duration::from_secs(10))
}

/// When processes are looked at: at the same times all of those that have the same period.
#[derive(Clone, Copy, Debug)]
struct Looks {
    every: Duration,
    from: Instant,
}

impl Looks {
    fn next(&self, now: Instant) -> Instant {
        let passed = now.saturating_duration_since(self.from).as_nanos();
        let into_period = passed % self.every.as_nanos();
        let into_period = Duration::from_nanos(u64::try_from(into_period).unwrap_or(0));
        now + self.every.saturating_sub(into_period)
    }
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
        let every = every.clamp(SHORTEST_PERIOD, LONGEST);
        self.looks = Some(Looks { every, from });
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
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);
    const SILENCE: Duration = Duration::from_secs(20);

    fn process(now: Instant) -> Oversight {
        Oversight::new(Placement::Process, later(now, 30), SILENCE, GRACE)
    }

    fn later(now: Instant, seconds: u64) -> Instant {
        now + Duration::from_secs(seconds)
    }

    #[test]
    fn a_process_is_over_only_when_it_has_exited_and_its_link_is_drained() {
        let now = Instant::now();
        let killed = Exit::Signal {
            signal: 9,
            core_dumped: false,
        };
        let cause = Cause::Signal {
            signal: 9,
            core_dumped: false,
        };
        let mut life = process(now);
        assert_eq!(life.on(ChildEvent::Exited(killed), now), Decision::Wait);
        assert_eq!(
            life.on(ChildEvent::LinkClosed(None), now),
            Decision::End(cause.clone())
        );
        let mut life = process(now);
        assert_eq!(life.on(ChildEvent::LinkClosed(None), now), Decision::Wait);
        assert_eq!(
            life.on(ChildEvent::Exited(killed), now),
            Decision::End(cause)
        );
    }

    #[test]
    fn a_descendant_that_holds_the_link_does_not_hold_up_the_news() {
        let now = Instant::now();
        let mut life = process(now);
        let _ = life.on(ChildEvent::Exited(Exit::Code(3)), now);
        assert_eq!(life.deadline(), Some(now + LINGER));
        assert_eq!(
            life.on(ChildEvent::TimeCame, now + LINGER),
            Decision::End(Cause::Code(3))
        );
    }

    #[test]
    fn a_boot_that_takes_too_long_is_killed_and_called_so() {
        let now = Instant::now();
        let mut life = process(now);
        assert_eq!(
            life.on(ChildEvent::TimeCame, later(now, 29)),
            Decision::Wait
        );
        assert_eq!(
            life.on(ChildEvent::TimeCame, later(now, 30)),
            Decision::Kill
        );
        let killed = Exit::Signal {
            signal: 9,
            core_dumped: false,
        };
        let _ = life.on(ChildEvent::Exited(killed), later(now, 30));
        let end = life.on(ChildEvent::LinkClosed(None), later(now, 30));
        assert_eq!(end, Decision::End(Cause::BootTimeout));
    }

    #[test]
    fn a_stop_escalates_to_term_and_to_kill_at_the_end_of_the_grace() {
        let now = Instant::now();
        let mut life = process(now);
        assert_eq!(life.on(ChildEvent::StopAsked, now), Decision::Stop);
        assert_eq!(life.on(ChildEvent::StopAsked, now), Decision::Wait);
        assert_eq!(
            life.on(ChildEvent::TimeCame, later(now, 5)),
            Decision::Terminate
        );
        assert_eq!(life.on(ChildEvent::TimeCame, later(now, 9)), Decision::Wait);
        assert_eq!(
            life.on(ChildEvent::TimeCame, later(now, 10)),
            Decision::Kill
        );
        assert_eq!(
            life.on(ChildEvent::KillAsked, later(now, 10)),
            Decision::Wait
        );
    }

    #[test]
    fn a_process_that_said_why_it_ended_and_exited_is_believed() {
        let now = Instant::now();
        let mut life = process(now);
        let failed = Cause::Failed("no database".to_owned());
        assert_eq!(
            life.on(ChildEvent::EndSaid(failed.clone()), now),
            Decision::Wait
        );
        let _ = life.on(ChildEvent::Exited(Exit::Code(1)), now);
        assert_eq!(
            life.on(ChildEvent::LinkClosed(None), now),
            Decision::End(failed)
        );
    }

    #[test]
    fn a_panic_that_aborts_is_told_from_an_abort() {
        let now = Instant::now();
        let aborted = |said: Option<Cause>| {
            let mut life = process(now);
            if let Some(said) = said {
                let _ = life.on(ChildEvent::EndSaid(said), now);
            }
            let _ = life.on(ChildEvent::LinkClosed(None), now);
            let exit = Exit::Signal {
                signal: SIGABRT,
                core_dumped: false,
            };
            life.on(ChildEvent::Exited(exit), now)
        };
        let panic = Cause::Panic("out of tea".to_owned());
        assert_eq!(aborted(Some(panic.clone())), Decision::End(panic));
        let signal = Cause::Signal {
            signal: SIGABRT,
            core_dumped: false,
        };
        assert_eq!(aborted(None), Decision::End(signal));
    }

    #[test]
    fn a_signal_for_lack_of_memory_is_told_from_others() {
        let now = Instant::now();
        let killed = Exit::Signal {
            signal: 9,
            core_dumped: false,
        };
        let ended = |asked: Option<ChildEvent>, exit| {
            let mut life = process(now);
            if let Some(asked) = asked {
                let _ = life.on(asked, now);
            }
            let _ = life.on(ChildEvent::LinkClosed(None), now);
            assert_eq!(life.on(ChildEvent::MemoryRanOut, now), Decision::Wait);
            life.on(ChildEvent::Exited(exit), now)
        };
        assert_eq!(ended(None, killed), Decision::End(Cause::OutOfMemory));
        let stopping = Some(ChildEvent::StopAsked);
        assert_eq!(ended(stopping, killed), Decision::End(Cause::OutOfMemory));
        // Some other process of its group lacked memory, and it lived on.
        let code = ended(None, Exit::Code(3));
        assert_eq!(code, Decision::End(Cause::Code(3)));
        // The signal was ours.
        let cause = Cause::Signal {
            signal: 9,
            core_dumped: false,
        };
        let ours = ended(Some(ChildEvent::KillAsked), killed);
        assert_eq!(ours, Decision::End(cause));
    }

    #[test]
    fn a_process_that_does_not_leave_after_its_last_word_is_killed() {
        let now = Instant::now();
        let mut life = process(now);
        let _ = life.on(ChildEvent::EndSaid(Cause::Normal), now);
        assert_eq!(life.on(ChildEvent::TimeCame, later(now, 1)), Decision::Kill);
        let _ = life.on(ChildEvent::LinkClosed(None), later(now, 1));
        let killed = Exit::Signal {
            signal: 9,
            core_dumped: false,
        };
        let end = life.on(ChildEvent::Exited(killed), later(now, 1));
        assert_eq!(end, Decision::End(Cause::Normal));
    }

    #[test]
    fn a_process_that_says_its_last_word_again_and_again_is_killed_in_time() {
        let now = Instant::now();
        let mut life = process(now);
        let _ = life.on(ChildEvent::EndSaid(Cause::Normal), now);
        let half = now + EXIT_GRACE / 2;
        let _ = life.on(ChildEvent::EndSaid(Cause::Normal), half);
        assert_eq!(life.deadline(), Some(now + EXIT_GRACE));
        let end = now + EXIT_GRACE;
        assert_eq!(life.on(ChildEvent::TimeCame, end), Decision::Kill);
    }

    #[test]
    fn an_untrusted_peer_is_killed_at_once() {
        let now = Instant::now();
        let mut life = process(now);
        let garbage = ChildEvent::LinkClosed(Some("garbage".to_owned()));
        assert_eq!(life.on(garbage, now), Decision::Kill);
    }

    #[test]
    fn a_thread_that_cannot_be_ended_is_abandoned() {
        let now = Instant::now();
        let mut life = Oversight::new(Placement::Thread, later(now, 30), SILENCE, GRACE);
        assert_eq!(
            life.on(ChildEvent::TimeCame, later(now, 30)),
            Decision::Kill
        );
        let end = life.on(ChildEvent::TimeCame, later(now, 31));
        assert_eq!(end, Decision::End(Cause::BootTimeout));
    }

    #[test]
    fn a_thread_is_over_when_it_says_so() {
        let now = Instant::now();
        let mut life = Oversight::new(Placement::Thread, later(now, 30), SILENCE, GRACE);
        let end = life.on(ChildEvent::EndSaid(Cause::Stopped), now);
        assert_eq!(end, Decision::End(Cause::Stopped));
    }

    fn notified() -> ChildEvent {
        let info = serde_json::json!({
            "actor": {
                "name": "", "id": "", "incarnation": 1, "state": "running", "placement": "process",
                "uptime_s": 0.0, "pid": 1, "thread_id": 1, "age": 1, "generation": 1, "restarts": 0,
                "next_periodic_task_s": null
            },
            "mailbox": {
                "depth": 0, "capacity": 1, "received": 0, "replied": 0, "failed": 0,
                "dead_letters": 0
            },
            "system": null,
            "loop": { "lag_us": 0 },
            "executor": { "threads": 0, "busy": 0, "queued": 0 },
            "links": { "open": 0, "stray_replies": 0 },
            "extra": {}
        });
        ChildEvent::Notified(Box::new(serde_json::from_value(info).unwrap()))
    }

    /// A life that was heard for the first time `now`.
    fn heard(placement: Placement, now: Instant) -> Oversight {
        let mut life = Oversight::new(placement, later(now, 30), SILENCE, GRACE);
        let _ = life.on(notified(), now);
        life
    }

    #[test]
    fn a_process_that_is_silent_is_aborted_then_killed_and_called_so() {
        let now = Instant::now();
        let mut life = heard(Placement::Process, now);
        assert_eq!(life.deadline(), Some(now + SILENCE));
        // Each notify counts anew.
        let _ = life.on(notified(), later(now, 15));
        assert_eq!(life.deadline(), Some(later(now, 35)));
        let silent = second_look(&mut life);
        assert_eq!(life.on(ChildEvent::TimeCame, silent), Decision::Abort);
        let kill_at = silent + ABORT_GRACE;
        assert_eq!(life.deadline(), Some(kill_at));
        // Too late: a stopped process that goes on would end of the ABRT that waits for it.
        assert!(matches!(life.on(notified(), silent), Decision::Note(_)));
        assert_eq!(life.on(ChildEvent::StopAsked, silent), Decision::Wait);
        assert_eq!(life.on(ChildEvent::TimeCame, kill_at), Decision::Kill);
        let _ = life.on(ChildEvent::LinkClosed(None), kill_at);
        let killed = Exit::Signal {
            signal: 9,
            core_dumped: false,
        };
        let end = life.on(ChildEvent::Exited(killed), kill_at);
        assert_eq!(end, Decision::End(Cause::HeartbeatTimeout));
    }

    #[test]
    fn a_silent_thread_is_abandoned_and_a_task_is_not_judged() {
        let now = Instant::now();
        let mut life = heard(Placement::Thread, now);
        let silent = second_look(&mut life);
        assert_eq!(life.on(ChildEvent::TimeCame, silent), Decision::Abort);
        let end = life.on(ChildEvent::TimeCame, silent + ABANDON_AFTER);
        assert_eq!(end, Decision::End(Cause::HeartbeatTimeout));
        assert_eq!(heard(Placement::Task, now).deadline(), None);
    }

    #[test]
    fn who_was_held_itself_gives_a_new_grace_before_it_judges() {
        let now = Instant::now();
        let mut life = heard(Placement::Process, now);
        let late = now + SILENCE + HELD_AFTER + Duration::from_millis(1);
        assert_eq!(life.on(ChildEvent::TimeCame, late), Decision::Wait);
        assert_eq!(life.deadline(), Some(late + SILENCE));
        let second = second_look(&mut life);
        // Held again, between the two looks.
        let late = second + HELD_AFTER + Duration::from_millis(1);
        assert_eq!(life.on(ChildEvent::TimeCame, late), Decision::Wait);
        assert_eq!(life.deadline(), Some(late + SILENCE));
        let second = second_look(&mut life);
        assert_eq!(life.on(ChildEvent::TimeCame, second), Decision::Abort);
    }

    #[test]
    fn who_is_held_again_and_again_judges_in_the_end() {
        let now = Instant::now();
        let mut life = heard(Placement::Process, now);
        let late = HELD_AFTER + Duration::from_millis(1);
        let look = |life: &mut Oversight| {
            let at = life.deadline().unwrap() + late;
            (life.on(ChildEvent::TimeCame, at), at)
        };
        for _ in 0..PARDONS {
            let (_, at) = look(&mut life);
            assert_eq!(life.deadline(), Some(at + SILENCE));
        }
        // It is doubted, and may still be heard.
        let (decision, at) = look(&mut life);
        assert_eq!(decision, Decision::Wait);
        assert_eq!(life.deadline(), Some(at + SECOND_LOOK));
        let _ = life.on(notified(), at);
        // Then all are given anew.
        for _ in 0..PARDONS {
            let (_, at) = look(&mut life);
            assert_eq!(life.deadline(), Some(at + SILENCE));
        }
        let _ = look(&mut life);
        assert_eq!(look(&mut life).0, Decision::Abort);
    }

    #[test]
    fn absurd_times_make_no_panic() {
        let now = Instant::now();
        let absurd = Duration::MAX;
        let mut life = Oversight::new(Placement::Process, later(now, 30), absurd, absurd);
        let _ = life.on(notified(), now);
        assert_eq!(life.deadline(), Some(now + LONGEST));
        assert_eq!(life.on(ChildEvent::StopAsked, now), Decision::Stop);
        assert_eq!(life.deadline(), Some(now + LONGEST / 2));
    }

    #[test]
    fn who_is_heard_before_the_second_look_is_not_silent() {
        let now = Instant::now();
        let mut life = heard(Placement::Process, now);
        let second = second_look(&mut life);
        // Time enough for what is due to be sent and read on a busy machine.
        assert!(second >= now + SILENCE + Duration::from_millis(200));
        assert!(matches!(life.on(notified(), second), Decision::Note(_)));
        assert_eq!(life.on(ChildEvent::TimeCame, second), Decision::Wait);
        assert_eq!(life.deadline(), Some(second + SILENCE));
        let second = second_look(&mut life);
        assert_eq!(life.on(ChildEvent::StopAsked, second), Decision::Stop);
    }

    const PERIOD: Duration = Duration::from_secs(6);

    /// One that is looked at, and was heard for the first time two seconds after a common look.
    fn looked_at(now: Instant) -> Oversight {
        let from = now.checked_sub(Duration::from_secs(8)).unwrap();
        let mut life = process(now).looked_at(PERIOD, from);
        let _ = life.on(notified(), now);
        life
    }

    #[test]
    fn a_process_is_looked_at_in_the_common_period_and_counts_as_heard_while_it_sleeps() {
        let now = Instant::now();
        let mut life = looked_at(now);
        for look in 0..u64::from(MOST_SIGHTS) {
            let at = later(now, 4 + 6 * look);
            assert_eq!(life.deadline(), Some(at));
            assert_eq!(life.on(ChildEvent::TimeCame, at), Decision::Look);
            let asleep = ChildEvent::Seen { asleep: true };
            assert_eq!(life.on(asleep, at), Decision::Wait);
        }
        // Not for ever: now and then it says so itself, and is believed again.
        let at = later(now, 4 + 6 * u64::from(MOST_SIGHTS));
        assert_eq!(life.on(ChildEvent::TimeCame, at), Decision::Look);
        let asleep = || ChildEvent::Seen { asleep: true };
        assert_eq!(life.on(asleep(), at), Decision::Ask);
        assert!(matches!(life.on(notified(), at), Decision::Note(_)));
        let at = life.deadline().unwrap();
        assert_eq!(life.on(ChildEvent::TimeCame, at), Decision::Look);
        assert_eq!(life.on(asleep(), at), Decision::Wait);
    }

    #[test]
    fn a_process_that_does_not_sleep_is_asked_and_is_silent_if_it_does_not_answer() {
        let now = Instant::now();
        let mut life = looked_at(now);
        let awake = || ChildEvent::Seen { asleep: false };
        for at in [4, 10, 16] {
            let at = later(now, at);
            assert_eq!(life.on(ChildEvent::TimeCame, at), Decision::Look);
            assert_eq!(life.on(awake(), at), Decision::Ask);
        }
        // It is silent since it was last heard, not since the last look.
        let silent = now + SILENCE;
        assert_eq!(life.deadline(), Some(silent));
        assert_eq!(life.on(ChildEvent::TimeCame, silent), Decision::Look);
        assert_eq!(life.on(awake(), silent), Decision::Ask);
        let second = silent + SECOND_LOOK;
        assert_eq!(life.deadline(), Some(second));
        assert_eq!(life.on(ChildEvent::TimeCame, second), Decision::Abort);
        assert_eq!(
            life.on(ChildEvent::Seen { asleep: true }, second),
            Decision::Wait
        );
        assert!(life.is_doomed());
    }

    #[test]
    fn one_that_was_not_looked_at_in_time_is_looked_at_before_it_is_judged() {
        let now = Instant::now();
        let mut life = looked_at(now);
        // Whoever looks was held since, but not for long past the time.
        let at = now + SILENCE + Duration::from_millis(100);
        assert_eq!(life.on(ChildEvent::TimeCame, at), Decision::Look);
        assert_eq!(life.deadline(), Some(at + SECOND_LOOK));
        assert_eq!(
            life.on(ChildEvent::Seen { asleep: true }, at),
            Decision::Wait
        );
        assert_eq!(life.deadline(), Some(later(now, 22)));
        assert_eq!(life.on(ChildEvent::NewsWanted, at), Decision::Ask);
        // Nothing is asked of one that is on its way.
        assert_eq!(life.on(ChildEvent::StopAsked, at), Decision::Stop);
        assert_eq!(life.on(ChildEvent::NewsWanted, at), Decision::Wait);
        let awake = ChildEvent::Seen { asleep: false };
        assert_eq!(life.on(awake, at), Decision::Wait);
    }

    /// It seems silent at its deadline; when it is looked at once more.
    fn second_look(life: &mut Oversight) -> Instant {
        let silent = life.deadline().unwrap();
        assert_eq!(life.on(ChildEvent::TimeCame, silent), Decision::Wait);
        assert_eq!(life.deadline(), Some(silent + SECOND_LOOK));
        silent + SECOND_LOOK
    }
}
