//! Scripts: what happens to a group and what it decides, a line each.

use std::time::Duration;

use pulsar_model::{Cause, Ending, RestartPolicy};
use pulsar_policy::{ChildRules, GroupDecision, GroupEvent, RestartLimits, Strategy, Supervision};
use tokio::time::Instant;

/// A group whose delays do not vary, at a time of its own.
pub(crate) struct Group {
    pub(crate) policy: Supervision,
    now: Instant,
}

pub(crate) fn rules(restart: RestartPolicy) -> ChildRules {
    ChildRules {
        restart,
        final_after: vec![Ending::Code(3)],
        stop_within: Duration::from_secs(10),
    }
}

pub(crate) fn pool(children: usize) -> Group {
    limited_pool(children, RestartLimits::default())
}

pub(crate) fn limited_pool(children: usize, limits: RestartLimits) -> Group {
    let rules = rules(RestartPolicy::Permanent);
    Group::new(Supervision::pool(rules, children, limits))
}

/// An ordered group; a letter for each child: `p`ermanent, `t`ransient, `o`nce.
pub(crate) fn ordered(children: &str, strategy: Strategy) -> Group {
    let children = children.chars().map(|letter| {
        rules(match letter {
            'p' => RestartPolicy::Permanent,
            't' => RestartPolicy::Transient,
            _ => RestartPolicy::Temporary,
        })
    });
    let limits = RestartLimits::default();
    Group::new(Supervision::ordered(children.collect(), strategy, limits))
}

impl Group {
    pub(crate) fn new(policy: Supervision) -> Self {
        let now = Instant::now();
        Self { policy, now }
    }

    /// Plays a script: pairs of what happens and what is decided then.
    ///
    /// It happens: `begin`, `ready N`, `crash N`, `normal N`, `stopped N`, `code3 N`, `scale N`,
    /// `off N`, `stop`, and `MS ms` of time.
    #[track_caller]
    pub(crate) fn play(&mut self, script: &[(&str, &str)]) {
        for (happens, decided) in script {
            let line = self.happens(happens);
            assert_eq!(&line, decided, "after {happens:?} of {script:?}");
        }
    }

    /// Makes each of these children ready in turn.
    pub(crate) fn all_ready(mut self, children: usize) -> Self {
        self.happens("begin");
        for child in 0..children {
            self.happens(&format!("ready {child}"));
        }
        assert_eq!(self.policy.status().ready, children);
        self
    }

    pub(crate) fn happens(&mut self, what: &str) -> String {
        let (word, number) = what.split_once(' ').unwrap_or((what, "0"));
        if let Ok(ms) = word.parse() {
            self.now += Duration::from_millis(ms);
            return self.on(GroupEvent::TimeCame);
        }
        let child = number.parse().expect("the number of a child");
        self.on(match word {
            "begin" => return self.line(Supervision::begin),
            "ready" => GroupEvent::Ready { child },
            "scale" => GroupEvent::ScaleTo { children: child },
            "off" => GroupEvent::StopChild { child },
            "stop" => GroupEvent::StopAsked,
            end => GroupEvent::Ended {
                child,
                cause: cause(end),
            },
        })
    }

    fn on(&mut self, event: GroupEvent) -> String {
        self.line(|policy, now| policy.on(event, now, 0.0))
    }

    fn line(
        &mut self,
        act: impl FnOnce(&mut Supervision, Instant) -> Vec<GroupDecision>,
    ) -> String {
        let decisions = act(&mut self.policy, self.now);
        let deadline = self.policy.deadline();
        assert!(deadline.is_none_or(|at| at > self.now), "overdue");
        let words = decisions.iter().map(|decision| self.word(decision));
        words.collect::<Vec<_>>().join(", ")
    }

    fn word(&self, decision: &GroupDecision) -> String {
        match decision {
            GroupDecision::Start { child } => format!("start {child}"),
            GroupDecision::Stop { child } => format!("stop {child}"),
            GroupDecision::Kill { child } => format!("kill {child}"),
            GroupDecision::Forget { child } => format!("forget {child}"),
            GroupDecision::Delay { child, until } => {
                format!("delay {child} {}", (*until - self.now).as_millis())
            }
            GroupDecision::End { gave_up: None } => "end".to_owned(),
            GroupDecision::End {
                gave_up: Some(reason),
            } => format!("end: {reason}"),
        }
    }
}

fn cause(word: &str) -> Cause {
    match word {
        "crash" => Cause::Signal {
            signal: 11,
            core_dumped: false,
        },
        "normal" => Cause::Normal,
        "stopped" => Cause::Stopped,
        "code3" => Cause::Code(3),
        other => panic!("what is {other:?}?"),
    }
}
