//! What an actor's process logs, and how.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::SubscriberInitExt;

/// The log of all processes of a system: its records go to stderr.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogConfig {
    /// Which records: a level such as `info`, or directives such as `warn,my_app=debug`.
    pub filter: String,
}

impl LogConfig {
    /// Checks the filter.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), ParseError> {
        EnvFilter::try_new(&self.filter).map(drop)
    }

    /// Logs as configured in this process from now on. A subscriber that the program has
    /// installed by itself is left alone.
    pub fn init(&self) {
        if Quiet::of(self.clone()).try_init().is_err() {
            tracing::debug!("the program logs by a subscriber of its own");
        }
    }

    fn filter(&self) -> EnvFilter {
        EnvFilter::try_new(&self.filter).unwrap_or_else(|_| EnvFilter::new("info"))
    }

    /// The most that the filter lets through.
    fn most(&self) -> LevelFilter {
        // A mere level, as most are, needs no parser that has tables of its own.
        let is_letter = |c: char| c.is_ascii_alphabetic();
        let is_word = !self.filter.is_empty() && self.filter.chars().all(is_letter);
        let level = self.filter.parse().ok().filter(|_| is_word);
        level.unwrap_or_else(|| self.filter().max_level_hint().unwrap_or(LevelFilter::TRACE))
    }

    fn subscriber(&self) -> Box<dyn Subscriber + Send + Sync> {
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(self.filter())
            .with_writer(std::io::stderr)
            .with_ansi(false)
            // A reader that has left must not turn each record into a panic.
            .log_internal_errors(false)
            .finish();
        Box::new(subscriber)
    }
}

/// The log's subscriber, made when there is something for it: it takes some ten pages of memory, and most actors that are in
/// order log nothing.
struct Quiet {
    config: LogConfig,
    most: LevelFilter,
    made: OnceLock<Box<dyn Subscriber + Send + Sync>>,
}

impl Quiet {
    fn of(config: LogConfig) -> Self {
        Self {
            most: config.most(),
            config,
            made: OnceLock::new(),
        }
    }

    fn made(&self) -> &(dyn Subscriber + Send + Sync) {
        &**self.made.get_or_init(|| self.config.subscriber())
    }
}

impl Subscriber for Quiet {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match *metadata.level() <= self.most {
            true => self.made().register_callsite(metadata),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most && self.made().enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.made().new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.made().record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.made().record_follows_from(span, follows);
    }

    fn event_enabled(&self, event: &Event<'_>) -> bool {
        self.made().event_enabled(event)
    }

    fn event(&self, event: &Event<'_>) {
        self.made().event(event);
    }

    fn enter(&self, span: &Id) {
        self.made().enter(span);
    }

    fn exit(&self, span: &Id) {
        self.made().exit(span);
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.made().clone_span(id)
    }

    fn try_close(&self, id: Id) -> bool {
        self.made().try_close(id)
    }

    fn current_span(&self) -> Current {
        self.made().current_span()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(filter: &str) -> Quiet {
        Quiet::of(LogConfig {
            filter: filter.to_owned(),
        })
    }

    #[test]
    fn the_most_that_is_logged_is_what_the_filter_says() {
        for filter in [
            "off",
            "error",
            "INFO",
            "trace",
            "warn,a=debug",
            "a=info",
            "3",
            "a[b{c=1}]=debug",
            "",
            "=nonsense=",
        ] {
            let hint = quiet(filter).config.subscriber().max_level_hint();
            let hint = hint.unwrap_or(LevelFilter::TRACE);
            assert_eq!(quiet(filter).most, hint, "{filter:?}");
        }
    }

    #[test]
    fn it_is_made_by_the_first_record_that_the_filter_may_let_through() {
        let quiet = std::sync::Arc::new(quiet("warn"));
        tracing::subscriber::with_default(std::sync::Arc::clone(&quiet), || {
            tracing::info!("not for it");
            assert!(quiet.made.get().is_none());
            tracing::warn_span!("span").in_scope(|| tracing::warn!("a record of a test"));
        });
        assert!(quiet.made.get().is_some());
    }
}
