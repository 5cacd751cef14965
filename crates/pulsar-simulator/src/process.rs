//! A model of one process, thread or task: what it does by itself, and how it takes signals.

use std::time::Duration;

use pulsar_model::{Cause, Placement};
use pulsar_sys::Exit;

use crate::chance::Chance;
use crate::coverage::{Coverage, Seen};
use crate::plan::{Boot, Death, Fate, LifePlan, OnStop, PERIOD, Timing};

const ABRT: i32 = 6;
const KILL: i32 = 9;
const TERM: i32 = 15;
/// How long the kernel may take to end one that it cannot end: longer than anybody waits.
const LONG: Duration = Duration::from_secs(15);

/// What a process does or meets.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Step {
    SayHello,
    Notify,
    /// It is asked to notify.
    TakeAsk,
    /// What its plan has for it once it is ready.
    MeetFate(Fate),
    Die(Death),
    /// Its last word as it stops, and no exit after it.
    SayGoodbye,
    TakeStop,
    TakeTerm,
    TakeAbort,
    TakeKill,
}

/// What others hear of it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Word {
    Hello,
    Notify,
    Goodbye(Cause),
    LinkEnd { distrusted: bool },
    Exit(Exit),
}

/// What follows from a step: later steps and words, each after a time from now.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) steps: Vec<(Duration, Step)>,
    pub(crate) words: Vec<(Duration, Word)>,
}

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) placement: Placement,
    pub(crate) plan: LifePlan,
    silence: Duration,
    notify_every: Duration,
    /// It notifies only when it is asked to.
    is_asked: bool,
    stage: Stage,
    pub(crate) is_dead: bool,
    /// It does nothing by itself any more.
    is_mute: bool,
    stands_still: bool,
    is_stopping: bool,
    link_ended: bool,
    /// How much later than it should its next sign of life comes.
    stalls_for: Option<Duration>,
    /// It is as late as that with one.
    is_stalled: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Stage {
    Booting,
    Starting,
    Ready,
}

impl Process {
    pub(crate) fn launch(
        timing: Timing,
        plan: LifePlan,
        coverage: &mut Coverage,
    ) -> (Self, Effects) {
        let process = Self {
            placement: timing.placement,
            plan,
            silence: timing.silence,
            notify_every: timing.silence.mul_f64(PERIOD),
            is_asked: timing.look_every.is_some(),
            stage: Stage::Booting,
            is_dead: false,
            is_mute: false,
            stands_still: false,
            is_stopping: false,
            link_ended: false,
            stalls_for: None,
            is_stalled: false,
        };
        let steps = match plan.boot {
            Boot::Fine(hello, ready) => {
                vec![(hello, Step::SayHello), (hello + ready, Step::Notify)]
            }
            Boot::Late(ready) => {
                coverage.saw(Seen::LateBoot);
                vec![(ready / 2, Step::SayHello), (ready, Step::Notify)]
            }
            Boot::Hangs => {
                coverage.saw(Seen::HungBoot);
                Vec::new()
            }
            Boot::DiesBooting(after, death) => vec![(after, Step::Die(death))],
            Boot::DiesStarting(after, death) => {
                vec![(after / 2, Step::SayHello), (after, Step::Die(death))]
            }
        };
        let words = Vec::new();
        (process, Effects { steps, words })
    }

    /// True if it is ready and nothing is wrong with it.
    pub(crate) fn is_sound(&self) -> bool {
        self.stage == Stage::Ready && !self.is_dead && !self.is_mute && !self.is_stopping
    }

    /// Nothing will go wrong any more that has not begun to.
    pub(crate) fn calm_down(&mut self, chance: &mut Chance) {
        if !self.is_stopping {
            self.plan = LifePlan::calm(chance);
        }
    }

    pub(crate) fn take(
        &mut self,
        step: Step,
        chance: &mut Chance,
        coverage: &mut Coverage,
    ) -> Effects {
        let mut effects = Effects::default();
        if self.is_dead {
            return effects;
        }
        match step {
            Step::SayHello if !self.is_mute => {
                self.stage = Stage::Starting;
                effects.words.push((Duration::ZERO, Word::Hello));
            }
            Step::Notify if !self.is_mute => self.notify(&mut effects),
            // One answer is enough for all that it was asked.
            Step::TakeAsk if !self.is_mute && !self.is_stalled && !self.is_stopping => {
                self.notify(&mut effects);
            }
            Step::MeetFate(fate) if !self.is_mute && !self.is_stopping => {
                self.meet(fate, &mut effects, chance, coverage);
            }
            Step::SayGoodbye if !self.is_mute => {
                coverage.saw(Seen::LastWordOnly);
                self.is_mute = true;
                let last = Word::Goodbye(Cause::Stopped);
                effects.words.push((Duration::ZERO, last));
            }
            Step::Die(death) if !self.stands_still => {
                self.die(death, &mut effects, chance, coverage);
            }
            Step::TakeStop if !self.is_mute => self.stop(&mut effects, coverage),
            Step::TakeTerm => self.terminate(&mut effects, chance, coverage),
            Step::TakeAbort if !self.stands_still => {
                self.die(Death::Signal(ABRT), &mut effects, chance, coverage);
            }
            Step::TakeKill => self.kill(&mut effects, chance, coverage),
            _ => {}
        }
        effects
    }

    fn notify(&mut self, effects: &mut Effects) {
        self.is_stalled = false;
        if let Some(late) = self.stalls_for.take() {
            self.is_stalled = true;
            return effects.steps.push((late, Step::Notify));
        }
        effects.words.push((Duration::ZERO, Word::Notify));
        if !self.is_asked {
            effects.steps.push((self.notify_every, Step::Notify));
        }
        if self.stage != Stage::Ready {
            self.stage = Stage::Ready;
            if let Some((after, fate)) = self.plan.fate {
                effects.steps.push((after, Step::MeetFate(fate)));
            }
        }
    }

    fn meet(
        &mut self,
        fate: Fate,
        effects: &mut Effects,
        chance: &mut Chance,
        coverage: &mut Coverage,
    ) {
        let is_process = self.placement == Placement::Process;
        match fate {
            Fate::Dies(death) => return self.die(death, effects, chance, coverage),
            // A task whose loop does not turn holds its manager up too: nobody judges it.
            _ if self.placement == Placement::Task => return,
            Fate::Loops | Fate::StandsStill => coverage.saw(Seen::FellSilent),
            // A thread is over when it has said so, and has no link; nor does it end when it has stalled.
            _ if !is_process => return,
            Fate::Stalls(late) => {
                coverage.saw(Seen::Stalled);
                self.stalls_for = Some(self.rest_of_silence() + late);
                return;
            }
            Fate::SaysOnly(death) => {
                coverage.saw(Seen::LastWordOnly);
                let last = Word::Goodbye(death.last_word().unwrap_or(Cause::Normal));
                effects.words.push((Duration::ZERO, last));
                // Some say it again and again.
                if chance.permille(500) {
                    let again = effects.words[0].1.clone();
                    effects.words.push((chance.ms(100, 900), again));
                }
            }
            Fate::ClosesOnly => {
                coverage.saw(Seen::LinkClosedOnly);
                let word = Word::LinkEnd { distrusted: false };
                effects.words.push((Duration::ZERO, word));
            }
            Fate::Garbles => {
                coverage.saw(Seen::Distrusted);
                let word = Word::LinkEnd { distrusted: true };
                effects.words.push((Duration::ZERO, word));
            }
        }
        self.is_mute = true;
        self.stands_still = fate == Fate::StandsStill;
        self.link_ended = matches!(fate, Fate::ClosesOnly | Fate::Garbles);
    }

    /// Whether its loop is seen to sleep now.
    pub(crate) fn sleeps(&self, chance: &mut Chance) -> bool {
        let is_held = self.is_stalled || self.stalls_for.is_some();
        self.is_sound() && !is_held && chance.permille(800)
    }

    /// From when its next sign of life should come to when it is called silent.
    fn rest_of_silence(&self) -> Duration {
        self.silence - self.notify_every
    }

    fn stop(&mut self, effects: &mut Effects, coverage: &mut Coverage) {
        self.is_stopping = true;
        match self.plan.on_stop {
            OnStop::Dies(after, death) => effects.steps.push((after, Step::Die(death))),
            // A thread or a task is over when it has said so.
            OnStop::SaysOnly(after) if self.placement != Placement::Process => {
                effects.steps.push((after, Step::Die(Death::Stopped)));
            }
            OnStop::SaysOnly(after) => effects.steps.push((after, Step::SayGoodbye)),
            OnStop::WaitsForTerm | OnStop::WaitsForKill => coverage.saw(Seen::IgnoredStop),
        }
    }

    fn terminate(&mut self, effects: &mut Effects, chance: &mut Chance, coverage: &mut Coverage) {
        let is_deaf = matches!(
            self.plan.on_stop,
            OnStop::WaitsForKill | OnStop::SaysOnly(_)
        );
        let ignores = is_deaf || self.stands_still;
        match ignores {
            true => coverage.saw(Seen::IgnoredTerm),
            false => self.die(Death::Signal(TERM), effects, chance, coverage),
        }
    }

    fn kill(&mut self, effects: &mut Effects, chance: &mut Chance, coverage: &mut Coverage) {
        if self.plan.unkillable {
            coverage.saw(Seen::Unkillable);
            self.plan.unkillable = false;
            self.is_mute = true;
            self.stands_still = true;
            effects.steps.push((LONG, Step::TakeKill));
        } else {
            self.die(Death::Signal(KILL), effects, chance, coverage);
        }
    }

    fn die(
        &mut self,
        death: Death,
        effects: &mut Effects,
        chance: &mut Chance,
        coverage: &mut Coverage,
    ) {
        self.is_dead = true;
        coverage.saw(match self.stage {
            _ if self.is_stopping => Seen::DiedStopping,
            Stage::Booting => Seen::DiedBooting,
            Stage::Starting => Seen::DiedStarting,
            Stage::Ready => Seen::DiedReady,
        });
        if self.placement != Placement::Process {
            let cause = death
                .last_word()
                .unwrap_or_else(|| Cause::Panic("out of tea".to_owned()));
            effects.words.push((Duration::ZERO, Word::Goodbye(cause)));
            return;
        }
        if let Some(cause) = death.last_word() {
            effects.words.push((Duration::ZERO, Word::Goodbye(cause)));
        }
        let (link, exit) = (chance.ms(0, 40), chance.ms(0, 40));
        if self.plan.link_held {
            coverage.saw(Seen::LinkHeld);
        } else if !self.link_ended {
            let end = Word::LinkEnd { distrusted: false };
            effects.words.push((link, end));
            coverage.saw(match exit < link {
                true => Seen::ExitBeforeLink,
                false => Seen::LinkBeforeExit,
            });
        }
        if death == Death::Untold {
            coverage.saw(Seen::ExitLost);
        }
        effects.words.push((exit, Word::Exit(death.exit())));
    }
}

impl Death {
    fn exit(self) -> Exit {
        match self {
            Self::Normal | Self::Stopped => Exit::Code(0),
            Self::Code(code) => Exit::Code(code),
            Self::Untold => Exit::Lost,
            Self::Signal(signal) => Exit::Signal {
                signal,
                core_dumped: signal == 11,
            },
            Self::Panic => Exit::Signal {
                signal: ABRT,
                core_dumped: true,
            },
        }
    }

    fn last_word(self) -> Option<Cause> {
        match self {
            Self::Normal => Some(Cause::Normal),
            Self::Stopped => Some(Cause::Stopped),
            Self::Panic => Some(Cause::Panic("out of tea".to_owned())),
            Self::Code(_) | Self::Signal(_) | Self::Untold => None,
        }
    }
}
