//! What others may tell a monitor that runs.

use std::collections::HashMap;

use parking_lot::Mutex;
use pulsar_policy::GroupStatus;
use pulsar_wire::Aid;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::node::Node;

/// The most workers of a pool: far more processes than a machine bears, and few enough to be counted.
pub const MAX_WORKERS: usize = 10_000;

/// A word to a monitor's keeper.
#[derive(Debug)]
pub enum Steering {
    /// So many workers.
    Scale {
        /// How many.
        workers: usize,
        /// Told when the policy has heard it.
        heard: oneshot::Sender<()>,
    },
    /// The child in this place is to stop, and to stay stopped.
    StopChild {
        /// Which.
        aid: Aid,
        /// Dropped when its place has been given up.
        left: oneshot::Sender<()>,
    },
}

/// The monitors of this process, and how to tell them something.
#[derive(Debug, Default)]
pub struct Keepers(Mutex<HashMap<Aid, Post>>);

/// The place of a monitor.
#[derive(Debug)]
enum Post {
    /// It runs.
    Held(Reach),
    /// It is between two lives; these of its children are to stay stopped then.
    Vacant(Vec<Aid>),
}

/// How a monitor is told something.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Words to it.
    pub steering: mpsc::Sender<Steering>,
    /// How its children do.
    pub status: watch::Receiver<GroupStatus>,
    /// Whether its size can change.
    pub is_pool: bool,
}

impl Keepers {
    /// A monitor runs. Which of its children were told to stay stopped while it did not.
    pub fn enter(&self, aid: Aid, reach: Reach) -> Vec<Aid> {
        match self.0.lock().insert(aid, Post::Held(reach)) {
            Some(Post::Vacant(stopped)) => stopped,
            Some(Post::Held(_)) | None => Vec::new(),
        }
    }

    /// It has ended. It may live again.
    pub fn leave(&self, aid: Aid) {
        if let Some(post) = self.0.lock().get_mut(&aid) {
            *post = Post::Vacant(Vec::new());
        }
    }

    /// It will not live again.
    pub fn forget(&self, aid: Aid) {
        self.0.lock().remove(&aid);
    }

    fn of(&self, aid: Aid) -> Option<Reach> {
        match self.0.lock().get(&aid) {
            Some(Post::Held(reach)) => Some(reach.clone()),
            Some(Post::Vacant(_)) | None => None,
        }
    }

    /// Has the monitor stop a child for good, and waits until it has; one between two lives is told when the
    /// next begins. False if there is no such monitor.
    pub(super) async fn stop_child(&self, monitor: Aid, aid: Aid) -> bool {
        let reach = match self.0.lock().get_mut(&monitor) {
            Some(Post::Held(reach)) => reach.clone(),
            Some(Post::Vacant(stopped)) => {
                if !stopped.contains(&aid) {
                    stopped.push(aid);
                }
                return true;
            }
            None => return false,
        };
        let (left, leaving) = oneshot::channel();
        let word = Steering::StopChild { aid, left };
        let told = reach.steering.send(word).await;
        // Nothing is ever sent: its place was given up, or the monitor ends with all its children.
        let _ = leaving.await;
        told.is_ok()
    }
}

/// Why a pool has not got its new size.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ScaleError {
    /// No pool runs there.
    #[error(
        "{target} is no pool that runs here: `ps` shows the monitors; ask in the arbiter's process"
    )]
    NotAPool {
        /// Who was asked.
        target: String,
    },
    /// More than a pool may have.
    #[error("{workers} workers are more than the {MAX_WORKERS} that a pool may have")]
    TooMany {
        /// How many were asked for.
        workers: usize,
    },
    /// The pool gave up on its way there.
    #[error("the pool has given up: {reason}")]
    GaveUp {
        /// Why.
        reason: String,
    },
    /// Somebody else has set another size meanwhile.
    #[error("the pool was scaled to {workers} meanwhile")]
    Overridden {
        /// The size that is wanted now.
        workers: usize,
    },
    /// The pool ended on its way there.
    #[error("the pool has ended")]
    Ended,
}

impl ScaleError {
    /// The bare name of the variant, as tools show it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotAPool { .. } => "NotAPool",
            Self::TooMany { .. } => "TooMany",
            Self::GaveUp { .. } => "GaveUp",
            Self::Overridden { .. } => "Overridden",
            Self::Ended => "Ended",
        }
    }
}

/// Sets the size of a pool of this process, and waits until it has that; how many are ready then: all but
/// those that have ended for good meanwhile.
///
/// # Errors
///
/// [`ScaleError`].
pub(super) async fn scale(node: &Node, pool: Aid, workers: usize) -> Result<usize, ScaleError> {
    if workers > MAX_WORKERS {
        return Err(ScaleError::TooMany { workers });
    }
    let reach = node.master().and_then(|master| master.keepers.of(pool));
    let not_a_pool = || ScaleError::NotAPool {
        target: pool.to_string(),
    };
    let reach = reach.filter(|reach| reach.is_pool).ok_or_else(not_a_pool)?;
    let (heard, hearing) = oneshot::channel();
    let word = Steering::Scale { workers, heard };
    reach
        .steering
        .send(word)
        .await
        .map_err(|_| ScaleError::Ended)?;
    hearing.await.map_err(|_| ScaleError::Ended)?;
    let mut status = reach.status;
    let settled = status
        .wait_for(|status| {
            let done = status.ready == status.wanted && status.living == status.wanted;
            status.stopping || status.size != workers || done
        })
        .await
        .map_err(|_| ScaleError::Ended)?;
    match &settled.gave_up {
        Some(reason) => Err(ScaleError::GaveUp {
            reason: reason.clone(),
        }),
        None if settled.stopping => Err(ScaleError::Ended),
        None if settled.size != workers => Err(ScaleError::Overridden {
            workers: settled.size,
        }),
        None => Ok(settled.ready),
    }
}
