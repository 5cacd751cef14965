//! A gate: commands stop at it until somebody lets them on.

use pulsar::prelude::*;
use tokio::sync::Semaphore;

/// Commands of any actor in any process meet here, so that no test has to wait for a time.
pub(crate) struct Gate {
    arrived: Semaphore,
    open: Semaphore,
}

#[pulsar::actor]
impl Gate {
    pub(crate) fn start(_cx: Context) -> Self {
        Self {
            arrived: Semaphore::new(0),
            open: Semaphore::new(0),
        }
    }

    /// Arrives, and waits to be let on.
    #[command(concurrent)]
    pub(crate) async fn pass(&self) {
        self.arrived.add_permits(1);
        take(&self.open, 1).await;
    }

    /// Waits until so many have arrived that nobody has waited for before.
    #[command(concurrent)]
    pub(crate) async fn arrivals(&self, count: u32) {
        take(&self.arrived, count).await;
    }

    /// How many have arrived that nobody has waited for.
    #[command(concurrent)]
    pub(crate) fn unseen(&self) -> usize {
        self.arrived.available_permits()
    }

    /// Lets so many on, of those that wait and of those to come.
    #[command(concurrent)]
    pub(crate) fn open(&self, count: usize) {
        self.open.add_permits(count);
    }
}

async fn take(permits: &Semaphore, count: u32) {
    let taken = permits.acquire_many(count).await;
    taken.expect("nobody closes it").forget();
}
