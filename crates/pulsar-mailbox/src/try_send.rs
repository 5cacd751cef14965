//! Sending without waiting.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use pulsar_model::{CallError, SendError};

/// A command that has been sent. Awaiting it gives the reply; dropped, the command is run all the
/// same.
#[must_use = "the reply is told to whoever awaits this"]
pub struct Sent<R, E> {
    reply: Reply<R, E>,
}

type Reply<R, E> = Pin<Box<dyn Future<Output = Result<R, CallError<E>>> + Send>>;

impl<R, E> Sent<R, E> {
    /// One whose reply is this.
    #[doc(hidden)]
    pub fn new(reply: impl Future<Output = Result<R, CallError<E>>> + Send + 'static) -> Self {
        Self {
            reply: Box::pin(reply),
        }
    }
}

impl<R, E> IntoFuture for Sent<R, E> {
    type Output = Result<R, CallError<E>>;
    type IntoFuture = Reply<R, E>;

    fn into_future(self) -> Self::IntoFuture {
        self.reply
    }
}

impl<R, E> fmt::Debug for Sent<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sent(..)")
    }
}

/// A call that was not sent, and why.
pub struct Unsent<C> {
    /// The call as it was, to be sent again.
    pub call: C,
    /// Why it was not sent.
    pub error: SendError,
}

impl<C> fmt::Debug for Unsent<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unsent({:?})", self.error)
    }
}

impl<C> fmt::Display for Unsent<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<C> std::error::Error for Unsent<C> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
