//! Spawning: from a description to a living actor.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pulsar_wire::{Aid, Incarnation};
use serde::Serialize;

use crate::arbiter::{Hooking, Kept, Order, Raised, raise, spawn_from_child};
use crate::node::Node;
use crate::spawn_limits;
use crate::{
    Actor, Anyone, Context, Ending, EventLoop, Executor, OnStop, Overflow, Placement, Proxy,
    RawProxy, RestartPolicy, Role, SendError, SpawnError, SpawnParams, get_actor,
};
use pulsar_actor::runtime::{Behaviour, DEFAULT_CAPACITY, Hooks, LONGEST, Roaming};

/// Describes an actor to spawn: a process, unless said otherwise.
///
/// Awaiting it spawns the actor, and gives a proxy once the actor is ready: it has said hello,
/// its `start` hook has returned, and its first notify has come. It lives once, unless it is
/// [`transient`](Spawn::transient) or [`permanent`](Spawn::permanent), or the worker of a
/// pool.
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// use pulsar::{Context, spawn};
///
/// async fn on_start(cx: Context, port: u16) -> pulsar::Result<()> {
///     cx.set_extra("port", port);
///     Ok(())
/// }
///
/// # async fn example() -> pulsar::Result<()> {
/// let greeter = spawn().name("greeter").start(on_start, 8060).await?;
/// # Ok(())
/// # }
/// ```
pub fn spawn() -> Spawn {
    Spawn::new(Behaviour::default())
}

/// The spawn of an actor of a type. For the expansion of `#[pulsar::actor]`.
#[doc(hidden)]
pub fn spawn_actor<A: Roaming>(args: &A::Start) -> Spawn<A> {
    match Behaviour::of_actor::<A>(args) {
        Ok(behaviour) => Spawn::new(behaviour),
        Err(mistake) => Spawn {
            mistake: Some(mistake),
            ..Spawn::new(Behaviour::default())
        },
    }
}

/// The spawn of a local actor, on a thread unless said otherwise. For the expansion of
/// `#[pulsar::actor(local)]`.
#[doc(hidden)]
pub fn spawn_local_actor<A: Actor>(args: A::Start) -> Spawn<A> {
    let spawn = Spawn {
        local: Some(Box::new(|| Hooks::of_actor::<A>(args))),
        ..Spawn::new(Behaviour::default())
    };
    spawn.placement(Placement::Thread)
}

/// An actor that is described and not yet spawned.
#[must_use = "nothing is spawned until this is awaited"]
pub struct Spawn<A: Actor = Anyone> {
    pub(crate) spec: SpawnParams,
    /// Whether it is restarted, if anything was said of that.
    restart_said: Option<RestartPolicy>,
    pub(crate) behaviour: Behaviour,
    /// What begins a local actor, whose `start` and its arguments do not travel.
    local: Option<Box<dyn FnOnce() -> Hooks + Send>>,
    descriptors: Vec<(String, Arc<OwnedFd>)>,
    /// What is wrong with the description; told when it is awaited.
    mistake: Option<SpawnError>,
    actor: PhantomData<fn() -> A>,
}

impl<A: Actor> Spawn<A> {
    fn new(behaviour: Behaviour) -> Self {
        Self {
            spec: SpawnParams::new(DEFAULT_CAPACITY),
            restart_said: None,
            behaviour,
            local: None,
            descriptors: Vec::new(),
            mistake: None,
            actor: PhantomData,
        }
    }
}

/// What local actors cannot have. The condition stands at each method, where it can say so.
impl<A: Actor> Spawn<A> {
    /// In a process of its own: the default.
    pub fn process(self) -> Self
    where
        A: Roaming,
    {
        self.placement(Placement::Process)
    }

    /// Restarts the actor if it does not end in order. Its place, name and proxies stay; what was
    /// queued or in flight when it ended fails, and its state begins anew with its `start`.
    pub fn transient(self) -> Self
    where
        A: Roaming,
    {
        self.restart(RestartPolicy::Transient)
    }

    /// Restarts the actor however it ended, also after the command [`stop`](crate::stop), until the
    /// arbiter is asked to stop it: by [`Arbiter::stop_actor`](crate::Arbiter::stop_actor), in the
    /// arbiter's process.
    pub fn permanent(self) -> Self
    where
        A: Roaming,
    {
        self.restart(RestartPolicy::Permanent)
    }

    /// Lives once: the default, but for the children of monitors.
    pub fn temporary(self) -> Self
    where
        A: Roaming,
    {
        self.restart(RestartPolicy::Temporary)
    }

    /// Whether the actor is restarted; by default it lives once. Restarts wait longer each time and
    /// end at a limit, as those of a pool of one do. One whose first life was never
    /// ready is not restarted. Children of monitors are restarted by their monitor, by default always.
    pub fn restart(mut self, policy: RestartPolicy) -> Self
    where
        A: Roaming,
    {
        self.spec.restart = policy;
        self.restart_said = Some(policy);
        self
    }

    /// Ends after which the actor is not restarted, whatever its restart policy says; those that were
    /// said before count too. An actor that exits with `Ending::Code(3)` because its settings make no
    /// sense would do so again and again.
    ///
    /// ```no_run
    /// # use pulsar_core as pulsar;
    /// use pulsar::{Ending, spawn};
    ///
    /// # async fn example() -> pulsar::Result<()> {
    /// let importer = spawn().permanent().final_after([Ending::Code(3), Ending::OutOfMemory]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn final_after(mut self, ends: impl IntoIterator<Item = Ending>) -> Self
    where
        A: Roaming,
    {
        self.spec.final_after.extend(ends);
        self
    }

    /// The same description, of an actor of which only the runtime knows the type.
    pub fn untyped(self) -> Spawn
    where
        A: Roaming,
    {
        Spawn {
            spec: self.spec,
            restart_said: self.restart_said,
            behaviour: self.behaviour,
            local: None,
            descriptors: self.descriptors,
            mistake: self.mistake,
            actor: PhantomData,
        }
    }
}

impl<A: Roaming> Clone for Spawn<A> {
    fn clone(&self) -> Self {
        Self {
            spec: self.spec.clone(),
            restart_said: self.restart_said,
            behaviour: self.behaviour.clone(),
            local: None,
            descriptors: self.descriptors.clone(),
            mistake: self.mistake.clone(),
            actor: PhantomData,
        }
    }
}

impl<A: Actor> fmt::Debug for Spawn<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Spawn");
        shown.field("name", &self.spec.name);
        shown.field("placement", &self.spec.placement);
        shown.finish_non_exhaustive()
    }
}

impl<A: Actor> Spawn<A> {
    /// Names the actor: up to 64 ASCII letters, digits and `-_.:`, not of the form of an id. Among
    /// the living a name is unique; `arbiter` and `monitor` are taken.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.spec.name = name.into();
        self
    }

    /// On a thread of its own, in the arbiter's process.
    pub fn thread(self) -> Self {
        self.placement(Placement::Thread)
    }

    /// As a task on the loop of the actor that spawns it.
    pub fn task(self) -> Self {
        self.placement(Placement::Task)
    }

    /// As a process that is made by executing the program's file anew, rather than by a fork of the template process.
    /// That takes some three times as long; the process then has an address layout, hash seeds and
    /// generators of random numbers of its own, which forks share. Of other placements it says nothing.
    ///
    /// ```no_run
    /// # use pulsar_core as pulsar;
    /// # async fn example() -> pulsar::Result<()> {
    /// let keeper_of_keys = pulsar::spawn().name("keys").exec().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn exec(mut self) -> Self
    where
        A: Roaming,
    {
        self.spec.by_exec = true;
        self
    }

    /// In this placement. A local actor is refused a process when it is spawned.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.spec.placement = placement;
        self
    }

    /// Gives the actor a value under a name, by which its code asks for it: see
    /// [`Context::param`]. All of them travel with its boot record, so they are for small things.
    pub fn param(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let name = name.into();
        let value = serde_json::to_value(value).map_err(|error| SpawnError::Hook {
            message: format!("the parameter {name} cannot be written: {error}"),
        });
        let set = value.map(|value| self.spec.params.insert(name, value));
        self.keep_mistake(set)
    }

    /// Gives the actor a duplicate of a descriptor, under a name by which it asks for it. At
    /// most 64, with the [`SharedBytes`](crate::SharedBytes) that it begins with.
    pub fn descriptor(mut self, name: impl Into<String>, descriptor: Arc<OwnedFd>) -> Self {
        self.descriptors.push((name.into(), descriptor));
        self
    }

    /// Messages that may wait in the actor's mailbox, at least 1; by default 1,024.
    pub fn mailbox_capacity(mut self, messages: usize) -> Self {
        self.spec.mailbox_capacity = messages;
        self
    }

    /// What happens to a message that finds the mailbox full; by default its sender waits.
    pub fn on_overflow(mut self, overflow: Overflow) -> Self {
        self.spec.overflow = overflow;
        self
    }

    /// What happens to the messages that wait when the actor is asked to stop; by default they
    /// are still run.
    pub fn on_stop(mut self, on_stop: OnStop) -> Self {
        self.spec.on_stop = on_stop;
        self
    }

    /// How long the actor has from its making to its first notify; by default 30 s.
    pub fn boot_timeout(mut self, timeout: Duration) -> Self {
        self.spec.boot_timeout = Some(timeout.min(LONGEST));
        self
    }

    /// How long the actor has from being asked to stop to being killed; by default 10 s.
    pub fn exit_timeout(mut self, timeout: Duration) -> Self {
        self.spec.exit_timeout = Some(timeout.min(LONGEST));
        self
    }

    /// How long the actor may be silent, at least 1 s; by default 30 s. It notifies its manager about
    /// three times as often, at least every 10 s. A process that is silent for longer gets ABRT, so
    /// that a core can tell why, and KILL a second later; a thread is abandoned, as nothing else can
    /// end it. Both end with [`Cause::HeartbeatTimeout`](crate::Cause::HeartbeatTimeout). A task has
    /// its host's loop, and is not judged by itself.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.spec.timeout = Some(timeout.min(LONGEST));
        self
    }

    /// How many threads the actor's [executor](Context::executor) has, from 1 to
    /// [`Executor::MAX_THREADS`]; by default as many as there are cores.
    pub fn thread_workers(mut self, threads: usize) -> Self {
        let most = Executor::MAX_THREADS;
        self.spec.thread_workers = Some(threads);
        let set = match threads {
            threads if (1..=most).contains(&threads) => Ok(()),
            threads => Err(SpawnError::Limit {
                message: format!(
                    "thread_workers is {threads}: an executor has 1 to {most} threads"
                ),
            }),
        };
        self.keep_mistake(set)
    }

    /// What a request to the arbiter carries of it; descriptors cannot travel so.
    pub(crate) fn into_parts(self) -> Parts {
        (self.spec, self.behaviour, !self.descriptors.is_empty())
    }

    /// Lets go of the descriptors: nothing more will be spawned from this description.
    #[doc(hidden)]
    pub fn drop_descriptors(&mut self) {
        self.descriptors.clear();
    }

    #[doc(hidden)]
    pub fn spec(&self) -> &SpawnParams {
        &self.spec
    }

    /// Whether it is restarted, if anything was said of that.
    #[doc(hidden)]
    pub fn restart_said(&self) -> Option<RestartPolicy> {
        self.restart_said
    }

    /// Looks for what is wrong with the description.
    ///
    /// # Errors
    ///
    /// That.
    #[doc(hidden)]
    pub fn check(&self) -> Result<(), SpawnError> {
        if let Some(mistake) = &self.mistake {
            return Err(mistake.clone());
        }
        let most = pulsar_sys::descriptors::MAX_DESCRIPTORS;
        if self.descriptors.len() > most {
            return Err(SpawnError::Limit {
                message: format!("an actor is given at most {most} descriptors"),
            });
        }
        spawn_limits::check(&mut self.spec.clone())
    }

    pub(crate) fn keep_mistake(mut self, set: Result<(), SpawnError>) -> Self {
        self.mistake = self.mistake.or(set.err());
        self
    }

    /// Begins to spawn, and tells the actor's id at once.
    ///
    /// # Errors
    ///
    /// What can be told before the actor's own part: mistakes in the description,
    /// [`SpawnError::BadName`], [`SpawnError::NameTaken`], [`SpawnError::NoEntry`], [`SpawnError::Limit`].
    pub fn begin(self) -> Result<Spawning<A>, SpawnError> {
        let node = Node::current().ok_or(SpawnError::NoEntry)?;
        let spawner = get_actor().ok_or(SpawnError::NotAnActor)?;
        let mut described = self.checked()?;
        described.amend(&spawner);
        let is_task = described.spec.placement == Placement::Task;
        if is_task && EventLoop::request_loop().is_some() {
            return Err(SpawnError::Unsupported {
                message:
                    "a task actor runs on its spawner's event loop: spawn it there, and not in a \
                          job of the executor"
                        .to_owned(),
            });
        }
        if described.local.is_some() && described.spec.restart != RestartPolicy::Temporary {
            // Only an `on_params` hook can have said so: the types do not let others.
            return Err(SpawnError::Unsupported {
                message: "a local actor lives once: have the `on_params` hook leave its restarts"
                    .to_owned(),
            });
        }
        if described.local.is_some() && !is_task && node.master().is_none() {
            return Err(SpawnError::Unsupported {
                message: "a process actor spawns local actors as tasks".to_owned(),
            });
        }
        let aid = match is_task {
            true => node.new_task(spawner.aid()),
            false => node.new_place()?,
        };
        let proxy = RawProxy::new(aid, &described.spec.name).into();
        let ready: Ready = match node.master() {
            None if !is_task => {
                // A task of its own: the actor is asked for whether or not this is awaited.
                let asking = tokio::spawn(spawn_from_child(node, aid, described.into_parts()));
                Box::pin(async move { asking.await.unwrap_or_else(|_| Err(gone())) })
            }
            _ => {
                let raised = described.raise(&node, aid, &spawner)?;
                Box::pin(async move { raised.ready.await.unwrap_or_else(|_| Err(gone())) })
            }
        };
        Ok(Spawning { proxy, ready })
    }

    /// The description, if nothing is wrong with it.
    fn checked(self) -> Result<Self, SpawnError> {
        self.check().map(|()| self)
    }

    /// Has the spawner's `on_params` hook change what is said.
    fn amend(&mut self, spawner: &Context) {
        spawner.amend_params(&mut self.spec);
        self.spec.bound_times(LONGEST);
    }

    fn raise(self, node: &Arc<Node>, aid: Aid, spawner: &Context) -> Result<Raised, SpawnError> {
        if self.spec.restart == RestartPolicy::Temporary {
            return raise(node, self.order(aid, spawner)?);
        }
        // A task is managed by the actor on whose loop it runs, others by the arbiter.
        let manager = match self.spec.placement {
            Placement::Task => spawner.aid().host(),
            _ => node.arbiter(),
        };
        let kept = Kept {
            aid,
            manager,
            spec: self.spec,
            behaviour: self.behaviour,
            descriptors: self.descriptors,
        };
        kept.raise(node)
    }

    fn order(self, aid: Aid, spawner: &Context) -> Result<Order, SpawnError> {
        let node = Node::of(spawner);
        let hooking = match self.local {
            None => Hooking::Portable(Box::new(self.behaviour)),
            Some(local) => Hooking::Native(self.behaviour.resolve()?.beginning_as(local())),
        };
        Ok(Order {
            aid,
            incarnation: Incarnation::FIRST,
            // A task is managed by the actor on whose loop it runs, others by the arbiter.
            manager: match self.spec.placement {
                Placement::Task => spawner.aid().host(),
                _ => node.arbiter(),
            },
            spec: self.spec,
            hooking,
            descriptors: self.descriptors,
            role: Role::Actor,
            monitor: None,
            keep_place: false,
        })
    }

    /// The order for one life of a monitor's worker.
    ///
    /// # Errors
    ///
    /// The mistake in the description, if there is one.
    pub(crate) fn worker_order(
        self,
        aid: Aid,
        incarnation: Incarnation,
        monitor: &Context,
    ) -> Result<Order, SpawnError> {
        let mut described = self.checked()?;
        described.amend(monitor);
        Ok(Order {
            aid,
            incarnation,
            spec: described.spec,
            hooking: Hooking::Portable(Box::new(described.behaviour)),
            descriptors: described.descriptors,
            manager: monitor.aid(),
            role: Role::Worker,
            monitor: Some(monitor.name().to_owned()),
            keep_place: true,
        })
    }
}

/// A description without its types, and whether it had descriptors.
pub(crate) type Parts = (SpawnParams, Behaviour, bool);

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Whether this can be an actor's name: up to 64 ASCII letters, digits and `-_.:`. One word, as one
/// types it, without what shells and patterns use.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain)
}

/// The overseer is gone: the runtime is being taken down.
pub(crate) fn gone() -> SpawnError {
    SpawnError::Arbiter(SendError::NotRunning)
}

impl<A: Actor> IntoFuture for Spawn<A> {
    type Output = Result<Proxy<A>, SpawnError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.begin()?.await })
    }
}

type Ready = Pin<Box<dyn Future<Output = Result<(), SpawnError>> + Send>>;

/// An actor that is being spawned. Awaiting it gives the proxy once the actor is ready; dropping
/// it does not end the actor.
#[must_use = "whether the actor gets ready is told to whoever awaits this"]
pub struct Spawning<A: Actor = Anyone> {
    proxy: Proxy<A>,
    ready: Ready,
}

impl<A: Actor> Spawning<A> {
    /// The actor's id, known before it lives.
    pub fn aid(&self) -> Aid {
        self.proxy.aid()
    }
}

impl<A: Actor> IntoFuture for Spawning<A> {
    type Output = Result<Proxy<A>, SpawnError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.ready.await.map(|()| self.proxy) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_ends_add_up_in_what_hooks_and_monitors_see() {
        let described = spawn().final_after([Ending::Code(3)]);
        assert_eq!(described.spec().final_after, [Ending::Code(3)]);
        let described = described.final_after(vec![Ending::OutOfMemory]).untyped();
        let both = [Ending::Code(3), Ending::OutOfMemory];
        assert_eq!(described.spec().final_after, both);
    }
}
