//! What runs elsewhere, and how its outcome comes back.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use crate::waiting::LoopEnded;

/// The outcome of a future that runs elsewhere. Dropped, it has that future dropped.
#[derive(Debug)]
pub(crate) struct Delivery<T>(oneshot::Receiver<Unwound<T>>);

/// Its value, or the panic that it ended with.
type Unwound<T> = Result<T, Box<dyn Any + Send>>;

/// The future as it is to be run elsewhere, and where its outcome comes.
pub(crate) fn deliver<F>(future: F) -> (impl Future<Output = ()> + Send, Delivery<F::Output>)
where
    F: Future<Output: Send> + Send + 'static,
{
    let (mut to, outcome) = oneshot::channel();
    // Unwind safe: after a panic the future is only dropped, and the panic goes on where it is awaited.
    let future = AssertUnwindSafe(future).catch_unwind();
    let work = async move {
        let outcome = tokio::select! {
            biased;
            () = to.closed() => return,
            outcome = future => outcome,
        };
        drop(to.send(outcome));
    };
    (work, Delivery(outcome))
}

impl<T> Future for Delivery<T> {
    type Output = Result<T, LoopEnded>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The other end is dropped unused only with the loop on which it was to run.
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll(cx)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(LoopEnded),
        })
    }
}
