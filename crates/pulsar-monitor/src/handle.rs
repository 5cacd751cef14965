//! A monitor that runs.

use pulsar_policy::GroupStatus;
use tokio::sync::watch;

use pulsar_core::runtime::Nursery;
use pulsar_core::{Proxy, ScaleError};

/// A monitor that runs: a [`Monitor`](crate::Monitor) or a [`Pool`](crate::Pool). Dropping it ends nothing.
#[derive(Clone, Debug)]
pub struct MonitorHandle {
    pub(crate) proxy: Proxy,
    pub(crate) nursery: Nursery,
    pub(crate) status: watch::Receiver<GroupStatus>,
}

impl MonitorHandle {
    /// The monitor.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// How its children are doing.
    pub fn status(&self) -> GroupStatus {
        self.status.borrow().clone()
    }

    /// Waits until a child has been ready. False if the monitor has ended before.
    pub async fn first_ready(&self) -> bool {
        self.comes(|status| status.ever_ready).await
    }

    /// Waits until all children are ready that should be: true at once where none should be. False if the
    /// monitor has ended before.
    pub async fn all_ready(&self) -> bool {
        self.comes(GroupStatus::is_whole).await
    }

    async fn comes(&self, what: impl FnMut(&GroupStatus) -> bool) -> bool {
        self.status.clone().wait_for(what).await.is_ok()
    }

    /// Waits until the monitor has given up, and tells why; `None` if it ended otherwise.
    pub async fn gave_up(&self) -> Option<String> {
        let mut status = self.status.clone();
        let gave_up = status
            .wait_for(|status| status.gave_up.is_some())
            .await
            .ok()?;
        gave_up.gave_up.clone()
    }

    /// Sets how many workers a pool has, and waits until they are ready: how many are. Those too many are stopped,
    /// the highest numbers, all at once. Workers that somebody has stopped are started again. `pulsar scale` and
    /// [`Arbiter::scale`](pulsar_core::Arbiter::scale) do the same.
    ///
    /// # Errors
    ///
    /// [`ScaleError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the pool on its way to the new size.
    pub async fn scale(&self, workers: usize) -> Result<usize, ScaleError> {
        self.nursery.scale(self.proxy.aid(), workers).await
    }
}
