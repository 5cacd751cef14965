//! A life's hold of its place: from its entry into the registry to its end.

use std::sync::Arc;

use pulsar_wire::{Aid, Incarnation};
use tokio::sync::oneshot;

use super::Order;
use crate::node::Node;
use crate::{Cause, RestartPolicy, Role, SpawnError};

/// One life in its place. Dropped before its time, with the loop it was on, it leaves nobody waiting and no name taken.
pub(crate) struct Tenure {
    pub(crate) node: Arc<Node>,
    pub(crate) aid: Aid,
    pub(crate) incarnation: Incarnation,
    pub(crate) name: String,
    keep_place: bool,
    /// An end in order is its last.
    is_transient: bool,
    ready: Option<oneshot::Sender<Result<(), SpawnError>>>,
    over: bool,
}

impl Tenure {
    /// The tenure of an actor that has been entered; and what resolves when it is ready, or never will be.
    pub(crate) fn new(
        node: &Arc<Node>,
        order: &Order,
    ) -> (Self, oneshot::Receiver<Result<(), SpawnError>>) {
        let (to_ready, ready) = oneshot::channel();
        let tenure = Self {
            node: Arc::clone(node),
            aid: order.aid,
            incarnation: order.incarnation,
            name: order.spec.name.clone(),
            keep_place: order.keep_place,
            is_transient: order.role == Role::Actor
                && order.spec.restart == RestartPolicy::Transient,
            ready: Some(to_ready),
            over: false,
        };
        (tenure, ready)
    }

    /// The first word counts. The spawner may have gone.
    pub(crate) fn resolve(&mut self, result: Result<(), SpawnError>) {
        if let Some(ready) = self.ready.take() {
            drop(ready.send(result));
        }
    }

    /// True until it has been said whether the actor gets ready.
    pub(crate) fn is_unresolved(&self) -> bool {
        self.ready.is_some()
    }

    /// The life did not begin.
    pub(crate) fn never_lived(&mut self, error: SpawnError) {
        self.let_go(&Cause::Failed(error.to_string()), Vec::new());
        self.resolve(Err(error.clone()));
        tracing::error!(aid = %self.aid, name = self.name, %error, "actor not spawned");
    }

    /// The life is over, and this is the last of what its process said on its standard error stream. All that waits for
    /// the dead has been answered before: its place is free from here on, and nobody shall find the next life and take
    /// its silence for the old one's.
    pub(crate) fn ended(&mut self, cause: &Cause, stderr: Vec<String>, spawned: SpawnError) {
        self.let_go(cause, stderr.clone());
        self.resolve(Err(spawned));
        let (aid, name) = (self.aid, &self.name);
        match (cause.is_orderly(), &stderr[..]) {
            (true, _) => tracing::debug!(%aid, name, "actor {cause}"),
            (false, []) => tracing::error!(%aid, name, "actor {cause}"),
            (false, stderr) => tracing::error!(%aid, name, ?stderr, "actor {cause}"),
        }
    }

    /// True once the place has been let go of.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    fn let_go(&mut self, cause: &Cause, stderr: Vec<String>) {
        self.over = true;
        let keep_place = self.keep_place && !(self.is_transient && cause.is_orderly());
        let mut registry = self.node.registry.lock();
        registry.ended(self.aid, cause, stderr, keep_place);
        drop(registry);
        if !keep_place {
            self.node.release_name(self.aid, &self.name);
        }
        self.node.tell_peers(self.aid, self.incarnation, cause);
        if let Some(master) = self.node.master() {
            master.withdraw_places(self.aid);
        }
    }
}

/// What a spawn ends with whose actor ended by `cause` before it was ready.
pub(crate) fn spawn_error(cause: &Cause, boot_timeout: std::time::Duration) -> SpawnError {
    match cause {
        Cause::BootTimeout => SpawnError::BootTimeout {
            after: boot_timeout,
        },
        cause => SpawnError::Died {
            cause: cause.clone(),
        },
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        if !self.over {
            self.let_go(&Cause::Unknown, Vec::new());
        }
    }
}
