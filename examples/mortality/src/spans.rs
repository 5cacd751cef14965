//! Spans of time, and how they are spread.

use std::fmt;
use std::time::Duration;

/// Measured spans. Shown as their median, their 99th percentile and the longest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans(Vec<Duration>);

impl Spans {
    pub(crate) fn add(&mut self, span: Duration) {
        self.0.push(span);
    }

    /// The shortest span that so many percent are not longer than; zero if there is none.
    fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

impl fmt::Display for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, max] =
            [50, 99, 100].map(|percent| 1e3 * self.percentile(percent).as_secs_f64());
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spans_are_shown_by_their_ranks() {
        let mut spans = Spans::default();
        for ms in (1..=200).rev() {
            spans.add(Duration::from_millis(ms));
        }
        assert_eq!(
            spans.to_string(),
            "p50 100.00 ms, p99 198.00 ms, max 200.00 ms"
        );
        assert_eq!(
            Spans::default().to_string(),
            "p50 0.00 ms, p99 0.00 ms, max 0.00 ms"
        );
    }
}
