//! Control groups for memory: those of actors, and the arbiter's own.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use pulsar_sys::cgroup::{Group, Own};

/// Groups that somebody still lives in after their actor's end: past this many they are left to the next arbiter here.
const MOST_LEFT: usize = 1_024;
/// How often the kills in the own group are looked at while children without a group live in it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// For how long a kill may be told as the cause of a death. A child that the kernel kills is gone within milliseconds of
/// the count, but the machine lacks memory then, and is slow.
const OWED_FOR: Duration = Duration::from_secs(1);

/// What the arbiter's process has to do with control groups.
#[derive(Debug)]
pub struct Memory {
    /// The group that it is in; `None` where the system has none.
    own: Option<Own>,
    /// The kills in it.
    kills: Mutex<Kills>,
    /// Those whose actor has ended and that could not be removed yet: a process that it had started lives on in there.
    left: Mutex<Vec<Group>>,
}

impl Memory {
    /// Finds the own group, and removes what arbiters have left there that were killed: it kills who still lives in it.
    pub fn find() -> Self {
        let own = Own::find();
        let mut left = Vec::new();
        if let Some(own) = &own {
            let swept = own.sweep();
            let (removed, killed) = (swept.removed, swept.killed);
            if killed > 0 {
                tracing::warn!(
                    killed,
                    "processes that actors of ended arbiters had left are killed"
                );
            }
            if removed > 0 {
                tracing::debug!(removed, "control groups of ended arbiters removed");
            }
            left = swept.left;
            left.truncate(MOST_LEFT);
        }
        Self {
            own,
            kills: Mutex::default(),
            left: Mutex::new(left),
        }
    }

    /// Makes a group with a limit of memory.
    ///
    /// # Errors
    ///
    /// If none can be made here.
    pub fn group(&self, name: &str, memory_bytes: u64) -> io::Result<Group> {
        self.remove_left();
        match &self.own {
            Some(own) => own.group(name, memory_bytes),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Looks at the kills in the arbiter's own group from now on: a child without a group is about to be made, on the
    /// current loop.
    pub fn watch_kills(self: &Arc<Self>) {
        let mut kills = self.kills.lock();
        if kills.is_watched {
            return;
        }
        let Some(count) = self.count() else {
            return;
        };
        kills.is_watched = true;
        // What was killed before there was a child was none.
        kills.counted = count;
        drop(kills);
        let watched = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(memory) = watched.upgrade() {
                memory.note_kills();
                drop(memory);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
    }

    /// Whether the kernel has killed somebody in the arbiter's own group a moment ago of whom nothing was told yet: then
    /// that is told now, of a child without a group that has just died of a KILL which nobody here has sent. The kernel
    /// does not say whom it killed: where others than actors are in that group too, it may have been one of them.
    pub fn tell_kill(&self) -> bool {
        self.count()
            .is_some_and(|count| self.kills.lock().tell(count, Instant::now()))
    }

    /// Looks how many kills there are, so that none is told long after it.
    fn note_kills(&self) {
        if let Some(count) = self.count() {
            self.kills.lock().look(count, Instant::now());
        }
    }

    fn count(&self) -> Option<u64> {
        self.own.as_ref()?.oom_kills().ok()
    }

    /// Removes a group whose actor has ended, now or as soon as it is empty. What the actor had started and still lives
    /// in there is killed.
    pub fn give_back(&self, group: Group) {
        self.remove_left();
        if let Err(group) = group.remove() {
            group.kill_all();
            let mut left = self.left.lock();
            if left.len() < MOST_LEFT {
                left.push(group);
            }
        }
    }

    /// Removes those that have got empty meanwhile. In the others somebody may have been made while all were killed.
    pub fn remove_left(&self) {
        let mut left = self.left.lock();
        *left = left
            .drain(..)
            .filter_map(|group| group.remove().err())
            .inspect(|group| {
                group.kill_all();
            })
            .collect();
    }
}

/// The kills in a group whose victims are not known, as they are seen by looks.
#[derive(Debug, Default)]
struct Kills {
    is_watched: bool,
    /// The kernel's count at the last look.
    counted: u64,
    /// Those of which nothing was told yet.
    owed: u64,
    /// When the last of those was seen.
    seen: Option<Instant>,
}

impl Kills {
    /// However long ago the last look was, what is new is taken for recent: if the loop was held between the two, then the
    /// news of a death is as late as this look. So a kill is owed for a while from the look on that sees it.
    fn look(&mut self, count: u64, now: Instant) {
        let is_old = |seen: Instant| now.saturating_duration_since(seen) > OWED_FOR;
        if self.seen.is_some_and(is_old) {
            self.owed = 0;
        }
        if count > self.counted {
            self.owed += count - self.counted;
            self.seen = Some(now);
        }
        self.counted = count;
    }

    /// One at a time: several may have been killed at once, and each has its own death.
    fn tell(&mut self, count: u64, now: Instant) -> bool {
        self.look(count, now);
        let is_owed = self.owed > 0;
        self.owed -= u64::from(is_owed);
        is_owed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_told_once_each_and_only_for_a_while() {
        let (mut kills, begun) = (Kills::default(), Instant::now());
        assert!(!kills.tell(0, begun));
        // The first look after a long time sees two, and both deaths come at once.
        let late = begun + Duration::from_secs(60);
        assert!(kills.tell(2, late));
        assert!(kills.tell(2, late + OWED_FOR));
        assert!(!kills.tell(2, late + OWED_FOR));
        // One that was no child of ours is seen, and forgotten.
        kills.look(3, late + LOOK_EVERY);
        assert!(!kills.tell(3, late + 2 * (OWED_FOR + LOOK_EVERY)));
    }
}
