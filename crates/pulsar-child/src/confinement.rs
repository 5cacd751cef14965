//! What holds one actor's process to its limits.

use std::io;
use std::sync::Arc;

use pulsar_model::{Aid, Incarnation, Limits, SpawnError};
use pulsar_sys::cgroup::Group;
use pulsar_sys::{Exit, Pid, ProcessLimit, confine};

use crate::{Last, Memory};

/// The signal of a kill, on all systems that we know.
const SIGKILL: i32 = 9;
/// That of an abort.
const SIGABRT: i32 = 6;

/// Descriptors that an actor's process needs for itself: the standard streams, its link, its loop and its signals take
/// ten; the rest is for what it opens for a moment.
pub const LEAST_OPEN_FILES: u64 = 16;

/// The limits of a process that is about to be made, and of one that has been. Dropped when the process is gone.
pub struct Confinement {
    memory: Arc<Memory>,
    group: Option<Group>,
    /// With the names that users know.
    limits: Vec<(&'static str, ProcessLimit)>,
    is_best_effort: bool,
}

impl Confinement {
    /// Prepares for one life: makes its control group, if it is to have one and can.
    pub fn prepare(
        memory: &Arc<Memory>,
        limits: Limits,
        (aid, incarnation): (Aid, Incarnation),
    ) -> Self {
        let group = group(memory, aid, incarnation, &limits);
        if group.is_none() {
            memory.watch_kills();
        }
        Self {
            memory: Arc::clone(memory),
            limits: of_process(&limits, group.is_some()),
            group,
            is_best_effort: limits.best_effort,
        }
    }

    /// Whether the process can have so many descriptors beside its own.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Limit`] if the actor could not even be given them.
    pub fn check_room(limits: &Limits, descriptors: usize) -> Result<(), SpawnError> {
        let needed = LEAST_OPEN_FILES + descriptors as u64;
        if let Some(count) = limits.open_files_max.filter(|count| *count < needed) {
            return Err(SpawnError::Limit {
                message: format!(
                    "open_files_max is {count}: with the descriptors that it is given, this actor needs {needed}"
                ),
            });
        }
        Ok(())
    }

    /// Confines the process, which runs nothing of the user's before its [`Letter`](crate::Letter) is released.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Limit`] or [`SpawnError::Unsupported`], with the limit's name. The process is not to go on then.
    pub fn apply(&self, pid: Pid) -> Result<(), SpawnError> {
        if let Some(group) = &self.group {
            let entered = group.enter(pid);
            self.judge("memory_max", "a control group", entered)?;
        }
        for (name, limit) in &self.limits {
            self.judge(name, &limit.to_string(), confine(pid, *limit))?;
        }
        Ok(())
    }

    /// Whether the kernel has killed the process, which died of a KILL of nobody's here, for lack of memory.
    fn was_killed_for_memory(&self) -> bool {
        match &self.group {
            // Another in there may have been killed while the actor lived on, and the actor by somebody else
            // later; the kernel does not tell them apart.
            Some(group) => group.oom_kills().is_ok_and(|kills| kills > 0),
            None => self.memory.tell_kill(),
        }
    }

    /// Whether what the process says on its standard error stream tells how it ended: its own limit does not.
    pub fn needs_stderr(&self) -> bool {
        let mut limits = self.limits.iter();
        limits.any(|(_, limit)| matches!(limit, ProcessLimit::Data(_)))
    }

    /// Whether the process, which has exited so without our doing and with these last words, lacked memory.
    pub fn ran_out_of_memory(&self, exit: Exit, last: &Last) -> bool {
        match exit {
            Exit::Signal {
                signal: SIGKILL, ..
            } => self.was_killed_for_memory(),
            Exit::Signal {
                signal: SIGABRT, ..
            } => last.says_out_of_memory,
            _ => false,
        }
    }

    fn judge(&self, name: &str, what: &str, set: io::Result<()>) -> Result<(), SpawnError> {
        let Err(error) = set else {
            return Ok(());
        };
        if self.is_best_effort {
            tracing::warn!(limit = name, %error, "{what} cannot be set: left out");
            return Ok(());
        }
        let message = format!(
            "{name}: the system refuses {what}: {error}; ask for less, or say `best_effort_limits`"
        );
        Err(match error.kind() {
            io::ErrorKind::Unsupported => SpawnError::Unsupported { message },
            _ => SpawnError::Limit { message },
        })
    }
}

impl Drop for Confinement {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            self.memory.give_back(group);
        }
    }
}

/// The control group of this life, if it is to have one and can.
fn group(memory: &Memory, aid: Aid, incarnation: Incarnation, limits: &Limits) -> Option<Group> {
    let bytes = limits.memory_max.filter(|_| !limits.without_cgroup)?;
    let name = format!("{}-{}", aid.place(), incarnation.0);
    match memory.group(&name, bytes) {
        Ok(group) => Some(group),
        Err(error) => {
            tracing::debug!(%aid, %error, "no control group: memory_max is of the process by itself");
            None
        }
    }
}

/// The limits that the process has by itself.
fn of_process(limits: &Limits, has_group: bool) -> Vec<(&'static str, ProcessLimit)> {
    let memory = limits.memory_max.filter(|_| !has_group);
    let cpu = limits.cpu_time_max.map(|time| {
        let begun = u64::from(time.subsec_nanos() > 0);
        time.as_secs().saturating_add(begun)
    });
    let said = [
        ("nice", limits.nice.map(ProcessLimit::Nice)),
        (
            "open_files_max",
            limits.open_files_max.map(ProcessLimit::OpenFiles),
        ),
        ("cpu_time_max", cpu.map(ProcessLimit::CpuSeconds)),
        ("memory_max", memory.map(ProcessLimit::Data)),
    ];
    said.into_iter()
        .filter_map(|(name, limit)| Some((name, limit?)))
        .collect()
}
