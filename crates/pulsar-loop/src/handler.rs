//! Handlers of events: what they return, and the bindings by which they are taken out again.

use std::fmt::Display;

/// Most handlers that one event may have: more are a leak of whoever binds again and again.
pub const MAX_HANDLERS: usize = 1024;

/// What a handler may return: nothing, or a `Result` of nothing, whose error is logged.
pub trait HandlerOutput {
    /// What went wrong, as text.
    fn failure(self) -> Option<String>;
}

impl HandlerOutput for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Display> HandlerOutput for Result<(), E> {
    fn failure(self) -> Option<String> {
        // The long form, where there is one, tells the causes as well.
        self.err().map(|error| format!("{error:#}"))
    }
}

/// A handler's place in the event that it is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binding(pub(crate) u64);

/// The event has as many handlers as it may have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("event {event:?} has {MAX_HANDLERS} handlers, the most: unbind those that are done")]
pub struct TooManyHandlers {
    /// The name of the event.
    pub event: String,
}

/// Logs what went wrong in a handler, if anything.
pub(crate) fn log_failure(event: &str, outcome: Result<Option<String>, String>) {
    match outcome {
        Ok(None) => {}
        Ok(Some(error)) => tracing::error!(event, error, "event handler failed"),
        Err(message) => tracing::error!(event, message, "event handler panicked"),
    }
}
