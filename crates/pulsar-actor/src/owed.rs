//! A reply that an actor of this process owes.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use pulsar_loop::runtime::Ticket;
use tokio::time::Instant;

use crate::SendError;
use crate::actor::Actor;
use crate::context::{Cell, Context};
use crate::current::holds_back;
use crate::mailbox::Messages;

/// A reply of an `A` of this process, on its way. Dropped before, the message is run all the same, unless its
/// time has passed.
pub(crate) struct Owed<A: Actor> {
    cell: Arc<Cell>,
    /// None once it is over.
    ticket: Option<Ticket>,
    /// Until when it is waited for, where whoever waits does not say that itself.
    deadline: Option<Instant>,
    of: PhantomData<fn() -> A>,
}

impl<A: Actor> Owed<A> {
    /// The reply to the message that has this ticket, in the mailbox of `cx`.
    pub(crate) fn new(cx: Context, ticket: Ticket) -> Self {
        Self {
            cell: cx.cell,
            ticket: Some(ticket),
            deadline: None,
            of: PhantomData,
        }
    }

    /// It is waited for until then.
    pub(crate) fn until(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The actor that owes it.
    pub(crate) fn cell(&self) -> &Arc<Cell> {
        &self.cell
    }

    /// Until when it is waited for, if that was said.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// True where whoever waits for it here would wait for ever.
    pub(crate) fn is_held_back(&self) -> bool {
        holds_back(self.cell.birth.aid)
    }

    /// Its time has passed.
    pub(crate) fn be_late(&mut self) {
        if let (Some(ticket), Some(messages)) = (self.ticket.take(), self.messages()) {
            messages.replies.be_late(ticket);
        }
    }

    fn messages(&self) -> Option<&Messages<A>> {
        self.cell.mailbox.of_type::<A>()
    }
}

impl<A: Actor> Future for Owed<A> {
    type Output = Result<A::Reply, SendError>;

    fn poll(
        mut self: Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
    ) -> Poll<Result<A::Reply, SendError>> {
        let reply = match (self.ticket, self.messages()) {
            (Some(ticket), Some(messages)) => ready!(messages.replies.poll(ticket, task)),
            _ => None,
        };
        self.ticket = None;
        Poll::Ready(reply.unwrap_or_else(|| Err(self.cell.death())))
    }
}

impl<A: Actor> Drop for Owed<A> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else {
            return;
        };
        if self.deadline.is_some_and(|at| at <= Instant::now()) {
            self.be_late();
        } else if let Some(messages) = self.messages() {
            messages.replies.give_up(ticket);
        }
    }
}
