//! Control groups for memory: those of actors, and the arbiter's own.

use std::io;

use parking_lot::Mutex;

use pulsar_sys::cgroup::{Group, Own};

/// Groups that somebody still lives in after their actor's end: past this many they are left to the next arbiter here.
const MOST_LEFT: usize = 1_024;

/// What the arbiter's process has to do with control groups.
#[derive(Debug)]
pub struct Memory {
    /// The group that it is in; `None` where the system has none.
    own: Option<Own>,
    /// How many kills in it have been told as somebody's cause, or came before our time.
    told: Mutex<u64>,
    /// Those whose actor has ended and that could not be removed yet: a process that it had started lives on in there.
    left: Mutex<Vec<Group>>,
}

impl Memory {
    /// Finds the own group, and removes what arbiters have left there that were killed.
    pub fn find() -> Self {
        let own = Own::find();
        let mut kills = 0;
        if let Some(own) = &own {
            kills = own.oom_kills().unwrap_or(0);
            let removed = own.sweep();
            if removed > 0 {
                tracing::debug!(removed, "control groups of ended arbiters removed");
            }
        }
        Self {
            own,
            told: Mutex::new(kills),
            left: Mutex::default(),
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

    /// Whether the kernel has killed somebody in the arbiter's own group of whom nothing was told yet: then that is told
    /// now, of a child without a group that has just died of a KILL which nobody here has sent. The kernel does not say
    /// whom it killed: where others than actors are in that group too, it may have been one of them.
    pub fn tell_kill(&self) -> bool {
        let Some(kills) = self.own.as_ref().and_then(|own| own.oom_kills().ok()) else {
            return false;
        };
        let mut told = self.told.lock();
        let is_new = kills > *told;
        // One at a time: several may have been killed at once, and each has its own death.
        *told += u64::from(is_new);
        is_new
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
            .inspect(Group::kill_all)
            .collect();
    }
}
