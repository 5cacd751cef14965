//! A command of an actor's own while it is awaited.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use pulsar_link::payload::Outcome;
use pulsar_link::{Link, Reply};
use pulsar_loop::runtime::Patience;
use pulsar_wire::Aid;
use tokio::task::coop::poll_proceed;
use tokio::task::yield_now;

use crate::actor::Actor;
use crate::actor_call::{
    Ran, Reader, elsewhere, has_ended, method, nothing, parcel, put, result, send_at_once, tell,
};
use crate::ask::{Parcel, share};
use crate::context::Context;
use crate::near::{self, Near};
use crate::owed::Owed;
use crate::system::Route;
use crate::{CallError, Cause, SendError, Target};

/// What awaiting an [`ActorCall`](crate::ActorCall) does.
///
/// In the steady state an ask of an actor of the same process allocates nothing: its message is moved into the
/// mailbox, its reply comes back through a slot there, and one timer watches over all that wait on a loop. A timeout of
/// a second or more is kept to within 20 ms, later but not earlier.
#[must_use = "a call is only sent when it is awaited"]
pub struct Asking<A: Actor, R, E> {
    target: Aid,
    /// None once it is on its way.
    message: Option<A::Message>,
    /// As the caller has said.
    limit: Option<Duration>,
    reader: Reader<A, R, E>,
    patience: Patience,
    stage: Stage<A, R, E>,
}

enum Stage<A: Actor, R, E> {
    Unsent,
    /// It has been run, and others have had their turn since.
    Ran(Option<Box<A::Reply>>),
    /// It is in a mailbox of this process.
    Owed(Owed<A>),
    /// It has gone over a link.
    Linked(Reply),
    OnItsWay(Way<A, R, E>),
    Failed(Box<SendError>),
    Over,
}

/// A message that waits for room in a mailbox, or goes to another process.
pub(crate) type Way<A, R, E> =
    Pin<Box<dyn Future<Output = Result<Arrived<A, R, E>, SendError>> + Send>>;

/// Where a message has come to on a way that took its time.
pub(crate) enum Arrived<A: Actor, R, E> {
    /// To its end.
    Ran(Result<R, E>),
    /// Into a mailbox of this process.
    Owed(Owed<A>),
}

/// Where a message is that was sent at once.
pub(crate) enum Begun<A: Actor, R, E> {
    /// In the mailbox or on a link, and nobody waits for what it comes to.
    Told,
    /// It has been run, and this is its reply.
    Ran(A::Reply),
    /// The same, and others on the loop are to have their turn now.
    RanLong(Box<A::Reply>),
    /// In the mailbox.
    Owed(Owed<A>),
    /// On a link.
    Linked(Reply),
    /// It has been run, and this has come of it over a link.
    Came(Ran<R, E>),
    OnItsWay(Way<A, R, E>),
}

impl<A: Actor, R: Send + 'static, E: Send + 'static> Asking<A, R, E> {
    pub(crate) fn new(
        target: Aid,
        message: A::Message,
        limit: Option<Duration>,
        reader: Reader<A, R, E>,
    ) -> Self {
        Self {
            target,
            message: Some(message),
            limit,
            reader,
            patience: Patience::default(),
            stage: Stage::Unsent,
        }
    }

    fn begin(&mut self, task: &mut Task<'_>) -> Result<Begun<A, R, E>, SendError> {
        // Looked for by itself first: told on the way of all the others, a message takes a twelfth longer.
        if let Some(message) = &self.message
            && !method::<A>(message).ack
            && let Some(cell) = near::find_here(self.target)
            && tell::<A>(&cell, &mut self.message)
        {
            return Ok(Begun::Told);
        }
        match near::find(self.target) {
            Some(Near::Here(cell)) => {
                let cx = Context::of(cell);
                return put(cx, &mut self.message, self.limit, task);
            }
            Some(Near::There(link)) => return self.send(link, task),
            None => {}
        }
        let (system, _) = share(self.limit)?;
        let route = system.known(&Target::Aid(self.target))?;
        if let Some(route) = &route {
            near::remember(self.target, route);
        }
        match route {
            Some(Route::Local(cx)) => put(cx, &mut self.message, self.limit, task),
            Some(Route::Link(link, _)) => self.send(link, task),
            None => {
                let message = self.message.take().ok_or_else(has_ended)?;
                self.send_later(parcel::<A>(&message)?)
            }
        }
    }

    /// Sends the message over a link: at once, if it can be.
    fn send(&mut self, link: Arc<Link>, task: &mut Task<'_>) -> Result<Begun<A, R, E>, SendError> {
        let message = self.message.as_ref().ok_or_else(has_ended)?;
        let (_, limit) = share(self.limit)?;
        link.touch();
        let may_look = method::<A>(message).ack && link.may_look_for_reply();
        let caller = (!may_look).then(|| task.waker());
        let sent = send_at_once::<A>(&link, self.target, message, limit, caller)?;
        self.message = None;
        match sent {
            Ok(0) => Ok(Begun::Told),
            Ok(request) if may_look => Ok(match Reply::new(link, request).look(task) {
                Ok(outcome) => Begun::Came(self.read(outcome)),
                Err(reply) => Begun::Linked(reply),
            }),
            Ok(request) => Ok(Begun::Linked(Reply::new(link, request))),
            // It has to wait, or to go another way; or what is wrong is found again there.
            Err(parcel) => self.send_later(parcel),
        }
    }

    /// What a command of an actor in another process has come to.
    fn read(&self, outcome: Option<Outcome>) -> Ran<R, E> {
        let cause = Cause::Unknown;
        let outcome = outcome.ok_or(SendError::ActorDied { cause });
        outcome.and_then(|outcome| self.reader.read(outcome))
    }

    fn send_later(&self, parcel: Parcel) -> Result<Begun<A, R, E>, SendError> {
        let (system, limit) = share(self.limit)?;
        let way = elsewhere(system, Target::Aid(self.target), parcel, limit, self.reader);
        Ok(Begun::OnItsWay(Box::pin(way)))
    }

    /// The way to the next stage.
    fn advance(&mut self, task: &mut Task<'_>) -> Poll<Ran<R, E>> {
        let limit = in_force_of(self.limit);
        loop {
            match &mut self.stage {
                Stage::Unsent => {
                    self.stage = match self.begin(task) {
                        Ok(Begun::Told) => return Poll::Ready(nothing().map(Ok)),
                        Ok(Begun::Ran(reply)) => return Poll::Ready(self.reader.take(reply)),
                        Ok(Begun::RanLong(reply)) => {
                            self.stage = Stage::Ran(Some(reply));
                            // Wakes the task once the loop has looked at its sockets and timers too.
                            ready!(pin!(yield_now()).poll(task));
                            continue;
                        }
                        Ok(Begun::Owed(owed)) => {
                            // The reply wakes the task, also if it has come already.
                            let over = self.patience.poll(owed.cell(), limit, task);
                            self.stage = Stage::Owed(owed);
                            ready!(over);
                            continue;
                        }
                        Ok(Begun::Linked(reply)) => {
                            let over = self.patience.poll(reply.link(), limit, task);
                            self.stage = Stage::Linked(reply);
                            ready!(over);
                            continue;
                        }
                        Ok(Begun::Came(ran)) => return Poll::Ready(ran),
                        Ok(Begun::OnItsWay(way)) => Stage::OnItsWay(way),
                        Err(error) => Stage::Failed(Box::new(error)),
                    };
                }
                Stage::Owed(owed) => {
                    // The reply first: what has come in time counts.
                    if let Poll::Ready(reply) = Pin::new(&mut *owed).poll(task) {
                        return Poll::Ready(reply.and_then(|reply| self.reader.take(reply)));
                    }
                    ready!(self.patience.poll(owed.cell(), limit, task));
                    owed.be_late();
                    return Poll::Ready(Err(timeout(self.limit)));
                }
                Stage::Linked(reply) => {
                    if let Poll::Ready(outcome) = Pin::new(&mut *reply).poll(task) {
                        return Poll::Ready(self.read(outcome));
                    }
                    ready!(self.patience.poll(reply.link(), limit, task));
                    return Poll::Ready(Err(timeout(self.limit)));
                }
                Stage::OnItsWay(way) => match ready!(way.as_mut().poll(task)) {
                    Ok(Arrived::Ran(ran)) => return Poll::Ready(Ok(ran)),
                    Err(error) => return Poll::Ready(Err(error)),
                    Ok(Arrived::Owed(owed)) => {
                        if let Some(deadline) = owed.deadline() {
                            self.patience = Patience::until(deadline);
                        }
                        self.stage = Stage::Owed(owed);
                    }
                },
                Stage::Failed(error) => {
                    // A send may fail without ever waiting. Whoever tries again in a loop shall not hold the event
                    // loop, on which what it waits for may have to run.
                    ready!(poll_proceed(task)).made_progress();
                    return Poll::Ready(Err((**error).clone()));
                }
                Stage::Ran(reply) => {
                    let reply = reply.take().ok_or_else(has_ended);
                    return Poll::Ready(reply.and_then(|reply| self.reader.take(*reply)));
                }
                Stage::Over => return Poll::Ready(Err(has_ended())),
            }
        }
    }
}

/// How long a message that was sent may take, whose caller has said this. There is a system: it was sent.
fn in_force(limit: Option<Duration>) -> Duration {
    share(limit).map_or(Duration::ZERO, |(_, limit)| limit)
}

/// The same, once it is asked for.
fn in_force_of(limit: Option<Duration>) -> impl Fn() -> Duration + Copy {
    move || in_force(limit)
}

fn timeout(limit: Option<Duration>) -> SendError {
    let after = in_force(limit);
    SendError::Timeout { after }
}

// Nothing in it is ever pinned in its place: the message is moved out, and what has to be pinned is boxed.
impl<A: Actor, R, E> Unpin for Asking<A, R, E> {}

impl<A: Actor, R: Send + 'static, E: Send + 'static> Future for Asking<A, R, E> {
    type Output = Result<R, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let ran = ready!(self.advance(task));
        self.stage = Stage::Over;
        Poll::Ready(result(ran))
    }
}
