//! A command of an actor's own while it is awaited.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker, ready};
use std::time::Duration;

use pulsar_loop::runtime::{ROUND, Round, look_after};
use pulsar_wire::Aid;
use tokio::task::coop::poll_proceed;
use tokio::time::{Sleep, sleep, sleep_until};

use crate::actor::Actor;
use crate::actor_call::{Ran, Reader, elsewhere, nothing, put, result};
use crate::ask::{share, within};
use crate::context::{Cell, Context};
use crate::near;
use crate::owed::Owed;
use crate::system::Route;
use crate::{CallError, SendError, Target};

/// Whoever waits for longer is looked after by the patrol of the loop, whose rounds matter little then. Others have
/// timers of their own from the beginning.
const PATIENT: Duration = Duration::from_secs(1);

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
    /// It is in a mailbox of this process.
    Owed(Owed<A>),
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
    /// In the mailbox, and nobody waits for what it comes to.
    Told,
    /// In the mailbox.
    Owed(Owed<A>),
    OnItsWay(Way<A, R, E>),
}

/// What bounds a wait.
enum Patience {
    Fresh,
    /// It has begun in this round of the loop's patrol.
    Patrolled(Round),
    Timed(Pin<Box<Sleep>>),
}

impl Patience {
    /// Ready when a wait for an actor's reply that may take `limit` has taken it.
    fn poll(&mut self, cell: &Arc<Cell>, limit: Option<Duration>, task: &mut Task<'_>) -> Poll<()> {
        if let Self::Timed(timer) = self {
            return timer.as_mut().poll(task);
        }
        let limit = within(&*cell.system, limit);
        let (since, left) = match self {
            Self::Timed(timer) => return timer.as_mut().poll(task),
            Self::Fresh if limit >= PATIENT => (None, limit),
            Self::Fresh => return self.timed(limit, task),
            Self::Patrolled(since) if since.is_past() => {
                // It has waited for a round at least.
                return self.timed(limit.saturating_sub(ROUND), task);
            }
            Self::Patrolled(since) => (Some(*since), limit),
        };
        match look_after(cell) {
            Some(round) => {
                *self = Self::Patrolled(since.unwrap_or(round));
                Poll::Pending
            }
            None => self.timed(left, task),
        }
    }

    fn timed(&mut self, left: Duration, task: &mut Task<'_>) -> Poll<()> {
        let mut timer = Box::pin(sleep(left));
        let polled = timer.as_mut().poll(task);
        *self = Self::Timed(timer);
        polled
    }
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
            patience: Patience::Fresh,
            stage: Stage::Unsent,
        }
    }

    fn begin(&self, message: A::Message, caller: &Waker) -> Result<Begun<A, R, E>, SendError> {
        if let Some(cell) = near::find(self.target) {
            return put(Context::of(cell), message, self.limit, caller);
        }
        let (system, limit) = share(self.limit)?;
        let target = Target::Aid(self.target);
        match system.known(&target)? {
            Some(Route::Local(cx)) => {
                near::remember(&cx.cell);
                put(cx, message, self.limit, caller)
            }
            Some(Route::Link(..)) | None => {
                let way = elsewhere(system, target, &message, limit, self.reader)?;
                Ok(Begun::OnItsWay(Box::pin(way)))
            }
        }
    }

    /// The way to the next stage.
    fn advance(&mut self, task: &mut Task<'_>) -> Poll<Ran<R, E>> {
        loop {
            match &mut self.stage {
                Stage::Unsent => {
                    let begun = self
                        .message
                        .take()
                        .map(|message| self.begin(message, task.waker()));
                    self.stage = match begun {
                        Some(Ok(Begun::Owed(owed))) => {
                            // The reply wakes the task, also if it has come already.
                            let over = self.patience.poll(owed.cell(), self.limit, task);
                            self.stage = Stage::Owed(owed);
                            ready!(over);
                            continue;
                        }
                        Some(Ok(Begun::OnItsWay(way))) => Stage::OnItsWay(way),
                        Some(Ok(Begun::Told)) => return Poll::Ready(nothing().map(Ok)),
                        Some(Err(error)) => Stage::Failed(Box::new(error)),
                        None => Stage::Over,
                    };
                }
                Stage::Owed(owed) => {
                    // The reply first: what has come in time counts.
                    if let Poll::Ready(reply) = Pin::new(&mut *owed).poll(task) {
                        return Poll::Ready(reply.and_then(|reply| self.reader.take(reply)));
                    }
                    ready!(self.patience.poll(owed.cell(), self.limit, task));
                    owed.be_late();
                    let after = within(&*owed.cell().system, self.limit);
                    return Poll::Ready(Err(SendError::Timeout { after }));
                }
                Stage::OnItsWay(way) => match ready!(way.as_mut().poll(task)) {
                    Ok(Arrived::Ran(ran)) => return Poll::Ready(Ok(ran)),
                    Err(error) => return Poll::Ready(Err(error)),
                    Ok(Arrived::Owed(owed)) => {
                        if let Some(deadline) = owed.deadline() {
                            self.patience = Patience::Timed(Box::pin(sleep_until(deadline)));
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
                Stage::Over => return Poll::Ready(Err(SendError::codec("the call has ended"))),
            }
        }
    }
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
