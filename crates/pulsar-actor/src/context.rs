//! The handle through which an actor's code knows itself.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use std::time::Duration;

use parking_lot::Mutex;
use pulsar_loop::runtime::{Awaited, LazyToken, Listing, Period, unless_within};
use pulsar_loop::{AsyncObject, EventLoop, Executor};
use pulsar_policy::StateCell;
use pulsar_settings::{Declaration, Settings};
use pulsar_sys::Occupation;
use pulsar_wire::{Aid, Incarnation};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actor::ActorKind;
use crate::current::{scope, serve};
use crate::events::ActorEvents;
use crate::hooks::Amend;
use crate::mailbox::{Mailbox, Unrun};
use crate::system::System;
use crate::{
    ActorInfo, Cause, DeadLetter, DeadReason, Extra, Info, LoopInfo, ParamError, Placement, Proxy,
    SpawnParams, State, panic_message,
};
use pulsar_model::Identity;
use pulsar_reports::Pulse;

/// An actor's own handle: cheap to clone, and given to every hook and command.
#[derive(Clone)]
pub struct Context {
    pub(crate) cell: Arc<Cell>,
    sender: Option<Aid>,
}

/// An actor's handle as one of its commands is given it: made only for a command that takes it.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Called<'a> {
    cx: &'a Context,
    sender: Option<Aid>,
}

impl Called<'_> {
    /// The handle, which knows the sender.
    pub fn context(self) -> Context {
        Context {
            cell: Arc::clone(&self.cx.cell),
            sender: self.sender,
        }
    }
}

/// One incarnation of an actor, as all its handles share it.
pub struct Cell {
    /// Who it is.
    pub birth: Arc<Identity>,
    /// Its type.
    pub kind: &'static ActorKind,
    /// The share of the system that its process has.
    pub system: Arc<dyn System>,
    /// Its mailbox.
    pub mailbox: Mailbox,
    /// The user's hook for messages that were not run.
    pub(crate) on_dead_letter: OnceLock<DeadLetterHook>,
    /// The user's hook that amends the info.
    pub(crate) on_info: OnceLock<Amend<Info>>,
    /// The user's hook that amends what is spawned from here.
    pub(crate) on_params: OnceLock<Amend<SpawnParams>>,
    pub(crate) state: StateCell,
    /// Asked to stop, by whomever. Only ever set.
    pub(crate) stop: LazyToken,
    /// Nobody will answer any more for this incarnation.
    pub gone: LazyToken,
    /// The loop it runs on, once it does.
    pub(crate) event_loop: OnceLock<EventLoop>,
    /// Its CPU threads, once they were asked for.
    pub(crate) executor: OnceLock<Executor>,
    /// Made when its code first asks for them; none again at its end, with all that is bound.
    pub(crate) events: Mutex<Option<ActorEvents>>,
    /// To end now: what is in flight is cut.
    pub kill: LazyToken,
    /// The end of the actor: what it spawned on its loop ends too.
    pub(crate) end: LazyToken,
    /// What it spawned on its loop.
    pub(crate) tasks: OnceLock<TaskTracker>,
    /// Why it is to end as failed, whatever else ends it.
    pub(crate) failure: OnceLock<String>,
    /// How it ended, once it has.
    pub cause: OnceLock<Cause>,
    pub(crate) period: Period,
    pub(crate) settings: Settings,
    /// When it notifies its manager.
    pub pulse: Pulse,
    /// What its loop is busy with; shared with all actors there, once it runs.
    pub(crate) occupation: OnceLock<Arc<Occupation>>,
    pub(crate) thread_id: AtomicI64,
    /// Those who wait for its replies are looked after.
    listing: Listing,
    extra: Mutex<BTreeMap<String, Value>>,
    descriptors: Mutex<HashMap<String, OwnedFd>>,
}

impl Cell {
    /// How late the loop is: what has been seen, or what it is late with by now.
    fn lag_us(&self) -> u64 {
        self.pulse.lag_us().max(self.occupation().longest_us())
    }
}

impl Cell {
    /// Waits for what the actor has spawned on its loop. Where that is nothing there is nothing to wait for.
    pub(crate) async fn tasks_ended(&self) {
        if let Some(tasks) = self.tasks.get() {
            tasks.close();
            tasks.wait().await;
        }
    }
}

impl Awaited for Cell {
    fn listing(&self) -> &Listing {
        &self.listing
    }

    fn wake_all(&self) {
        self.mailbox.messages().wake_callers();
    }
}

/// Told of a message that was not run.
pub type DeadLetterHook = fn(Context, DeadLetter);

impl Context {
    /// The handle of an actor that is about to live.
    #[doc(hidden)]
    pub fn new(
        birth: Arc<Identity>,
        kind: &'static ActorKind,
        system: Arc<dyn System>,
        mailbox: Mailbox,
        descriptors: HashMap<String, OwnedFd>,
    ) -> Self {
        let cell = Cell {
            period: Period::new(birth.notify_every),
            birth,
            kind,
            system,
            mailbox,
            on_dead_letter: OnceLock::new(),
            on_info: OnceLock::new(),
            on_params: OnceLock::new(),
            state: StateCell::default(),
            stop: LazyToken::default(),
            gone: LazyToken::default(),
            event_loop: OnceLock::new(),
            executor: OnceLock::new(),
            events: Mutex::default(),
            kill: LazyToken::default(),
            end: LazyToken::default(),
            tasks: OnceLock::new(),
            failure: OnceLock::new(),
            cause: OnceLock::new(),
            settings: Settings::default(),
            pulse: Pulse::default(),
            occupation: OnceLock::new(),
            thread_id: AtomicI64::default(),
            listing: Listing::default(),
            extra: Mutex::default(),
            descriptors: Mutex::new(descriptors),
        };
        Self {
            cell: Arc::new(cell),
            sender: None,
        }
    }

    /// The handle of the actor of this cell, outside of its commands.
    #[inline]
    pub(crate) fn of(cell: Arc<Cell>) -> Self {
        Self { cell, sender: None }
    }

    /// The same in a command of this sender's.
    #[inline]
    pub(crate) fn called_by(&self, sender: Option<Aid>) -> Called<'_> {
        Called { cx: self, sender }
    }

    /// The actor as all its handles share it, for the layers of the runtime.
    #[doc(hidden)]
    pub fn cell(&self) -> &Arc<Cell> {
        &self.cell
    }

    /// The actor's id.
    #[inline]
    pub fn aid(&self) -> Aid {
        self.cell.birth.aid
    }

    /// The actor's name; empty if it has none.
    pub fn name(&self) -> &str {
        &self.cell.birth.name
    }

    /// Which life in its place this is.
    pub fn incarnation(&self) -> Incarnation {
        self.cell.birth.incarnation
    }

    /// How the actor runs.
    pub fn placement(&self) -> Placement {
        self.cell.birth.placement
    }

    /// Where in its life the actor is.
    pub fn state(&self) -> State {
        self.cell.state.get()
    }

    /// True in the arbiter itself.
    pub fn is_arbiter(&self) -> bool {
        self.aid().place() == Aid::ARBITER_PLACE && self.aid().task() == 0
    }

    /// Who sent the command that runs, where this process can tell by itself: `None` outside of
    /// commands, and for senders in other processes than the manager's own children. Over a direct
    /// link it is the actor of the sending process, also where one of its tasks has sent.
    pub fn sender(&self) -> Option<Aid> {
        self.sender
    }

    /// A reference to this actor, to hand to others.
    pub fn proxy(&self) -> Proxy {
        Proxy::new(self.aid(), self.name())
    }

    /// A reference to the actor's manager.
    pub fn manager(&self) -> Proxy {
        Proxy::new(self.cell.birth.manager, "")
    }

    /// Asks the actor to stop; its hooks run and what is in flight is finished. Returns at once;
    /// further calls do nothing.
    pub fn stop(&self) {
        self.cell.stop.cancel();
    }

    /// Waits until the actor is asked to stop. Tasks that serve for as long as the actor lives
    /// wait for it, finish what they have, and return within [`drain_timeout`](Self::drain_timeout).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it takes nothing.
    pub async fn stop_asked(&self) {
        self.cell.stop.cancelled().await;
    }

    /// Ends the actor in order, and calls that a failure: [`Cause::Failed`] with this reason. The first
    /// reason counts.
    pub fn fail(&self, reason: impl Into<String>) {
        let _ = self.cell.failure.set(reason.into());
        self.stop();
    }

    /// A token that is cancelled when the actor is asked to stop, for code that wants a token.
    /// Cancelling it asks nothing of the actor.
    pub fn stop_token(&self) -> CancellationToken {
        self.cell.stop.token().child_token()
    }

    /// How long after being asked to stop the actor may still work: nine tenths of its exit
    /// timeout, so that it ends by itself before its manager ends it.
    pub fn drain_timeout(&self) -> Duration {
        self.cell.birth.exit_timeout.mul_f64(0.9)
    }

    /// Runs a future on the actor's event loop, as a part of the actor: when the actor is asked
    /// to stop it is waited for, until the drain timeout; after that it is dropped.
    ///
    /// # Panics
    ///
    /// If the actor's loop does not run yet and this is called outside of any loop.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let end = self.cell.end.token().clone();
        let future = async move { end.run_until_cancelled(future).await };
        let future = scope(self.clone(), future);
        let tasks = self.cell.tasks.get_or_init(TaskTracker::new);
        let future = tasks.track_future(future);
        self.event_loop().spawn(future)
    }

    /// The actor's event loop. A task actor shares that of its host.
    ///
    /// # Panics
    ///
    /// If the actor's loop does not run yet and this is called outside of any loop.
    pub fn event_loop(&self) -> EventLoop {
        let own = self.cell.event_loop.get().cloned();
        own.unwrap_or_else(|| match EventLoop::current() {
            Ok(current) => current,
            Err(none) => std::panic::panic_any(none.to_string()),
        })
    }

    /// The actor's CPU threads, for what would hold its event loop: long computation, calls that
    /// block. They are made with the first job, as many as `thread_workers` says at its spawn, and
    /// closed with the actor. What runs in them cannot be stopped, so that a thread may outlive a
    /// thread or task actor until its job has ended.
    ///
    /// # Panics
    ///
    /// As [`event_loop`](Self::event_loop).
    pub fn executor(&self) -> Executor {
        let birth = &self.cell.birth;
        let executor = self.cell.executor.get_or_init(|| {
            let cell = Arc::downgrade(&self.cell);
            Executor::with_thread_start(
                birth.process_name(),
                birth.thread_workers,
                self.event_loop(),
                move || serve(Weak::clone(&cell)),
            )
        });
        // Either this sees that the actor has ended, or its end sees this executor.
        if self.cell.end.is_cancelled() {
            executor.close();
        }
        executor.clone()
    }

    /// The events of the actor's life, to bind handlers to.
    ///
    /// # Panics
    ///
    /// As [`event_loop`](Self::event_loop).
    pub fn events(&self) -> ActorEvents {
        let mut made = self.cell.events.lock();
        if let Some(events) = &*made {
            return events.clone();
        }
        let events = ActorEvents::new(self);
        // A state is entered before its event is looked for, under this lock. So if these events are
        // made too late for that, the state is seen here, where nobody can have bound anything yet.
        let state = self.state();
        events.catch_up(state);
        // At its end the actor lets go of them. Later ones it does not hold: what is bound to them may
        // hold the actor.
        if state < State::Terminated {
            *made = Some(events.clone());
            // One may be bound to the periodic task.
            self.cell.period.resume();
        }
        events
    }

    /// The events, if anything may be bound to them.
    pub(crate) fn events_made(&self) -> Option<ActorEvents> {
        self.cell.events.lock().clone()
    }

    /// Adds a value to the actor's info, or replaces it.
    pub fn set_extra(&self, name: impl Into<String>, value: impl Into<Value>) {
        self.cell.extra.lock().insert(name.into(), value.into());
    }

    /// A descriptor that the spawner gave, as a duplicate; `None` if none has this name.
    ///
    /// # Errors
    ///
    /// The system's, if it cannot be duplicated.
    pub fn descriptor(&self, name: &str) -> std::io::Result<Option<OwnedFd>> {
        self.cell
            .descriptors
            .lock()
            .get(name)
            .map(OwnedFd::try_clone)
            .transpose()
    }

    /// A descriptor that the spawner gave, for good: the actor keeps no copy, so that dropping
    /// this one closes it. `None` if none has this name, or it has been taken before.
    pub fn take_descriptor(&self, name: &str) -> Option<OwnedFd> {
        self.cell.descriptors.lock().remove(name)
    }

    /// A parameter that the actor was spawned with: by `.param(name, value)`, or by an `on_params` hook
    /// of its spawner.
    ///
    /// # Errors
    ///
    /// [`ParamError`] if there is none of this name, or it is no `T`.
    pub fn param<T: DeserializeOwned>(&self, name: &str) -> Result<T, ParamError> {
        let value = self.cell.birth.params.get(name);
        let value = value.ok_or_else(|| ParamError::Missing {
            name: name.to_owned(),
        })?;
        T::deserialize(value).map_err(|error| ParamError::Invalid {
            name: name.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Declares a setting: a value that tools see. The last word of the declaration says whether they
    /// may change it: see [`Setting`](crate::Setting).
    ///
    /// ```no_run
    /// # use pulsar_core as pulsar;
    /// use pulsar::{Context, Result, config_set, send, spawn};
    ///
    /// async fn on_start(cx: Context, _args: ()) -> Result<()> {
    ///     let rate = cx.setting("rate", 10_u32).doc("requests a second").changeable()?;
    ///     cx.spawn(async move {
    ///         let mut rate = rate;
    ///         loop {
    ///             println!("now {} a second", rate.get());
    ///             rate.changed().await;
    ///         }
    ///     });
    ///     Ok(())
    /// }
    ///
    /// # async fn example() -> Result<()> {
    /// let limiter = spawn().start(on_start, ()).await?;
    /// send(&limiter, config_set, ("rate".to_owned(), 20.into())).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn setting<T>(&self, name: impl Into<String>, value: T) -> Declaration<'_, T> {
        self.declare(name.into(), value)
    }

    /// The period of the periodic task.
    pub fn period(&self) -> Duration {
        self.cell.period.get()
    }

    /// Sets the period of the periodic task, at least a millisecond, counted from the end of its last
    /// run. A run that is under way goes on.
    pub fn set_period(&self, period: Duration) {
        self.cell.period.set(period);
    }

    /// The actor's status now, amended by the `on_info` hook and by what is bound to the event.
    pub fn info(&self) -> Info {
        let mut info = self.plain_info();
        if let Some(hook) = self.cell.on_info.get() {
            self.amend("on_info", hook, &mut info);
        }
        if let Some(events) = self.events_made() {
            events.info.fire(&mut info);
        }
        info
    }

    /// Has the `on_params` hook, and what is bound to the event, amend what this actor is about to spawn with.
    #[doc(hidden)]
    pub fn amend_params(&self, params: &mut SpawnParams) {
        if let Some(hook) = self.cell.on_params.get() {
            self.amend("on_params", hook, params);
        }
        if let Some(events) = self.events_made() {
            events.params.fire(params);
        }
    }

    /// A callback's error, or its panic, is logged; what it has done so far stays. Within itself it is
    /// not called.
    fn amend<T>(&self, name: &'static str, hook: &Amend<T>, value: &mut T) {
        // Unwind safe: the value is plain data, and nothing else of ours is used by it.
        let call = || catch_unwind(AssertUnwindSafe(|| hook(self.clone(), value)));
        let Some(amended) = unless_within(&self.cell, name, call) else {
            return;
        };
        let aid = self.aid();
        match amended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%aid, error = error.one_line(), "{name} failed"),
            Err(panic) => {
                tracing::error!(%aid, message = panic_message(&*panic), "{name} panicked");
            }
        }
    }

    fn plain_info(&self) -> Info {
        let (birth, cell) = (&self.cell.birth, &self.cell);
        let next = cell.period.next();
        Info {
            actor: ActorInfo {
                name: birth.name.clone(),
                id: birth.aid.to_string(),
                incarnation: birth.incarnation.0,
                state: self.state(),
                placement: birth.placement,
                uptime_s: cell.pulse.since().elapsed().as_secs_f64(),
                pid: std::process::id(),
                thread_id: cell.thread_id.load(Ordering::Relaxed),
                age: birth.age,
                generation: birth.generation,
                restarts: birth.incarnation.0 - 1,
                next_periodic_task_s: next
                    .map(|at| at.saturating_duration_since(Instant::now()).as_secs_f64()),
            },
            mailbox: cell.mailbox.info(),
            system: cell.system.system_info(),
            event_loop: LoopInfo {
                lag_us: cell.lag_us(),
            },
            executor: cell
                .executor
                .get()
                .map(Executor::status)
                .unwrap_or_default(),
            links: cell.system.links_info(),
            extra: Extra(cell.extra.lock().clone()),
        }
    }

    /// A message was not run: counts and logs it, tells the hook, and answers its sender.
    #[doc(hidden)]
    pub fn dead_letter(&self, message: Unrun, reason: DeadReason) {
        let stats = self.cell.mailbox.stats();
        let before = stats.count(&stats.dead_letters);
        let command = message.command;
        // The first says what is going on; a flood of them shall not flood the log.
        if before == 0 {
            tracing::warn!(aid = %self.aid(), command, %reason, "dead letter; further ones at debug level");
        } else {
            tracing::debug!(aid = %self.aid(), command, %reason, "dead letter");
        }
        let letter = DeadLetter {
            command,
            sender: message.sender,
            reason: reason.clone(),
        };
        message.refuse(self.cell.mailbox.messages(), reason.error());
        let Some(hook) = self.cell.on_dead_letter.get() else {
            return;
        };
        // Unwind safe: nothing of ours is used by it.
        let told = catch_unwind(AssertUnwindSafe(|| hook(self.clone(), letter)));
        if told.is_err() {
            tracing::error!(aid = %self.aid(), "dead letter hook panicked");
        }
    }

    /// Drops the descriptors that the spawner gave: the actor stops, or has ended.
    pub(crate) fn drop_descriptors(&self) {
        self.cell.descriptors.lock().clear();
    }
}

impl AsyncObject for Context {
    fn event_loop(&self) -> EventLoop {
        Self::event_loop(self)
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Context({} {:?})", self.aid(), self.name())
    }
}
