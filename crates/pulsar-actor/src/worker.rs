//! What runs the commands of an actor: one after the other, or side by side where they allow it.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::{Context as Task, Poll, ready};

use futures_util::stream::{FuturesUnordered, StreamExt};
use pulsar_link::Draft;
use pulsar_link::payload::{NATIVE, Outcome, Payload};
use pulsar_loop::runtime::{Lender, Ticket, TimeSlice};
use pulsar_mailbox::{ReplyTo, Taken};
use pulsar_sys::occupation::coarse_us;
use pulsar_wire::{Aid, Codec};
use tokio::task::yield_now;

use crate::actor::{Actor, Concurrent, Method, Worked};
use crate::actor_call::has_ended;
use crate::context::Called;
use crate::current::hold_turn;
use crate::idle::{Idle, if_idle};
use crate::mailbox::{Caller, Direct, Envelope, Messages, Named, Post, There, Unrun};
use crate::occupying::note;
use crate::{Cause, Context, DeadReason, OnStop, SendError, panic_message};

/// Commands of one actor that run side by side. More wait for their turn.
const MAX_CONCURRENT: usize = 1024;

/// Runs commands one after the other, until the mailbox is closed and empty.
pub fn in_turn<A: Actor>(state: A, cx: Context) -> impl Future<Output = Worked> + Send {
    // Here, so that there is no room for it in the future.
    let idle = Idle::new(state);
    async move {
        let slice = TimeSlice::default();
        // Pinned here: moved into another future, there would be room for it in both.
        bounding(&cx, &slice, pin!(each_alone(idle, &cx, &slice))).await
    }
}

/// Runs `work`, which is all of an actor's: until it gives way, nothing else on the loop gets its turn. With each poll a
/// slice begins anew.
async fn bounding<T>(
    cx: &Context,
    slice: &TimeSlice,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> T {
    let occupation = cx.cell.occupation();
    poll_fn(|task| {
        let tick_us = coarse_us();
        slice.begin(tick_us);
        occupation.turn_to(tick_us);
        // All that is polled here is this actor's: it holds its turn.
        let _held = hold_turn(cx.aid());
        let polled = work.as_mut().poll(task);
        // A command that has held the loop: as the slice is spent then, no other has begun since.
        note(cx, coarse_us().saturating_sub(tick_us));
        polled
    })
    .await
}

async fn each_alone<A: Actor>(idle: Box<Idle<A>>, cx: &Context, slice: &TimeSlice) -> Worked {
    let Some(inbox) = cx.cell.mailbox.of_type::<A>() else {
        return foreign_mailbox();
    };
    // It may lend the state while it waits; dropped, it takes the state with it.
    let mut seat = Lender::new(&inbox.idle, idle);
    loop {
        let come = poll_fn(|task| run_or_lend(&mut seat, cx, inbox, slice, task)).await;
        let Some(idle) = seat.take_back() else {
            return foreign_mailbox();
        };
        match come {
            Come::Next(post) => {
                let ended = exclusive(&mut idle.state, cx, inbox, post).await;
                if let Some(Worked::Panicked(message)) = ended {
                    return Worked::Panicked(message);
                }
            }
            Come::Left => yield_now().await,
            Come::End => return last_act(&mut idle.state, cx).await,
            Come::Panicked(message) => return Worked::Panicked(message),
        }
    }
}

/// As [`run_at_once`]; while none is there the state may be lent.
fn run_or_lend<A: Actor>(
    seat: &mut Lender<'_, Box<Idle<A>>>,
    cx: &Context,
    inbox: &Messages<A>,
    slice: &TimeSlice,
    task: &mut Task<'_>,
) -> Poll<Come<A>> {
    let Some(idle) = seat.take_back() else {
        return Poll::Ready(Come::End);
    };
    if let Some(message) = &idle.panicked {
        return Poll::Ready(Come::Panicked(message.clone()));
    }
    let come = run_at_once(&mut idle.state, cx, inbox, slice, task);
    if come.is_pending() {
        seat.lend();
    }
    come
}

/// Runs one command from another process that does not await, if its actor is idle here. Gives it back if it has to wait for
/// its turn.
pub(crate) fn run_if_idle<A: Actor>(
    cx: &Context,
    inbox: &Messages<A>,
    there: Direct<A, There>,
) -> Option<Direct<A, There>> {
    let mut there = Some(there);
    if_idle(cx, inbox, |state| {
        let ended = there.take();
        (
            (),
            ended.and_then(|there| there_at_once(state, cx, inbox, there)),
        )
    });
    there
}

/// Runs one command from this process that does not await, if its actor is idle on this thread, and leaves its message
/// otherwise.
pub(crate) fn ask_if_idle<A: Actor>(
    cx: &Context,
    inbox: &Messages<A>,
    message: &mut Option<A::Message>,
    sender: Option<Aid>,
) -> Option<(Result<A::Reply, SendError>, bool)> {
    if_idle(cx, inbox, |state| {
        let Some(message) = message.take() else {
            return (Err(has_ended()), None);
        };
        is_in_time(cx, false);
        let index = A::index(&message);
        let method = &A::METHODS[index];
        match called_at_once(state, cx, method, sender, message) {
            Ok(reply) => {
                count(cx, A::is_failure(&reply));
                (Ok(reply), None)
            }
            Err(message) => {
                let command = Named::Own { method, index };
                let turn = Turn::direct(cx, inbox, command, Caller::Nobody);
                let ended = turn.panicked(message.clone());
                (Err(SendError::Panicked { message }), ended)
            }
        }
    })
}

/// What is next when those commands have run that do not await.
enum Come<A: Actor> {
    /// A command that may await, or the periodic task.
    Next(Post<A>),
    /// Messages are there, and the slice is spent.
    Left,
    /// The mailbox is closed and empty.
    End,
    /// The last command has ended the actor.
    Panicked(String),
}

/// Runs commands that do not await, without a future for each, until another comes or none is there.
fn run_at_once<A: Actor>(
    state: &mut A,
    cx: &Context,
    inbox: &Messages<A>,
    slice: &TimeSlice,
    task: &mut Task<'_>,
) -> Poll<Come<A>> {
    loop {
        let run = |post| run_unless_it_awaits(state, cx, inbox, post);
        match ready!(inbox.queue.poll_take_with(task, || slice.is_spent(), run)) {
            Taken::Message(None) => {}
            Taken::Message(Some(come)) => return Poll::Ready(come),
            Taken::Left => return Poll::Ready(Come::Left),
            Taken::End => return Poll::Ready(Come::End),
        }
    }
}

/// Runs one command that does not await; `None` if the actor goes on.
// Always: with the take that it belongs to it moves a message once where it would be copied thrice, a tenth of a tell.
#[inline(always)]
fn run_unless_it_awaits<A: Actor>(
    state: &mut A,
    cx: &Context,
    inbox: &Messages<A>,
    post: Post<A>,
) -> Option<Come<A>> {
    let ended = match post {
        Post::Direct(direct) if !direct.method().awaits => direct_at_once(state, cx, inbox, direct),
        Post::There(direct) if !direct.method().awaits => there_at_once(state, cx, inbox, *direct),
        Post::General(envelope) if !envelope.command.awaits() => {
            match begin_general(cx, inbox, envelope) {
                Ok(Work::Own(begun)) => at_once(state, begun),
                // Those await.
                Ok(Work::Free(..)) => None,
                Err(ended) => ended,
            }
        }
        post => return Some(Come::Next(post)),
    };
    match ended? {
        Worked::Panicked(message) => Some(Come::Panicked(message)),
        Worked::Drained => None,
    }
}

/// Runs one command from this process that does not await. `Some` ends the actor.
#[inline(always)]
fn direct_at_once<A: Actor>(
    state: &mut A,
    cx: &Context,
    inbox: &Messages<A>,
    direct: Direct<A>,
) -> Option<Worked> {
    let ticket = direct.caller;
    let is_late = ticket.is_some_and(|ticket| inbox.replies.is_late(ticket));
    if !is_in_time(cx, is_late) {
        cx.dead_letter(direct.into(), DeadReason::Expired);
        return None;
    }
    let index = A::index(&direct.message);
    let method = &A::METHODS[index];
    match called_at_once(state, cx, method, direct.sender, direct.message) {
        Ok(reply) => answer_direct(cx, inbox, ticket, reply),
        Err(panic) => {
            let command = Named::Own { method, index };
            return Turn::direct(cx, inbox, command, ticket.into()).panicked(panic);
        }
    }
    None
}

/// Calls a command that does not await.
#[inline]
fn called_at_once<A: Actor>(
    state: &mut A,
    cx: &Context,
    method: &'static Method,
    sender: Option<Aid>,
    message: A::Message,
) -> Unwound<A::Reply> {
    let _occupied = cx.cell.occupation().enter(&method.signature.name);
    unwound_at_once(move || state.dispatch_at_once(cx.called_by(sender), message))
}

/// Runs one command from another process that does not await. `Some` ends the actor.
fn there_at_once<A: Actor>(
    state: &mut A,
    cx: &Context,
    inbox: &Messages<A>,
    there: Direct<A, There>,
) -> Option<Worked> {
    at_once(state, begin(cx, inbox, there)?)
}

/// Runs one command that does not await. `Some` ends the actor.
fn at_once<A: Actor>(state: &mut A, begun: Begun<'_, A>) -> Option<Worked> {
    let Begun(turn, called, message) = begun;
    let occupied = turn.cx.cell.occupation().enter(turn.command.label());
    let ended = unwound_at_once(|| state.dispatch_at_once(called, message));
    drop(occupied);
    turn.answer(ended)
}

/// The same for an actor some of whose commands run side by side. An exclusive command waits for
/// those that run to end; no other begins before it: so everybody gets their turn in the order in
/// which they came.
pub async fn side_by_side<A: Concurrent>(state: A, cx: Context) -> Worked {
    let slice = TimeSlice::default();
    bounding(&cx, &slice, pin!(some_beside(state, &cx, &slice))).await
}

async fn some_beside<A: Concurrent>(mut state: A, cx: &Context, slice: &TimeSlice) -> Worked {
    let Some(inbox) = cx.cell.mailbox.of_type::<A>() else {
        return foreign_mailbox();
    };
    loop {
        let next = match until_exclusive(&state, cx, inbox, slice).await {
            Ok(next) => next,
            Err(message) => return Worked::Panicked(message),
        };
        let Some(post) = next else {
            return last_act(&mut state, cx).await;
        };
        if let Some(Worked::Panicked(message)) = exclusive(&mut state, cx, inbox, post).await {
            return Worked::Panicked(message);
        }
    }
}

/// Runs commands side by side until one comes that wants the state for itself, or nothing more
/// will come; returns that when all that ran have ended.
async fn until_exclusive<A: Concurrent>(
    state: &A,
    cx: &Context,
    inbox: &Messages<A>,
    slice: &TimeSlice,
) -> Result<Option<Post<A>>, String> {
    let refuses = cx.cell.birth.on_stop == OnStop::Refuse;
    // Declared before those that run: it is told its end after them, in the order of their coming.
    let mut taken = Waiting { cx, post: None };
    let mut is_last = false;
    let mut running = FuturesUnordered::new();
    while !(is_last || taken.post.is_some()) || !running.is_empty() {
        let takes = !is_last && taken.post.is_none() && running.len() < MAX_CONCURRENT;
        tokio::select! {
            biased;
            // It waits as those in the mailbox do, and is refused as they are.
            () = cx.cell.stop.cancelled(), if refuses && taken.post.is_some() =>
                taken.refuse(Cause::Stopped),
            Some(ended) = running.next() => {
                if let Some(Worked::Panicked(message)) = ended {
                    // Before those that run beside it are dropped: they tell their callers why.
                    let _ = cx.cell.cause.set(Cause::Panic(message.clone()));
                    return Err(message);
                }
            }
            post = next(inbox, slice), if takes => match post {
                Some(post) if is_concurrent(&post) => running.push(shared(state, cx, inbox, post, slice)),
                None => is_last = true,
                exclusive => taken.post = exclusive,
            },
        }
    }
    Ok(taken.post.take())
}

/// An exclusive command that waits for those that run to end. Dropped, it is a dead letter like
/// those in the mailbox: the actor has ended, and its cause has been set before.
struct Waiting<'a, A: Actor> {
    cx: &'a Context,
    post: Option<Post<A>>,
}

impl<A: Actor> Waiting<'_, A> {
    fn refuse(&mut self, cause: Cause) {
        if let Some(post) = self.post.take() {
            let reason = DeadReason::ActorEnded(cause);
            if let Some(unrun) = post.into_unrun() {
                self.cx.dead_letter(unrun, reason);
            }
        }
    }
}

impl<A: Actor> Drop for Waiting<'_, A> {
    fn drop(&mut self) {
        let cause = self.cx.cell.cause.get().cloned();
        self.refuse(cause.unwrap_or(Cause::Unknown));
    }
}

async fn next<A: Actor>(inbox: &Messages<A>, slice: &TimeSlice) -> Option<Post<A>> {
    loop {
        // Messages may be there without end. What else the actor's loop has to do gets its turn after its slice.
        match inbox.queue.take_unless(|| slice.is_spent()).await {
            Taken::Message(post) => return Some(post),
            Taken::End => return None,
            Taken::Left => yield_now().await,
        }
    }
}

fn is_concurrent<A: Actor>(post: &Post<A>) -> bool {
    match post {
        Post::Direct(direct) => direct.method().concurrent,
        Post::There(direct) => direct.method().concurrent,
        Post::General(envelope) => {
            matches!(envelope.command, Named::Own { method, .. } if method.concurrent)
        }
        Post::PeriodicTask(_) => false,
    }
}

/// Runs one command that has the state for itself. `Some` ends the actor.
async fn exclusive<A: Actor>(
    state: &mut A,
    cx: &Context,
    inbox: &Messages<A>,
    post: Post<A>,
) -> Option<Worked> {
    let begun = match post {
        Post::Direct(direct) => begin(cx, inbox, direct).ok_or(None),
        Post::There(direct) => begin(cx, inbox, *direct).ok_or(None),
        Post::General(envelope) => match begin_general(cx, inbox, envelope) {
            Ok(Work::Own(begun)) => Ok(begun),
            Ok(Work::Free(turn, called, args)) => return free(turn, called, args).await,
            Err(ended) => Err(ended),
        },
        Post::PeriodicTask(_ended) => return periodic_task(state, cx).await,
    };
    let Begun(turn, called, message) = match begun {
        Ok(begun) if !begun.0.command.awaits() => return at_once(state, begun),
        Ok(begun) => begun,
        Err(ended) => return ended,
    };
    let mut run = pin!(state.dispatch(called, message));
    let ended = poll_fn(|task| step(cx, turn.command.label(), run.as_mut(), task)).await;
    turn.answer(ended)
}

/// Runs one free command.
async fn free<A: Actor>(turn: Turn<'_, A>, called: Called<'_>, args: Payload) -> Option<Worked> {
    let Named::Free(command) = turn.command else {
        return None;
    };
    // It reads the arguments before its first await: that may panic as well.
    let mut run = pin!(async { (command.invoke)(called.context(), args).await });
    let ended = poll_fn(|task| step(turn.cx, turn.command.label(), run.as_mut(), task)).await;
    turn.answer_free(ended)
}

/// Runs the actor's own periodic task. An error is logged and ends nothing; after a panic the state is
/// suspect, as after one of a command. `Some` ends the actor.
async fn periodic_task<A: Actor>(state: &mut A, cx: &Context) -> Option<Worked> {
    let aid = cx.aid();
    let mut run = pin!(state.periodic_task(cx.clone()));
    match poll_fn(|task| step(cx, &"periodic_task", run.as_mut(), task)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::error!(%aid, error = error.one_line(), "periodic task failed");
            None
        }
        Err(message) => {
            tracing::error!(%aid, message, "periodic task panicked");
            (!A::OUTLIVES_PANICS).then_some(Worked::Panicked(message))
        }
    }
}

/// Runs one command that shares the state with others.
async fn shared<A: Concurrent>(
    state: &A,
    cx: &Context,
    inbox: &Messages<A>,
    post: Post<A>,
    slice: &TimeSlice,
) -> Option<Worked> {
    let begun = match post {
        Post::Direct(direct) => begin(cx, inbox, direct).map(Work::Own).ok_or(None),
        Post::There(direct) => begin(cx, inbox, *direct).map(Work::Own).ok_or(None),
        Post::General(envelope) => begin_general(cx, inbox, envelope),
        // Run where it was taken.
        Post::PeriodicTask(_) => Err(None),
    };
    let Begun(turn, called, message) = match begun {
        Ok(Work::Own(begun)) => begun,
        // Those are exclusive.
        Ok(Work::Free(..)) => return None,
        Err(ended) => return ended,
    };
    let mut run = pin!(state.dispatch_shared(called, message));
    let run = poll_fn(|task| step(cx, turn.command.label(), run.as_mut(), task));
    let ended = slice.sharing(run).await;
    turn.answer(ended)
}

/// A command of the actor's own that is to be run.
struct Begun<'a, A: Actor>(
    Turn<'a, A>,
    /// The actor's handle, if the command takes it.
    Called<'a>,
    A::Message,
);

/// What is to be run.
enum Work<'a, A: Actor> {
    Own(Begun<'a, A>),
    Free(Turn<'a, A>, Called<'a>, Payload),
}

/// Or its end without, which its sender has been told, and the actor's if it is `Some`.
type OrEnded<T> = Result<T, Option<Worked>>;

/// A message with its types; `None` if it is not run.
fn begin<'a, A: Actor, C: Into<Caller>>(
    cx: &'a Context,
    inbox: &'a Messages<A>,
    direct: Direct<A, C>,
) -> Option<Begun<'a, A>> {
    let caller = direct.caller.into();
    let index = A::index(&direct.message);
    let method = &A::METHODS[index];
    if !is_in_time(cx, caller.is_late(inbox)) {
        cx.dead_letter(
            Unrun::of(method, direct.sender, caller),
            DeadReason::Expired,
        );
        return None;
    }
    let turn = Turn::direct(cx, inbox, Named::Own { method, index }, caller);
    let called = cx.called_by(direct.sender);
    Some(Begun(turn, called, direct.message))
}

/// Counts a message with its types whose turn has come; false if it came too late.
fn is_in_time(cx: &Context, is_late: bool) -> bool {
    let stats = cx.cell.mailbox.stats();
    stats.count_here(&stats.received);
    !is_late
}

/// Counts what a command from this process has come to, and tells its caller, if one waits.
fn answer_direct<A: Actor>(
    cx: &Context,
    inbox: &Messages<A>,
    caller: Option<Ticket>,
    reply: A::Reply,
) {
    // First: whoever has the reply may look at the counters.
    count(cx, A::is_failure(&reply));
    if let Some(caller) = caller {
        inbox.replies.give(caller, Ok(reply));
    }
}

fn count(cx: &Context, failed: bool) {
    let stats = cx.cell.mailbox.stats();
    stats.count_here(match failed {
        true => &stats.failed,
        false => &stats.replied,
    });
}

/// A message whose types are erased.
fn begin_general<'a, A: Actor>(
    cx: &'a Context,
    inbox: &'a Messages<A>,
    envelope: Box<Envelope>,
) -> OrEnded<Work<'a, A>> {
    let stats = cx.cell.mailbox.stats();
    stats.count_here(&stats.received);
    if envelope.is_expired() {
        cx.dead_letter(envelope.into(), DeadReason::Expired);
        return Err(None);
    }
    let Envelope {
        command,
        args,
        reply,
        sender,
        ..
    } = *envelope;
    let called = cx.called_by(sender);
    let turn = |codec| Turn {
        cx,
        inbox,
        command,
        answer: Some(Answer::General(reply, codec)),
    };
    let (turn, read) = match (command, args) {
        (Named::Free(_), args) => return Ok(Work::Free(turn(Codec::Postcard), called, args)),
        (Named::Own { index, .. }, Payload::Wire(codec, body)) => {
            let read = || A::read_message(index, codec, body.view());
            (turn(codec), unwound_at_once(read))
        }
        (Named::Own { .. }, _) => {
            let error = SendError::codec("the arguments of an actor's own command have its type");
            (turn(Codec::Postcard), Ok(Err(error)))
        }
    };
    match read {
        Ok(Ok(message)) => Ok(Work::Own(Begun(turn, called, message))),
        Ok(Err(error)) => {
            turn.undelivered(error);
            Err(None)
        }
        Err(message) => Err(turn.panicked(message)),
    }
}

/// A command that runs. Dropped before its end, it tells its caller how the actor ended.
struct Turn<'a, A: Actor> {
    cx: &'a Context,
    inbox: &'a Messages<A>,
    command: Named,
    /// Taken when it is given.
    answer: Option<Answer>,
}

enum Answer {
    /// To a caller in this process, if one waits.
    Direct(Option<Ticket>),
    /// To whoever reads this codec.
    General(ReplyTo, Codec),
}

impl<'a, A: Actor> Turn<'a, A> {
    /// Of a command that came with its types.
    fn direct(cx: &'a Context, inbox: &'a Messages<A>, command: Named, caller: Caller) -> Self {
        let answer = Some(match caller {
            Caller::Nobody => Answer::Direct(None),
            Caller::Here(ticket) => Answer::Direct(Some(ticket)),
            Caller::There(there) => Answer::General(there.reply, NATIVE),
        });
        Self {
            cx,
            inbox,
            command,
            answer,
        }
    }

    /// What a command of the actor's own has come to. `Some` ends the actor.
    fn answer(mut self, ended: Unwound<A::Reply>) -> Option<Worked> {
        let reply = match ended {
            Ok(reply) => reply,
            Err(message) => return self.panicked(message),
        };
        if let Some(Answer::General(caller, codec)) = &self.answer
            && !caller.is_nobody()
        {
            let codec = *codec;
            match unwound_at_once(|| drafted::<A>(&reply, codec)) {
                Ok(Ok(draft)) => self.answer_draft(A::is_failure(&reply), draft),
                Ok(Err(error)) => self.undelivered(error),
                Err(message) => return self.panicked(message),
            }
            return None;
        }
        let caller = match self.answer.take() {
            Some(Answer::Direct(caller)) => caller,
            Some(Answer::General(..)) | None => None,
        };
        answer_direct(self.cx, self.inbox, caller, reply);
        None
    }

    /// It has come to this, for a caller behind a link or a tool.
    fn answer_draft(mut self, failed: bool, draft: Draft) {
        // First: whoever has the reply may look at the counters.
        count(self.cx, failed);
        if let Some(Answer::General(caller, _)) = self.answer.take() {
            caller.answer(failed, draft);
        }
    }

    /// Its arguments could not be read, or its reply not be written.
    fn undelivered(mut self, error: SendError) {
        self.end(Ok(Outcome::Undelivered(error)));
    }

    /// What a free command has come to. `Some` ends the actor.
    fn answer_free(self, ended: Unwound<Outcome>) -> Option<Worked> {
        match ended {
            Ok(outcome) => self.ended(outcome),
            Err(message) => self.panicked(message),
        }
    }

    fn ended(mut self, outcome: Outcome) -> Option<Worked> {
        let panic = self.end(Ok(outcome))?;
        self.panicked(panic)
    }

    /// After a panic the state is suspect: the actor ends, unless its author says otherwise.
    fn panicked(mut self, message: String) -> Option<Worked> {
        let command = self.command.name();
        tracing::error!(aid = %self.cx.aid(), command, message, "command panicked");
        self.end(Err(SendError::Panicked {
            message: message.clone(),
        }));
        (!A::OUTLIVES_PANICS).then_some(Worked::Panicked(message))
    }

    /// Counts and answers. `Some` is the message of a panic in the writing of the outcome, which
    /// its caller has been told.
    fn end(&mut self, ended: Result<Outcome, SendError>) -> Option<String> {
        let failed = !matches!(ended, Ok(Outcome::Reply(_)));
        // First: whoever has the reply may look at the counters.
        count(self.cx, failed);
        match self.answer.take() {
            Some(Answer::Direct(Some(caller))) => {
                let error = ended.err().unwrap_or_else(|| SendError::codec("no reply"));
                self.inbox.replies.give(caller, Err(error));
                None
            }
            Some(Answer::General(reply, _)) => {
                let outcome = ended.unwrap_or_else(Outcome::Undelivered);
                let mut panic = None;
                reply.send(outcome, |outcome, codec| {
                    let written = unwound_at_once(|| self.command.encode(outcome, codec));
                    let written = written.unwrap_or_else(|message| {
                        panic = Some(message.clone());
                        Err(SendError::Panicked { message })
                    });
                    if written.is_err() && !failed {
                        self.count_again();
                    }
                    written
                });
                panic
            }
            Some(Answer::Direct(None)) | None => None,
        }
    }

    /// A reply that was counted as such could not be written.
    fn count_again(&self) {
        let stats = self.cx.cell.mailbox.stats();
        let replied = stats.replied.load(Ordering::Relaxed);
        stats
            .replied
            .store(replied.saturating_sub(1), Ordering::Relaxed);
        stats.count_here(&stats.failed);
    }
}

fn drafted<A: Actor>(reply: &A::Reply, codec: Codec) -> Result<Draft, SendError> {
    let mut draft = Draft::new(codec);
    A::write_reply(reply, &mut draft)?;
    Ok(draft)
}

/// Cut short: the actor has ended, and its cause has been set before its work was dropped.
impl<A: Actor> Drop for Turn<'_, A> {
    fn drop(&mut self) {
        if self.answer.is_some() {
            let cause = self.cx.cell.cause.get().cloned();
            self.end(Err(SendError::ActorDied {
                cause: cause.unwrap_or(Cause::Unknown),
            }));
        }
    }
}

/// What a piece of work has come to: its value, or its panic's message.
type Unwound<T> = Result<T, String>;

/// Polls a piece of the actor's work, whose name is shown while it is on the processor. Unwind
/// safe by what follows a panic: the actor ends, or its author has said that the state can take it.
fn step<T>(
    cx: &Context,
    name: &'static &'static str,
    work: Pin<&mut impl Future<Output = T>>,
    task: &mut Task<'_>,
) -> Poll<Unwound<T>> {
    let _occupied = cx.cell.occupation().enter(name);
    match catch_unwind(AssertUnwindSafe(|| work.poll(task))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic_message(&*panic).to_owned())),
    }
}

/// What a call comes to that does not await: the reading and writing of values, which users may write.
#[inline]
fn unwound_at_once<T>(work: impl FnOnce() -> T) -> Unwound<T> {
    let ended = catch_unwind(AssertUnwindSafe(work));
    ended.map_err(|panic| panic_message(&*panic).to_owned())
}

/// Its failure is logged: the actor was asked to stop, and ends so.
async fn last_act<A: Actor>(state: &mut A, cx: &Context) -> Worked {
    let mut run = pin!(state.stopping(cx.clone()));
    match poll_fn(|task| step(cx, &"stopping", run.as_mut(), task)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(aid = %cx.aid(), error = error.one_line(), "stopping failed");
        }
        Err(message) => tracing::error!(aid = %cx.aid(), message, "stopping panicked"),
    }
    Worked::Drained
}

/// An actor's mailbox is made for its type: see `ActorKind`.
fn foreign_mailbox() -> Worked {
    Worked::Panicked("the mailbox is of another type than the actor".to_owned())
}
