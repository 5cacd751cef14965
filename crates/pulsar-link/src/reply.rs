//! A reply that the other side of a link owes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::Link;
use crate::payload::Outcome;

/// What an ask that was sent over a link comes to. Dropped before, the ask is taken back: its command is run all the
/// same, and nobody is told.
#[derive(Debug)]
#[must_use = "the ask is taken back when this is dropped"]
pub struct Reply {
    link: Arc<Link>,
    /// None once it has come.
    request: Option<u64>,
}

impl Reply {
    /// To the ask of this number.
    pub fn new(link: Arc<Link>, request: u64) -> Self {
        let request = Some(request);
        Self { link, request }
    }

    /// [Looks](Link::look_for_reply) whether it comes at once; else the task is woken when it does.
    ///
    /// # Errors
    ///
    /// Itself, if it is yet to come.
    pub fn look(mut self, task: &mut Context<'_>) -> Result<Option<Outcome>, Self> {
        self.link.look_for_reply();
        match Pin::new(&mut self).poll(task) {
            Poll::Ready(outcome) => Ok(outcome),
            Poll::Pending => Err(self),
        }
    }

    /// The link over which it comes.
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }
}

impl Future for Reply {
    /// Nothing, if it has been given before.
    type Output = Option<Outcome>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Outcome>> {
        let Some(request) = self.request else {
            return Poll::Ready(None);
        };
        let outcome = ready!(self.link.poll_reply(request, task));
        self.request = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(request) = self.request {
            self.link.take_back(request);
        }
    }
}
