//! Handlers of events, and the bindings by which they are taken out again.

use pulsar_model::Error;

/// Most handlers that one event may have: more are a leak of whoever binds again and again.
pub const MAX_HANDLERS: usize = 1024;

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
pub(crate) fn log_failure(event: &str, outcome: Result<Result<(), Error>, String>) {
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(event, error = error.one_line(), "event handler failed"),
        Err(message) => tracing::error!(event, message, "event handler panicked"),
    }
}
