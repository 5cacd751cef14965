//! The one loop that runs an actor, in whatever placement.
//!
//! An actor is a sequence of events: messages, timers, the ends of what it runs. The loop takes
//! one event at a time and decides; hooks, built-in commands and the worker that runs the user's
//! commands are futures that it polls beside each other, so that built-in commands are answered
//! while a command of the user's awaits.

use std::future::{Future, pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::actor::Worked;
use crate::builtin;
use crate::command::{BoxFuture, CommandDef};
use crate::context::{Cell, Context};
use crate::current::{in_turn, scope};
use crate::hooks::{Hooks, Work};
use crate::mailbox::{Envelope, Named};
use crate::occupying::{note_lag, timing};
use crate::{Cause, DeadReason, OnStop, Placement, Result, SendError, panic_message};
use pulsar_link::payload::Outcome;
use pulsar_loop::EventLoop;
use pulsar_loop::runtime::{Gate, at, first, next_of, poll};
use pulsar_mailbox::ReplyTo;
use pulsar_reports::Reports;

/// Built-in commands that run at once. `run` may take its time; this many may.
const MAX_BUILTINS_RUNNING: usize = 256;
/// Functions that `run` runs at once, for whoever asks: so that some which never end leave room for
/// `ping` and `stop`.
const MAX_RUNS: usize = 128;

/// How often the arbiter, which has nobody to notify, looks whether its loop turns in time: on that loop
/// depends everybody else.
const LAG_PROBE: Duration = Duration::from_secs(1);

/// How a killed actor ends, in whatever placement: as the kernel would have it end.
const KILLED: Cause = Cause::Signal {
    signal: 9,
    core_dumped: false,
};

/// One incarnation of an actor, ready to live.
pub struct Life {
    cx: Context,
    hooks: Hooks,
    reports: Reports,
    notify_every: Duration,
    phase: Phase,
    start: Option<Caught<Result<Work>>>,
    stopping: Option<Caught<Result<()>>>,
    periodic_task: Option<Caught<Result<()>>>,
    /// Runs the user's commands, in their turns, once the actor has started.
    work: Option<Caught<Worked>>,
    /// Made with the first.
    builtins: Option<FuturesUnordered<Running>>,
    /// How many of these run a function of the user's.
    runs: usize,
    /// The last event was a built-in command's: the actor's own futures are polled before more.
    own_first: bool,
    next_notify: Instant,
    gate: Gate,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Starting,
    Running,
    Stopping { deadline: Instant },
}

/// All that can happen to an actor.
enum Event {
    Started(Unwound<Result<Work>>),
    StopAsked,
    KillAsked,
    BuiltinCame(Box<Envelope>),
    BuiltinEnded(Ended),
    WorkEnded(Unwound<Worked>),
    NotifyDue,
    PeriodicTaskDue,
    PeriodChanged,
    PeriodicTaskEnded(Unwound<Result<()>>),
    StoppingHookEnded(Unwound<Result<()>>),
    TasksEnded,
    DrainTimeout,
}

impl Life {
    /// The life of the actor of `cx`, which runs these hooks and tells its manager by `reports`.
    pub fn new(cx: Context, hooks: Hooks, reports: Reports) -> Self {
        let notify_every = match cx.is_arbiter() {
            true => LAG_PROBE,
            false => cx.cell.birth.notify_every,
        };
        Self {
            cx,
            hooks,
            reports,
            notify_every,
            phase: Phase::Starting,
            start: None,
            stopping: None,
            periodic_task: None,
            work: None,
            builtins: None,
            runs: 0,
            own_first: false,
            next_notify: Instant::now(),
            gate: Gate::default(),
        }
    }

    /// Lives from hello to end. The cause is also left in the actor's cell, so that whoever
    /// still holds its mailbox learns it.
    // No `async fn`: that would keep room for the life beside the future that it goes into.
    pub fn live(mut self) -> impl Future<Output = Cause> + Send {
        let cx = self.cx.clone();
        scope(cx, async move {
            let cause = self.run().await;
            self.finish(cause)
        })
    }

    async fn run(&mut self) -> Cause {
        let cell = &self.cx.cell;
        cell.thread_id
            .store(pulsar_sys::thread_id(), Ordering::Relaxed);
        if let Ok(current) = EventLoop::current() {
            let _ = cell.event_loop.set(current);
        }
        cell.share_occupation();
        let _ = cell.state.come_alive();
        let _ = cell.state.begin_start();
        self.install_hooks();
        let begin = std::mem::take(&mut self.hooks.begin);
        let cx = self.cx.clone();
        // Before it has started the actor takes no commands: its start holds their turn.
        let aid = cx.aid();
        self.start = Some(caught(timing(
            cx.clone(),
            &"start",
            in_turn(aid, begin.begin(cx)),
        )));
        loop {
            let event = self.next().await;
            if let Some(cause) = self.handle(event) {
                return cause;
            }
        }
    }

    /// Hands the actor's handles the hooks that they run.
    fn install_hooks(&mut self) {
        let cell = &self.cx.cell;
        if let Some(hook) = self.hooks.dead_letter {
            let _ = cell.on_dead_letter.set(hook);
        }
        if let Some(hook) = self.hooks.on_info.take() {
            let _ = cell.on_info.set(hook);
        }
        if let Some(hook) = self.hooks.on_params.take() {
            let _ = cell.on_params.set(hook);
        }
        if let Some(period) = self.hooks.period {
            cell.period.set(period);
        }
    }

    /// The next event. What is polled here stays in `self` or is a wait that begins anew, and channels only give a
    /// message to a branch that completes.
    ///
    /// Nothing starves. What is looked at first comes once, or once in its period. Then come
    /// built-in commands and what the actor runs itself, and whichever of the two had the last
    /// event waits for the other to be polled. The work, which gives way after its slice (see
    /// `worker`), is an event only when it ends: pending, it keeps nobody from being polled.
    ///
    /// After an event all is polled once; from then on only what was woken is. So a message costs a poll of the
    /// work, and none of all the rest.
    async fn next(&mut self) -> Event {
        let mut work_first = self.own_first;
        if work_first && let Some(event) = self.asked() {
            return event;
        }
        let (mut work, mut gate) = (self.work.take(), std::mem::take(&mut self.gate));
        let event = {
            let mut rest = pin!(self.next_of_rest(work.is_some()));
            let mut is_first = true;
            poll_fn(|task| {
                let due = gate.due(task);
                let all = std::mem::take(&mut is_first);
                let work_first = std::mem::take(&mut work_first);
                let (Some(work_waker), Some(rest_waker)) = (gate.work(), gate.rest()) else {
                    return Poll::Pending;
                };
                let mut work_task = Task::from_waker(work_waker);
                let mut poll_work = || match &mut work {
                    Some(work) if all || due.work => {
                        work.poll_unpin(&mut work_task).map(Event::WorkEnded)
                    }
                    _ => Poll::Pending,
                };
                if work_first && let Poll::Ready(event) = poll_work() {
                    return Poll::Ready(event);
                }
                if all || due.rest {
                    let mut rest_task = Task::from_waker(rest_waker);
                    if let Poll::Ready(event) = rest.as_mut().poll(&mut rest_task) {
                        return Poll::Ready(event);
                    }
                }
                match work_first {
                    true => Poll::Pending,
                    false => poll_work(),
                }
            })
            .await
        };
        (self.work, self.gate) = (work, gate);
        self.own_first = matches!(event, Event::BuiltinCame(_) | Event::BuiltinEnded(_));
        event
    }

    /// What has been asked of the actor, and comes before all that it does.
    fn asked(&self) -> Option<Event> {
        let cell = &self.cx.cell;
        match self.phase {
            _ if cell.kill.is_cancelled() => Some(Event::KillAsked),
            Phase::Stopping { deadline } => {
                (deadline <= Instant::now()).then_some(Event::DrainTimeout)
            }
            Phase::Starting | Phase::Running => {
                cell.stop.is_cancelled().then_some(Event::StopAsked)
            }
        }
    }

    async fn next_of_rest(&mut self, works: bool) -> Event {
        let cell = Arc::clone(&self.cx.cell);
        let running = self.phase == Phase::Running;
        let deadline = match self.phase {
            Phase::Stopping { deadline } => Some(deadline),
            _ => None,
        };
        // Of a process its manager says when one is due. Boxed, as others have no such wait, and shall not have room for it.
        let wanted = self.reports.wanted().cloned();
        let mut wanted = wanted.map(|it| Box::pin(async move { it.until_wanted().await }));
        let next_notify = (running && wanted.is_none()).then_some(self.next_notify);
        // One timer, for what is due first.
        let (due, is_due): (_, fn() -> Event) = match deadline {
            Some(deadline) => (Some(deadline), || Event::DrainTimeout),
            None => match cell.period.due().filter(|_| running) {
                Some(due) if next_notify.is_none_or(|next| due < next) => {
                    (Some(due), || Event::PeriodicTaskDue)
                }
                _ => (next_notify, || Event::NotifyDue),
            },
        };
        let only_tasks_left = deadline.is_some() && !works && self.only_tasks_left();
        tokio::select! {
            biased;
            () = cell.kill.cancelled() => Event::KillAsked,
            () = cell.stop.cancelled(), if deadline.is_none() => Event::StopAsked,
            () = at(due) => is_due(),
            () = poll(&mut wanted), if running => Event::NotifyDue,
            event = self.next_of_turns(&cell, only_tasks_left) => event,
            // After any event the period is looked at anyway. So this is last, and whoever sets it again
            // and again, on another thread, keeps nothing from its turn.
            () = cell.period.changed(), if running => Event::PeriodChanged,
        }
    }

    async fn next_of_turns(&mut self, cell: &Cell, only_tasks_left: bool) -> Event {
        let own_first = self.own_first;
        let own = async {
            tokio::select! {
                biased;
                result = poll(&mut self.start) => Event::Started(result),
                result = poll(&mut self.periodic_task) => Event::PeriodicTaskEnded(result),
                result = poll(&mut self.stopping) => Event::StoppingHookEnded(result),
                () = cell.tasks_ended(), if only_tasks_left => Event::TasksEnded,
            }
        };
        let builtins = async {
            let takes =
                self.builtins.as_ref().map_or(0, FuturesUnordered::len) < MAX_BUILTINS_RUNNING;
            tokio::select! {
                biased;
                Some(ended) = next_of(&mut self.builtins) => Event::BuiltinEnded(ended),
                Some(envelope) = cell.mailbox.builtins().take(), if takes =>
                    Event::BuiltinCame(envelope),
                else => pending().await,
            }
        };
        match own_first {
            true => first(own, builtins).await,
            false => first(builtins, own).await,
        }
    }

    /// Decides what an event means. `Some` ends the actor.
    fn handle(&mut self, event: Event) -> Option<Cause> {
        match event {
            Event::Started(result) => return self.started(result),
            Event::StopAsked => return self.begin_stop(),
            Event::BuiltinCame(envelope) => {
                if let Some(running) = self.begin(envelope) {
                    self.builtins.get_or_insert_default().push(running);
                }
            }
            Event::BuiltinEnded(ended) => return self.builtin_ended(ended),
            Event::WorkEnded(ended) => {
                self.work = None;
                return work_ended(ended);
            }
            Event::NotifyDue => self.notify(),
            Event::PeriodicTaskDue => self.begin_periodic_task(),
            // The time of the next run is looked at anew.
            Event::PeriodChanged => {}
            Event::PeriodicTaskEnded(result) => self.periodic_task_ended(result),
            Event::StoppingHookEnded(result) => {
                self.stopping = None;
                self.log_failure("stopping hook", result);
            }
            Event::TasksEnded => return Some(Cause::Stopped),
            Event::KillAsked => return Some(KILLED),
            Event::DrainTimeout => {
                tracing::warn!(aid = %self.cx.aid(), "drain timeout: what is in flight is cut");
                return Some(Cause::Stopped);
            }
        }
        None
    }

    fn started(&mut self, result: Unwound<Result<Work>>) -> Option<Cause> {
        self.start = None;
        match result {
            Err(message) => return Some(Cause::Panic(message)),
            Ok(Err(error)) => return Some(Cause::Failed(error.one_line())),
            Ok(Ok(work)) => self.work = Some(caught(work)),
        }
        let _ = self.cx.cell.state.run();
        self.phase = Phase::Running;
        self.cx.cell.period.count_from(Instant::now());
        if self.hooks.periodic_task.is_none() && !self.cx.cell.kind.has_periodic_task {
            // First this: whoever makes the events after the look resumes it.
            self.cx.cell.period.idle();
        }
        if let Some(events) = self.cx.events_made() {
            self.cx.cell.period.resume();
            self.cx.spawn(async move { events.start.fire(()).await });
        }
        // Last: this first notify says that the actor is ready.
        self.notify();
        None
    }

    /// From here on nothing new is let in. What the mailbox holds is still run, beside the
    /// `stopping` hook, until the drain timeout.
    fn begin_stop(&mut self) -> Option<Cause> {
        let started = self.start.is_none();
        let _ = self.cx.cell.state.begin_stop();
        if !started {
            return Some(Cause::Stopped);
        }
        self.cx.cell.period.suspend();
        self.cx.cell.mailbox.messages().close();
        if self.cx.cell.birth.on_stop == OnStop::Refuse {
            self.leave_unrun(&Cause::Stopped);
        }
        // Among them listeners: what nobody takes any more shall be refused.
        self.cx.drop_descriptors();
        let deadline = Instant::now() + self.cx.drain_timeout();
        self.phase = Phase::Stopping { deadline };
        // It notifies no more.
        self.cx.cell.pulse.notify_due(deadline);
        let cx = self.cx.clone();
        let (hook, events) = (self.hooks.stopping.take(), cx.events_made());
        self.stopping = (hook.is_some() || events.is_some()).then(|| {
            let stopping: Caught<Result<()>> = Box::pin(async move {
                let result = match hook {
                    Some(hook) => {
                        let hook = timing(cx.clone(), &"stopping", async move { hook(cx).await });
                        caught(hook).await
                    }
                    None => Ok(Ok(())),
                };
                if let Some(events) = events {
                    // Fired before, where they were made after this state was entered.
                    drop(events.stopping.fire(()).await);
                }
                result
            });
            stopping
        });
        None
    }

    /// Beside the work.
    fn only_tasks_left(&self) -> bool {
        self.builtins
            .as_ref()
            .is_none_or(FuturesUnordered::is_empty)
            && self.stopping.is_none()
    }

    /// Begins a built-in command, or answers it unrun if nobody waits for it any more.
    fn begin(&mut self, envelope: Box<Envelope>) -> Option<Running> {
        let stats = self.cx.cell.mailbox.stats();
        stats.count_here(&stats.received);
        if envelope.is_expired() {
            self.cx.dead_letter(envelope.into(), DeadReason::Expired);
            return None;
        }
        let Named::Free(command) = envelope.command else {
            return None;
        };
        if builtin::is_run(command) {
            if self.runs >= MAX_RUNS {
                stats.count_here(&stats.failed);
                let reason = format!("the actor runs {MAX_RUNS} functions, the most at once");
                envelope.reply.refuse(SendError::Refused { reason });
                return None;
            }
            self.runs += 1;
        }
        let cx = self.cx.called_by(envelope.sender).context();
        let args = envelope.args;
        let work = async move { (command.invoke)(cx, args).await };
        let work = match builtin::is_run(command) {
            true => caught(timing(self.cx.clone(), &command.signature.name, work)),
            // The others are the runtime's own, and hold nothing.
            false => caught(work),
        };
        Some(Running {
            command,
            reply: Some(envelope.reply),
            work,
        })
    }

    /// Answers a built-in command. What `run` runs may panic: then the actor's state is suspect, and
    /// it ends.
    fn builtin_ended(&mut self, ended: Ended) -> Option<Cause> {
        self.runs -= usize::from(builtin::is_run(ended.command));
        let stats = self.cx.cell.mailbox.stats();
        let (outcome, cause) = match ended.result {
            Ok(outcome) => (outcome, None),
            Err(message) => {
                tracing::error!(aid = %self.cx.aid(), command = ended.command.signature.name, message, "command panicked");
                let panicked = SendError::Panicked {
                    message: message.clone(),
                };
                (Outcome::Undelivered(panicked), Some(Cause::Panic(message)))
            }
        };
        stats.count_here(match outcome {
            Outcome::Reply(_) => &stats.replied,
            Outcome::Failure(_) | Outcome::Undelivered(_) => &stats.failed,
        });
        let command = Named::Free(ended.command);
        ended
            .reply
            .send(outcome, |outcome, codec| command.encode(outcome, codec));
        cause
    }

    fn notify(&mut self) {
        let now = Instant::now();
        let wanted = self.reports.wanted();
        let lag = match wanted {
            Some(wanted) => wanted.take(),
            None => now.saturating_duration_since(self.next_notify),
        };
        let lag_us = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX);
        let cell = &self.cx.cell;
        // What a task actor sees of its loop its host sees too, and that speaks for it.
        let owns_loop = cell.birth.placement != Placement::Task;
        let held_us = match owns_loop {
            true => cell.occupation().take_longest_us(),
            false => cell.occupation().longest_us(),
        };
        cell.pulse.note_lag_us(lag_us.max(held_us));
        // A command that has held the loop has been named already.
        if owns_loop && held_us == 0 {
            note_lag(&self.cx, lag);
        }
        if wanted.is_none() {
            self.next_notify = now + self.notify_every;
            cell.pulse.notify_due(self.next_notify);
        }
        if matches!(self.reports, Reports::Here) {
            self.cx.cell.pulse.notified();
        }
        self.reports.notify(|| self.cx.info());
    }

    /// Never two at once: none is due until this one has ended.
    fn begin_periodic_task(&mut self) {
        self.cx.cell.period.suspend();
        if let Some(events) = self.cx.events_made() {
            events.periodic_task.fire(&mut self.cx.clone());
        }
        let cx = self.cx.clone();
        let hook = self.hooks.periodic_task.as_ref();
        let hook = hook.map(|hook| hook(cx.clone()));
        if hook.is_none() && !cx.cell.kind.has_periodic_task {
            self.periodic_task_ended(Ok(Ok(())));
            return;
        }
        self.periodic_task = Some(caught(async move {
            if cx.cell.kind.has_periodic_task {
                cx.cell.mailbox.messages().periodic_task().await;
            }
            match hook {
                Some(hook) => timing(cx.clone(), &"periodic_task", hook).await,
                None => Ok(()),
            }
        }));
    }

    fn periodic_task_ended(&mut self, result: Unwound<Result<()>>) {
        self.periodic_task = None;
        if self.phase == Phase::Running {
            self.cx.cell.period.count_from(Instant::now());
        }
        self.log_failure("periodic task", result);
    }

    /// A callback's error is logged and does not end the actor.
    fn log_failure(&self, what: &str, result: Unwound<Result<()>>) {
        let aid = self.cx.aid();
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%aid, error = error.one_line(), "{what} failed"),
            Err(message) => tracing::error!(%aid, message, "{what} panicked"),
        }
    }

    /// Closes the mailbox and answers all that waits in it. `close` comes first: what is put in
    /// before it is answered here, and what comes after it is given back to its sender, so that
    /// no message lies between.
    fn close_mailbox(&self, cause: &Cause) {
        self.cx.cell.mailbox.builtins().close();
        self.cx.cell.mailbox.messages().close();
        for builtin in self.cx.cell.mailbox.builtins().drain() {
            self.cx
                .dead_letter(builtin.into(), DeadReason::ActorEnded(cause.clone()));
        }
        self.leave_unrun(cause);
    }

    fn leave_unrun(&self, cause: &Cause) {
        for message in self.cx.cell.mailbox.messages().drain() {
            self.cx
                .dead_letter(message, DeadReason::ActorEnded(cause.clone()));
        }
    }

    /// Answers all that is left, with the cause, and lets go of all that the actor held.
    fn finish(&mut self, cause: Cause) -> Cause {
        let cell = &self.cx.cell;
        let cause = match (cell.failure.get(), cause) {
            // It has ended as asked, and it was asked by its own code, for this reason.
            (Some(reason), Cause::Normal | Cause::Stopped) => Cause::Failed(reason.clone()),
            (_, cause) => cause,
        };
        let _ = cell.state.begin_stop();
        // Before the mailbox closes: who finds it closed asks for the cause.
        let _ = cell.cause.set(cause.clone());
        let _ = cell.state.close();
        self.close_mailbox(&cause);
        // What runs answers when it is dropped, with the cause that has been set.
        self.work = None;
        for running in self.builtins.take().into_iter().flatten() {
            running.abandon(&cause);
        }
        cell.end.cancel();
        if let Some(executor) = cell.executor.get() {
            executor.close();
        }
        self.cx.drop_descriptors();
        let _ = cell.state.terminate();
        // Outside of the lock: what the handlers hold may come back here as it goes.
        let events = cell.events.lock().take();
        if let Some(events) = events {
            events.clear();
        }
        cause
    }
}

/// What a future that may panic came to: its value or the panic's message.
type Unwound<T> = std::result::Result<T, String>;
type Caught<T> = BoxFuture<Unwound<T>>;

fn caught<T: 'static>(future: impl Future<Output = T> + Send + 'static) -> Caught<T> {
    // Unwind safe by what follows a panic: the actor ends, or only logs and drops the future.
    let future = AssertUnwindSafe(future).catch_unwind();
    Box::pin(future.map(|result| result.map_err(|panic| panic_message(&*panic).to_owned())))
}

fn work_ended(ended: Unwound<Worked>) -> Option<Cause> {
    match ended {
        Ok(Worked::Drained) => None,
        Ok(Worked::Panicked(message)) | Err(message) => Some(Cause::Panic(message)),
    }
}

/// A built-in command that runs.
struct Running {
    command: &'static CommandDef,
    /// Taken when the work is done.
    reply: Option<ReplyTo>,
    work: Caught<Outcome>,
}

/// One that has ended and is not yet answered.
struct Ended {
    command: &'static CommandDef,
    reply: ReplyTo,
    result: Unwound<Outcome>,
}

impl Running {
    fn abandon(mut self, cause: &Cause) {
        let died = SendError::ActorDied {
            cause: cause.clone(),
        };
        if let Some(reply) = self.reply.take() {
            reply.refuse(died);
        }
    }
}

impl Future for Running {
    type Output = Ended;

    fn poll(mut self: std::pin::Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Ended> {
        self.work.poll_unpin(task).map(|result| Ended {
            command: self.command,
            reply: self.reply.take().unwrap_or_else(ReplyTo::nobody),
            result,
        })
    }
}
