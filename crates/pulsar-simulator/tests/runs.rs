//! What the simulator is: repeatable, without a failure, and full of faults.

use pulsar_simulator::{Seen, campaign, simulate};

#[test]
fn the_same_seed_gives_the_same_trace() {
    let mut lines = 0;
    for seed in 0..50 {
        let (run, again) = (simulate(seed, true), simulate(seed, true));
        assert_eq!(run, again, "seed {seed}");
        lines += run.trace.lines().count();
    }
    // Some are short: one failed boot can be enough for a group to give up.
    assert!(lines > 5000, "{lines} lines");
}

#[test]
fn another_seed_gives_another_run() {
    assert_ne!(simulate(1, true).trace, simulate(2, true).trace);
}

#[test]
fn a_trace_changes_nothing_in_a_run() {
    for seed in 0..50 {
        let (traced, silent) = (simulate(seed, true), simulate(seed, false));
        assert_eq!(
            (traced.steps, traced.coverage),
            (silent.steps, silent.coverage)
        );
    }
}

#[test]
fn two_thousand_runs_find_nothing_and_meet_everything() {
    let summary = campaign(2000, false);
    assert_eq!((summary.seeds, summary.failed), (2000, 0), "{summary}");
    for kind in Seen::ALL {
        let text = kind.text();
        assert!(summary.coverage.count(*kind) > 0, "no {text}: {summary}");
    }
}
