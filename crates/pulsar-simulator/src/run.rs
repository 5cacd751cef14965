//! One run: a time of faults, a time of calm, a stop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use pulsar_model::Cause;
use pulsar_policy::{GroupEvent, News};

use crate::chance::Chance;
use crate::coverage::Coverage;
use crate::group::Told;
use crate::world::{TOP, World};

/// Steps of the time of faults, one more sign of life not counted.
const FAULTY_STEPS: u64 = 200;
/// How long a system without new faults may take to be as it is wanted, or to stop: longer than all
/// timeouts, graces and delays of a run in a row.
const SETTLES_WITHIN: Duration = Duration::from_secs(400);
/// More steps than any run takes: who gets there runs in a circle.
const MOST_STEPS: u64 = 50_000;

/// What came of a seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// Steps that were taken, one more sign of life not counted.
    pub steps: u64,
    /// What was seen.
    pub coverage: Coverage,
    /// What was wrong, in the last of the steps.
    pub violation: Option<String>,
    /// What happened, a line each, if the run was traced.
    pub trace: String,
}

/// Runs a seed. The same seed gives the same run, to the letter of its trace.
///
/// ```
/// let run = pulsar_simulator::simulate(7, true);
/// assert_eq!(run.violation, None);
/// assert_eq!(run, pulsar_simulator::simulate(7, true));
/// ```
pub fn simulate(seed: u64, is_traced: bool) -> Run {
    let mut course = Course {
        world: World::new(Chance::new(seed), is_traced),
        steps: 0,
        all_steps: 0,
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| course.run()));
    let outcome = outcome.unwrap_or_else(|_| Err("it panicked".to_owned()));
    Run {
        seed,
        steps: course.steps,
        coverage: course.world.coverage,
        violation: outcome.err(),
        trace: course.world.trace.into_text(),
    }
}

struct Course {
    world: World,
    steps: u64,
    all_steps: u64,
}

impl Course {
    fn run(&mut self) -> Result<(), String> {
        let faults_end = self.world.chance.ms(10_000, 120_000);
        self.world.tell(TOP, Told::Begin)?;
        self.world.meddle_later();
        while self.steps < FAULTY_STEPS && self.world.now < faults_end && !self.is_over() {
            self.step()?;
        }
        self.world.calm_down();
        self.settle("to be as it is wanted", |course| course.world.is_settled())?;
        self.stop()?;
        self.settle("to stop", Self::is_over)?;
        self.disturb_the_dead()
    }

    fn is_over(&self) -> bool {
        self.world.groups[TOP].has_ended()
    }

    fn step(&mut self) -> Result<(), String> {
        self.all_steps += 1;
        if self.all_steps > MOST_STEPS {
            return Err("it runs in a circle".to_owned());
        }
        self.steps += u64::from(self.world.step()?);
        Ok(())
    }

    fn settle(&mut self, what: &str, is_so: fn(&Self) -> bool) -> Result<(), String> {
        let until = self.world.now + SETTLES_WITHIN;
        while !is_so(self) {
            if self.world.now > until {
                return Err(format!("it takes over {SETTLES_WITHIN:?} {what}"));
            }
            self.step()?;
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<(), String> {
        self.world.held_until = Duration::ZERO;
        self.world.tell(TOP, Told::Command(GroupEvent::StopAsked))
    }

    /// Whatever is said after the end: nothing follows.
    fn disturb_the_dead(&mut self) -> Result<(), String> {
        if !self.world.living.is_empty() {
            return Err("lives go on after the end of their group".to_owned());
        }
        let news = News::Ended(Cause::Normal);
        for told in [
            Told::Command(GroupEvent::ScaleTo { children: 3 }),
            Told::Command(GroupEvent::StopChild { child: 0 }),
            Told::Command(GroupEvent::StopAsked),
            Told::News {
                child: 0,
                incarnation: 1,
                news,
            },
            Told::TimeCame,
        ] {
            self.world.tell(TOP, told)?;
        }
        Ok(())
    }
}
