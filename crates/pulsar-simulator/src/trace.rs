//! What happened in a run, a line each.

use std::time::Duration;

/// The lines of a run that is to be read; of others nothing is kept.
#[derive(Debug)]
pub(crate) struct Trace(Option<String>);

impl Trace {
    pub(crate) fn new(is_on: bool) -> Self {
        Self(is_on.then(String::new))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Times are those since the run's beginning: the same seed gives the same lines.
    pub(crate) fn line(&mut self, now: Duration, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            let line = format!("{:>12.6} {}\n", now.as_secs_f64(), text());
            lines.push_str(&line);
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.0.unwrap_or_default()
    }
}
