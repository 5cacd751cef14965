//! Where a silent actor stands, as far as it can be seen from outside.

use std::time::Duration;

use pulsar_sys::{Pid, occupation};

use super::Vessel;
use crate::arbiter::Master;
use pulsar_child::Aside;

/// How long a look into a process may take: it waits where the kernel holds that process's memory. What
/// is not seen by then is not waited for; the silent actor is to be ended.
const LOOK_TIMEOUT: Duration = Duration::from_millis(100);

/// Silent actors that are looked at at once; of others it is not told what holds them.
const MOST_LOOKS: usize = 8;

static LOOKS: Aside = Aside::new(MOST_LOOKS);

/// What can be seen of a silent actor.
#[derive(Debug, Default)]
pub(crate) struct Standstill {
    /// What holds its loop, and for how long; none where that is nothing with a name, or cannot be seen.
    pub(crate) hold: Option<occupation::Hold>,
    /// How its process stands: `stopped` says that nothing of it can run.
    pub(crate) state: Option<&'static str>,
}

impl Standstill {
    /// Looks at what carries the actor.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; a look that is under way ends by itself.
    pub(crate) async fn of(vessel: &Vessel, master: Option<&Master>) -> Self {
        match (vessel, master) {
            (Vessel::Process { pid, .. }, Some(master)) => of_process(*pid, master).await,
            (Vessel::Process { .. }, None) => Self::default(),
            (Vessel::Thread(cx, _), _) => Self {
                hold: cx.cell().occupation().hold(),
                state: None,
            },
        }
    }
}

async fn of_process(pid: Pid, master: &Master) -> Standstill {
    let look = move || (occupation::state_of(pid), occupation::of_process(pid));
    let Some((state, hold)) = LOOKS.look(LOOK_TIMEOUT, look).await else {
        return Standstill::default();
    };
    // A pid is its process's until that is reaped. So what was seen while it is still ours was its.
    if !master.brood.is_child(pid) {
        return Standstill::default();
    }
    let hold = hold.unwrap_or_else(|error| {
        tracing::debug!(%pid, %error, "what holds the process cannot be seen");
        None
    });
    Standstill { hold, state }
}
