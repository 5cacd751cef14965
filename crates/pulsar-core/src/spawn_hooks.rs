//! The hooks that a spawn says.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Actor, Context, DeadLetter, HookOutput, Info, Spawn, SpawnError, SpawnParams};
use pulsar_actor::runtime::{Behaviour, LONGEST, RemoteFn};

impl Spawn {
    /// Runs `hook` with `args` before the actor is ready. If it fails, the actor ends.
    pub fn start<Args, Fut>(mut self, hook: fn(Context, Args) -> Fut, args: Args) -> Self
    where
        Args: Serialize + DeserializeOwned + Send + 'static,
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        let set = RemoteFn::with_args(hook, &args);
        let set = set.and_then(|hook| self.behaviour.set_start(hook));
        self.keep_mistake(set)
    }
}

impl<A: Actor> Spawn<A> {
    /// Runs `hook` when the actor begins to stop, within its drain timeout.
    pub fn stopping<Fut>(self, hook: fn(Context) -> Fut) -> Self
    where
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        self.hook(RemoteFn::plain(hook), Behaviour::set_stopping)
    }

    /// As [`stopping`](Self::stopping), with arguments.
    pub fn stopping_with<Args, Fut>(self, hook: fn(Context, Args) -> Fut, args: Args) -> Self
    where
        Args: Serialize + DeserializeOwned + Send + 'static,
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        self.hook(RemoteFn::with_args(hook, &args), Behaviour::set_stopping)
    }

    /// Runs `hook` again and again while the actor runs, never two at once: each period is
    /// counted from the end of the run before. An error is logged and ends nothing.
    pub fn periodic_task<Fut>(self, hook: fn(Context) -> Fut) -> Self
    where
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        self.hook(RemoteFn::plain(hook), Behaviour::set_periodic_task)
    }

    /// As [`periodic_task`](Self::periodic_task), with arguments.
    pub fn periodic_task_with<Args, Fut>(self, hook: fn(Context, Args) -> Fut, args: Args) -> Self
    where
        Args: Serialize + DeserializeOwned + Send + 'static,
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        self.hook(
            RemoteFn::with_args(hook, &args),
            Behaviour::set_periodic_task,
        )
    }

    /// Calls `hook` each time that the actor's info is made, so that it adds to it: for the command
    /// `info` and for each notify. It must not block, and is not called within itself. An error is
    /// logged and ends nothing.
    ///
    /// ```no_run
    /// # use pulsar_core as pulsar;
    /// use pulsar::{Context, Info, info, send, spawn};
    ///
    /// fn extra_info(_cx: Context, info: &mut Info) {
    ///     info.extra.insert("message", "Hello");
    /// }
    ///
    /// # async fn example() -> pulsar::Result<()> {
    /// let actor = spawn().on_info(extra_info).await?;
    /// let info = send(&actor, info, ()).await?;
    /// assert_eq!(info.extra.get("message"), Some(&"Hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_info<R: HookOutput + 'static>(self, hook: fn(Context, &mut Info) -> R) -> Self {
        self.hook(RemoteFn::amending(hook), Behaviour::set_on_info)
    }

    /// As [`on_info`](Self::on_info), with arguments.
    pub fn on_info_with<Args, R>(self, hook: fn(Context, &mut Info, Args) -> R, args: Args) -> Self
    where
        Args: Serialize + DeserializeOwned + 'static,
        R: HookOutput + 'static,
    {
        self.hook(RemoteFn::amending_with(hook, &args), Behaviour::set_on_info)
    }

    /// Calls `hook` each time that the actor is about to spawn another: it sees what is said of that
    /// one, and may change it. It must not block, and is not called for what it spawns itself. An error
    /// is logged, and the spawn goes on.
    ///
    /// ```no_run
    /// # use pulsar_core as pulsar;
    /// use pulsar::{Context, SpawnParams, spawn};
    ///
    /// fn same_region(cx: Context, params: &mut SpawnParams) -> pulsar::Result<()> {
    ///     params.params.insert("region", cx.param::<String>("region")?);
    ///     Ok(())
    /// }
    ///
    /// # async fn example() -> pulsar::Result<()> {
    /// let root = spawn().param("region", "north").on_params(same_region).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_params<R: HookOutput + 'static>(
        self,
        hook: fn(Context, &mut SpawnParams) -> R,
    ) -> Self {
        self.hook(RemoteFn::amending(hook), Behaviour::set_on_params)
    }

    /// As [`on_params`](Self::on_params), with arguments.
    pub fn on_params_with<Args, R>(
        self,
        hook: fn(Context, &mut SpawnParams, Args) -> R,
        args: Args,
    ) -> Self
    where
        Args: Serialize + DeserializeOwned + 'static,
        R: HookOutput + 'static,
    {
        self.hook(
            RemoteFn::amending_with(hook, &args),
            Behaviour::set_on_params,
        )
    }

    /// The period of the periodic task, at least a millisecond; by default that of the notifies.
    /// While the actor runs, [`Context::set_period`] changes it, and its setting `period_s`.
    pub fn every(mut self, period: Duration) -> Self {
        self.behaviour.period = Some(period.min(LONGEST));
        self
    }

    /// Calls `hook` for each message to this actor that was not run, after its sender has been
    /// told. It is called where that becomes known, so it must not block; it may be after the
    /// actor's end. Without it dead letters are counted in `info` and logged.
    pub fn on_dead_letter(mut self, hook: fn(Context, DeadLetter)) -> Self {
        let set = self.behaviour.set_dead_letter(hook);
        self.keep_mistake(set)
    }

    /// Sets a hook, if it can travel.
    fn hook(
        mut self,
        hook: Result<RemoteFn, SpawnError>,
        set: fn(&mut Behaviour, RemoteFn),
    ) -> Self {
        let set = hook.map(|hook| set(&mut self.behaviour, hook));
        self.keep_mistake(set)
    }
}
