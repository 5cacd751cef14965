//! Many runs, on all cores.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::coverage::Coverage;
use crate::run::{Run, simulate};

/// Failures that are kept; others are counted.
const KEPT_FAILURES: usize = 10;

/// What came of many runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Runs.
    pub seeds: u64,
    /// Their steps, together.
    pub steps: u64,
    /// Runs that failed.
    pub failed: u64,
    /// The first of those, by their seeds: at most ten of each core's.
    pub failures: Vec<Run>,
    /// What was seen, together.
    pub coverage: Coverage,
}

/// Runs the seeds from 0 up to, not including, `seeds`. With `stops_at_failure` it stops soon after the first
/// that fails.
pub fn campaign(seeds: u64, stops_at_failure: bool) -> Summary {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut summary = Summary::default();
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                break;
            }
            summary.add(simulate(seed, false));
            if stops_at_failure && summary.failed > 0 {
                stop.store(true, Ordering::Relaxed);
            }
        }
        summary
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut sum = Summary::default();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(summary) => sum.merge(summary),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    sum.failures.sort_by_key(|run| run.seed);
    sum
}

impl Summary {
    fn add(&mut self, run: Run) {
        self.seeds += 1;
        self.steps += run.steps;
        self.coverage += &run.coverage;
        if run.violation.is_some() {
            self.failed += 1;
            if self.failures.len() < KEPT_FAILURES {
                self.failures.push(run);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.coverage += &other.coverage;
    }
}

/// What was seen, each failure, and a closing line.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.coverage)?;
        for run in &self.failures {
            let what = run.violation.as_deref().unwrap_or_default();
            let (seed, steps) = (run.seed, run.steps);
            writeln!(f, "seed {seed} fails in step {steps}: {what}")?;
            writeln!(f, "    see it: cargo xtask simulate --seed {seed}")?;
        }
        let Self {
            seeds,
            steps,
            failed,
            ..
        } = self;
        write!(f, "simulate: {seeds} seeds, {steps} steps, {failed} failed")
    }
}
