//! Where a silent actor stands, as far as it can be seen from outside.

use std::time::Duration;

use pulsar_sys::{Occupation, Pid, occupation};

use crate::{Aside, Brood};

/// How long a look into a process may take: it waits where the kernel holds that process's memory. What
/// is not seen by then is not waited for; the silent actor is to be ended.
const LOOK_TIMEOUT: Duration = Duration::from_millis(100);

/// Silent actors that are looked at at once; of others it is not told what holds them.
const MOST_LOOKS: usize = 8;

static LOOKS: Aside = Aside::new(MOST_LOOKS);

/// What can be seen of a silent actor.
#[derive(Debug, Default)]
pub struct Standstill {
    /// What holds its loop, and for how long; none where that is nothing with a name, or cannot be seen.
    pub hold: Option<occupation::Hold>,
    /// How its process stands: `stopped` says that nothing of it can run.
    pub state: Option<&'static str>,
}

impl Standstill {
    /// Looks at a thread of this process, which notes there what it does.
    pub fn of_thread(occupation: &Occupation) -> Self {
        Self {
            hold: occupation.hold(),
            state: None,
        }
    }

    /// Looks at a process of this brood.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; a look that is under way ends by itself.
    pub async fn of_process(pid: Pid, brood: &Brood) -> Self {
        let look = move || (occupation::state_of(pid), occupation::of_process(pid));
        let Some((state, hold)) = LOOKS.look(LOOK_TIMEOUT, look).await else {
            return Self::default();
        };
        // A pid is its process's until that is reaped. So what was seen while it is still ours was its.
        if !brood.is_child(pid) {
            return Self::default();
        }
        let hold = hold.unwrap_or_else(|error| {
            tracing::debug!(%pid, %error, "what holds the process cannot be seen");
            None
        });
        Self { hold, state }
    }
}
