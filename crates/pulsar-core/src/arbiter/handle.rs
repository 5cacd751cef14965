//! The arbiter as programs see it.

use std::sync::Arc;
use std::time::Duration;

use pulsar_wire::Aid;
use tokio::time::Instant;

use super::{HaltError, ScaleError, listing, shutdown, start, steering};
use crate::node::Node;
use crate::{ActorStatus, Cause, Context, Info, SendError, State, Target, get_actor};
use pulsar_child::LogConfig;
use pulsar_link::LinkPolicy;

/// The arbiter's handle in this process. Before the arbiter runs it is there too, and
/// [`is_running`](Arbiter::is_running) is false.
pub fn arbiter() -> Arbiter {
    Arbiter { _private: () }
}

/// The arbiter of the system that this process belongs to.
///
/// In the arbiter's own process all methods work. Elsewhere the arbiter is reached by messages,
/// as any actor is, and this handle knows only who lives in the same process.
///
/// A handle that was made before the arbiter runs is as good as one that is made later.
#[derive(Clone, Copy, Debug)]
pub struct Arbiter {
    _private: (),
}

impl Arbiter {
    /// True once the arbiter takes commands, until it is asked to stop.
    pub fn is_running(&self) -> bool {
        let Some(node) = Node::current() else {
            return false;
        };
        let is_running = |cx: Context| cx.state() == State::Running;
        match node.master() {
            Some(_) => node.owner().is_some_and(is_running),
            // Its process ends with the arbiter.
            None => true,
        }
    }

    /// The arbiter's id, once there is one.
    pub fn aid(&self) -> Option<Aid> {
        Node::current().map(|node| node.arbiter())
    }

    /// Asks the arbiter to stop: it stops all actors, then the program ends. Returns at once.
    /// Said before the arbiter runs, it ends as soon as it does.
    pub fn stop(&self) {
        if !start::stop_before()
            && let Some(cx) = self.context()
        {
            cx.stop();
        }
    }

    /// As [`halt`](crate::halt), from anywhere in the arbiter's process, also outside of any actor; in
    /// other processes as from the actor that the process belongs to.
    ///
    /// ```no_run
    /// # use pulsar_core as pulsar;
    /// // A thread of the program's own.
    /// std::thread::spawn(|| pulsar::arbiter().halt(3));
    /// ```
    ///
    /// # Errors
    ///
    /// [`HaltError::Arbiter`] if no arbiter runs, or it cannot be told.
    pub fn halt(&self, code: u8) -> Result<(), HaltError> {
        let node = Node::current().ok_or(SendError::NotRunning)?;
        let caller = get_actor().map_or(node.here, |cx| cx.aid());
        super::halt_by(&node, caller, code)
    }

    /// Says how the processes of this system speak with each other: those that are made from now on. In
    /// other processes, and before the arbiter runs, it does nothing.
    ///
    /// ```no_run
    /// # use pulsar_core as pulsar;
    /// use pulsar::{LinkPolicy, arbiter};
    ///
    /// // No actor takes a processor for itself while it waits for the next message.
    /// let poll = std::time::Duration::ZERO;
    /// arbiter().set_link_policy(LinkPolicy { poll, ..LinkPolicy::default() });
    /// ```
    pub fn set_link_policy(&self, policy: LinkPolicy) {
        if let Some(node) = Node::current().filter(|node| node.master().is_some()) {
            *node.links.lock() = policy;
        }
    }

    /// Leaves TERM, INT and QUIT to the program. Else the arbiter obeys them: the first asks it to stop,
    /// as [`stop`](Self::stop) does, a further one kills all actors. It is for programs that listen to
    /// them by themselves, as those of the application layer do; in other processes it does nothing.
    ///
    /// ```no_run
    /// # use pulsar_core as pulsar;
    /// #[pulsar::main]
    /// async fn main() -> pulsar::Result<()> {
    ///     pulsar::arbiter().leave_signals();
    ///     // … a program that listens to signals by itself …
    ///     Ok(())
    /// }
    /// ```
    pub fn leave_signals(&self) {
        if let Some(master) = Node::current().as_ref().and_then(|node| node.master()) {
            master.leave_signals();
        }
    }

    /// Waits until the arbiter is asked to stop; for ever in other processes than its own.
    pub async fn stop_asked(&self) {
        match self.context() {
            Some(cx) => cx.stop_asked().await,
            None => std::future::pending().await,
        }
    }

    /// Sets what this process and those made from now on log.
    pub fn log(&self, config: LogConfig) {
        config.init();
        let Some(node) = Node::current() else {
            // It may have come to be meanwhile.
            if let (Some(config), Some(node)) = (start::log_before(config), Node::current()) {
                let _ = node.log.set(config);
            }
            return;
        };
        // The first setting stays: children that live already have it.
        let _ = node.log.set(config);
    }

    /// All actors that the arbiter knows, itself first, the others by their places; in other processes
    /// those that live there. It waits for nobody.
    pub fn actors(&self) -> Vec<ActorStatus> {
        Node::current().map_or_else(Vec::new, |node| listing::all(&node))
    }

    /// An actor's last info, as its last notify brought it.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownActor`], or [`SendError::Restarting`] before its first notify.
    pub fn last_info(&self, target: &Target) -> Result<Info, SendError> {
        let node = Node::current().ok_or(SendError::NotRunning)?;
        let aid = self.find(target)?;
        if let Some(cx) = self.context().filter(|cx| cx.aid() == aid) {
            return Ok(cx.info());
        }
        let registry = node.registry.lock();
        let entry = registry.get(aid);
        let told = entry.and_then(|entry| entry.news(Instant::now()));
        if let Some((_, info)) = told {
            return Ok(info.clone());
        }
        let task = entry.and_then(|entry| entry.task().cloned());
        drop(registry);
        let ready = task.filter(|task| task.cell().pulse.notified_ago().is_some());
        let until = Duration::ZERO;
        ready
            .map(|task| task.info())
            .ok_or(SendError::Restarting { until })
    }

    /// The id of an actor that the arbiter knows, by proxy, id or name.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownActor`] or [`SendError::NotRunning`].
    pub fn find(&self, target: &Target) -> Result<Aid, SendError> {
        let node = Node::current().ok_or(SendError::NotRunning)?;
        let registry = node.registry.lock();
        let aid = match target {
            Target::Aid(aid) => Some(*aid),
            Target::Name(name) if name == "arbiter" => Some(node.arbiter()),
            Target::Name(name) => registry.named(name).or_else(|| node.parse(name)),
        };
        aid.filter(|aid| registry.get(*aid).is_some())
            .ok_or_else(|| SendError::UnknownActor {
                target: target.to_string(),
            })
    }

    /// Asks an actor to stop and waits for its end: TERM and KILL follow within its exit timeout. It stays
    /// stopped, whatever its restart policy or its monitor's; the worker of a pool begins anew when the pool
    /// is [scaled](Self::scale).
    /// The arbiter itself is only asked: whoever waits for its end does so elsewhere.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownActor`]; [`SendError::Timeout`] if it cannot be ended.
    pub async fn stop_actor(&self, target: impl Into<Target>) -> Result<(), SendError> {
        let node = self.master_node()?;
        let aid = self.find(&target.into())?;
        if aid == node.arbiter() {
            self.stop();
            return Ok(());
        }
        let exit_timeout = node
            .registry
            .lock()
            .get(aid)
            .map(|entry| entry.birth.exit_timeout);
        let after = exit_timeout.unwrap_or_default() + shutdown::MARGIN;
        match shutdown::stop_one(&node, aid, Instant::now() + after).await {
            true => Ok(()),
            false => Err(SendError::Timeout { after }),
        }
    }

    /// Sets how many workers a pool has, and waits until it has that many: how many are ready then. See
    /// `MonitorHandle::scale`.
    ///
    /// # Errors
    ///
    /// [`ScaleError`].
    pub async fn scale(
        &self,
        pool: impl Into<Target>,
        workers: usize,
    ) -> Result<usize, ScaleError> {
        let target = pool.into();
        let not_a_pool = |_| ScaleError::NotAPool {
            target: target.to_string(),
        };
        let node = self.master_node().map_err(not_a_pool)?;
        let aid = self.find(&target).map_err(not_a_pool)?;
        steering::scale(&node, aid, workers).await
    }

    /// Kills an actor and waits for its end. A thread cannot be killed: it is abandoned.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownActor`]; [`SendError::Refused`] for the arbiter itself;
    /// [`SendError::Timeout`] if the kernel does not end it.
    pub async fn kill_actor(&self, target: impl Into<Target>) -> Result<(), SendError> {
        let node = self.master_node()?;
        let aid = self.find(&target.into())?;
        if aid == node.arbiter() {
            return Err(SendError::Refused {
                reason: "the arbiter does not kill itself; ask it to stop".to_owned(),
            });
        }
        match shutdown::kill_one(&node, aid).await {
            true => Ok(()),
            false => Err(SendError::Timeout {
                after: shutdown::MARGIN,
            }),
        }
    }

    /// Waits for the end of an actor's current life, and tells how it ended.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownActor`] if the arbiter does not know it (any more).
    pub async fn ended(&self, target: impl Into<Target>) -> Result<Cause, SendError> {
        let node = Node::current().ok_or(SendError::NotRunning)?;
        let target = target.into();
        let aid = self.find(&target)?;
        let unknown = || SendError::UnknownActor {
            target: target.to_string(),
        };
        let mut end = node.registry.lock().watch_end(aid).ok_or_else(unknown)?;
        let cause = end.wait_for(Option::is_some).await.map_err(|_| unknown())?;
        Ok(cause.clone().unwrap_or(Cause::Unknown))
    }

    /// The node, in the arbiter's process.
    fn master_node(&self) -> Result<Arc<Node>, SendError> {
        let node = Node::current().ok_or(SendError::NotRunning)?;
        match node.master() {
            Some(_) => Ok(node),
            None => Err(SendError::Refused {
                reason: "actors are ended from the arbiter's process; elsewhere send them `stop`"
                    .to_owned(),
            }),
        }
    }

    /// The arbiter's own handle, in its process.
    fn context(&self) -> Option<Context> {
        let node = Node::current().filter(|node| node.master().is_some())?;
        node.owner()
    }
}
