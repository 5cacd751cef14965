//! The example that measures deaths: what it prints, not how fast it is.

use pulsar_testkit::Program;

const MORTALITY: &str = env!("CARGO_BIN_EXE_mortality-under-test");

/// The three figures of a line, in milliseconds.
fn figures(line: &str, what: &str) -> [f64; 3] {
    let spread = line
        .strip_prefix(what)
        .and_then(|rest| rest.strip_prefix(": "));
    let parts: Vec<_> = spread.unwrap_or_default().split(", ").collect();
    let figure = |index: usize, name: &str| {
        let figure = parts.get(index)?.strip_prefix(name)?.strip_suffix(" ms")?;
        figure.trim().parse::<f64>().ok()
    };
    let figures = ["p50", "p99", "max"]
        .iter()
        .enumerate()
        .map(|(index, name)| figure(index, name));
    let figures: Option<Vec<_>> = figures.collect();
    figures
        .and_then(|figures| figures.try_into().ok())
        .unwrap_or_else(|| panic!("{line:?} does not tell {what}"))
}

#[test]
fn mortality_tells_how_soon_deaths_are_learnt_and_the_dead_replaced() {
    let outcome = Program::start(MORTALITY, ["5"]).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let [deaths, learnt, replaced] = &outcome.stdout[..] else {
        panic!("{outcome:?}");
    };
    assert_eq!(deaths, "5 deaths by signal 9");
    let learnt = figures(learnt, "death -> ActorDied at a caller in another process");
    let replaced = figures(replaced, "death -> the replacement runs its first command");
    for spread in [learnt, replaced] {
        assert!(spread[0] > 0.0 && spread.is_sorted(), "{outcome:?}");
    }
    // Who replaces the dead has learnt of the death, and then makes a process.
    assert!(replaced[2] > learnt[0], "{outcome:?}");
}
