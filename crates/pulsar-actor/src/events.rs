//! The events of an actor's life, to which its code binds handlers.

use std::sync::Arc;

use futures_util::FutureExt;
use pulsar_loop::{ManyTimes, OneTime, Runner};

use crate::{Context, Info, SpawnParams, State};

/// The events of an actor's life, as [`Context::events`] gives them.
///
/// The hooks of its spawn run at the same points, each before the handlers. Those are bound while the
/// actor lives, as many as are wanted, and may capture what they like; an error or a panic of one is
/// logged and keeps nobody from the rest. All are dropped at the actor's end.
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// use pulsar::{Context, Info, Result, spawn};
///
/// async fn on_start(cx: Context, name: String) -> Result<()> {
///     let events = cx.events();
///     let shown = name.clone();
///     events.info.bind(move |info: &mut Info| info.extra.insert("shard", shown.clone()))?;
///     events.stopping.bind(|()| async move { println!("{name} stops") })?;
///     Ok(())
/// }
///
/// # async fn example() -> Result<()> {
/// let shard = spawn().start(on_start, "north".to_owned()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ActorEvents {
    /// The actor has started: it takes commands.
    pub start: OneTime<()>,
    /// It begins to stop. What is bound here is waited for, within the drain timeout, if it was bound
    /// before.
    pub stopping: OneTime<()>,
    /// Its periodic task is due.
    pub periodic_task: ManyTimes<Context>,
    /// Its info is made: handlers may add to it.
    pub info: ManyTimes<Info>,
    /// It is about to spawn another actor: handlers may change with what.
    pub params: ManyTimes<SpawnParams>,
}

impl ActorEvents {
    pub(crate) fn new(cx: &Context) -> Self {
        let event_loop = cx.event_loop();
        let one_time = |name: &str| {
            // It belongs to the actor's cell, and does not keep it.
            let cell = Arc::downgrade(&cx.cell);
            let runner: Runner = Box::new(move |handler| {
                if let Some(cell) = cell.upgrade() {
                    Context::of(cell).spawn(handler);
                }
            });
            OneTime::with_runner(name, event_loop.clone(), runner)
        };
        Self {
            start: one_time("start"),
            stopping: one_time("stopping"),
            periodic_task: ManyTimes::new("periodic_task"),
            info: ManyTimes::new("info"),
            params: ManyTimes::new("params"),
        }
    }

    /// The actor has ended: lets go of all that is bound, whoever still has the events.
    pub(crate) fn clear(&self) {
        self.start.clear();
        self.stopping.clear();
        self.periodic_task.clear();
        self.info.clear();
        self.params.clear();
    }

    /// Fires what has happened by the time that the actor is in this state. Nothing is bound yet.
    pub(crate) fn catch_up(&self, state: State) {
        if state >= State::Running {
            drop(self.start.fire(()).now_or_never());
        }
        if state >= State::Stopping {
            drop(self.stopping.fire(()).now_or_never());
        }
    }
}
