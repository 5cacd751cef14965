//! Looks at processes, whether they sleep: one thread for all whose time has come.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pulsar_sys::{Pid, occupation};
use tokio::time::Instant;

use crate::Aside;

/// Whoever has slept for less may be at work: it had nothing to do between one message and the next. It may as well
/// notify.
const ASLEEP_AFTER: Duration = Duration::from_millis(100);
/// How long a look at all of them may take: some tens of microseconds for each. Who has not been seen by then does not
/// sleep, as far as is known.
const LOOK_TIMEOUT: Duration = Duration::from_secs(1);
/// Looks that may be under way at once: one that the kernel holds up leaves room for the next. Then nobody is seen.
const MOST_LOOKS: usize = 2;

static LOOKS: Aside = Aside::new(MOST_LOOKS);

/// The processes that are to be looked at.
#[derive(Debug)]
pub struct Looks {
    /// From when periods of looks are counted, so that those of all come at the same times.
    pub from: Instant,
    wanted: Mutex<Vec<Wanted>>,
}

/// Is told whether the process sleeps.
type Tell = Box<dyn FnOnce(bool) + Send>;

struct Wanted {
    pid: Pid,
    tell: Tell,
}

impl Default for Looks {
    /// For a system that begins now.
    fn default() -> Self {
        Self {
            from: Instant::now(),
            wanted: Mutex::default(),
        }
    }
}

impl Looks {
    /// Has a process looked at, together with all others that are wanted in the same turn of this loop: whether it has slept for a
    /// moment, and could be woken, or false if that cannot be seen. It must be a child that runs this executable. If it is
    /// reaped meanwhile, what is told may be true of a stranger.
    ///
    /// # Panics
    ///
    /// Outside of an event loop.
    pub fn want(self: &Arc<Self>, pid: Pid, tell: impl FnOnce(bool) + Send + 'static) {
        let tell = Box::new(tell);
        let mut wanted = self.wanted.lock();
        wanted.push(Wanted { pid, tell });
        if wanted.len() == 1 {
            // Behind those that the same turn of the timer has woken.
            tokio::spawn(look(Arc::clone(self)));
        }
    }
}

async fn look(looks: Arc<Looks>) {
    let wanted = mem::take(&mut *looks.wanted.lock());
    let pids: Vec<Pid> = wanted.iter().map(|wanted| wanted.pid).collect();
    let look = move || -> Vec<bool> { pids.into_iter().map(is_asleep).collect() };
    let seen = LOOKS.look(LOOK_TIMEOUT, look).await;
    let seen = seen.unwrap_or_else(|| vec![false; wanted.len()]);
    for (Wanted { tell, .. }, asleep) in wanted.into_iter().zip(seen) {
        tell(asleep);
    }
}

fn is_asleep(pid: Pid) -> bool {
    match occupation::asleep_for(pid) {
        Ok(asleep_for) => asleep_for.is_some_and(|slept| slept >= ASLEEP_AFTER),
        Err(error) => {
            tracing::trace!(%pid, %error, "whether the process sleeps cannot be seen");
            false
        }
    }
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pid.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn all_that_are_wanted_in_one_turn_are_looked_at_and_told() {
        let looks = Arc::new(Looks::default());
        let (to_told, mut told) = mpsc::unbounded_channel();
        // One that does not exist sleeps as little as one that is awake.
        let nobody = Pid::new(i32::MAX).unwrap();
        for _ in 0..2 {
            for pid in [Pid::current(), nobody] {
                let to_told = to_told.clone();
                looks.want(pid, move |asleep| {
                    to_told.send((pid, asleep)).unwrap();
                });
            }
            assert_eq!(looks.wanted.lock().len(), 2);
            assert_eq!(told.recv().await, Some((Pid::current(), false)));
            assert_eq!(told.recv().await, Some((nobody, false)));
        }
    }
}
