//! What bounds a wait.

use std::future::{Future, ready};
use std::time::Duration;

use pulsar_model::SendError;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

/// Waits for what becomes of a message that was sent without waiting, and only within its time.
///
/// # Errors
///
/// What it ended with; [`SendError::Timeout`]; [`SendError::WouldDeadlock`] if whoever waits here holds
/// up what it waits for. The message has been sent all the same, and is run later.
pub async fn after_try_send<T>(
    is_held_back: bool,
    after: Duration,
    deadline: Instant,
    asked: impl Future<Output = Result<T, SendError>>,
) -> Result<T, SendError> {
    tokio::select! {
        biased;
        asked = timeout_at(deadline, asked) => asked.unwrap_or(Err(SendError::Timeout { after })),
        () = ready(()), if is_held_back => Err(SendError::WouldDeadlock),
    }
}

/// Runs an ask within its time.
///
/// # Errors
///
/// What the ask ended with; [`SendError::Timeout`].
pub async fn bounded<T>(
    limit: Duration,
    ask: impl Future<Output = Result<T, SendError>>,
) -> Result<T, SendError> {
    let asked = timeout(limit, ask).await;
    if !matches!(asked, Ok(Ok(_))) {
        // A send may fail without ever waiting. Whoever tries again in a loop shall not hold the
        // event loop, on which what it waits for may have to run.
        consume_budget().await;
    }
    asked.unwrap_or(Err(SendError::Timeout { after: limit }))
}

/// Runs what others wait for behind it in a task of its own, so that it goes on whether or not its
/// owner polls this; it ends when this is dropped.
///
/// # Errors
///
/// The task's own; [`SendError::NotRunning`] if the process ends.
pub async fn in_a_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, SendError>> + Send + 'static,
) -> Result<T, SendError> {
    let task = AbortOnDropHandle::new(tokio::spawn(work));
    task.await.unwrap_or(Err(SendError::NotRunning))
}
