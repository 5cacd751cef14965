//! What a spawn says of the resources that the actor may use.

use std::time::Duration;

use pulsar_child::LEAST_OPEN_FILES;

use crate::{Actor, Placement, Spawn, SpawnError, SpawnParams};

/// Less memory than this no process begins with.
const LEAST_MEMORY_BYTES: u64 = 1 << 20;
/// The range of niceness of all Unix systems.
const NICE: std::ops::RangeInclusive<i32> = -20..=19;

/// Lines of a standard error stream that are kept: what tells of a death, and no log.
const KEPT_LINES: std::ops::RangeInclusive<usize> = 1..=1_000;

/// Limits of the actor's process. They hold from before its first line of code, also for the processes that it starts,
/// and anew for each of its lives. One that cannot be set is refused when the spawn is awaited, with
/// [`SpawnError::Limit`] or [`SpawnError::Unsupported`] and the limit's name, unless
/// [`best_effort_limits`](Spawn::best_effort_limits) is said. Threads and tasks have no limits of their own.
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// use std::time::Duration;
/// use pulsar::spawn;
///
/// # async fn example() -> pulsar::Result<()> {
/// let resizer = spawn()
///     .name("resizer")
///     .memory_max(256 << 20)
///     .cpu_time_max(Duration::from_secs(60))
///     .nice(10)
///     .transient()
///     .await?;
/// # Ok(())
/// # }
/// ```
impl<A: Actor> Spawn<A> {
    /// The memory that the actor may have, in bytes, at least 1 MiB. One that oversteps it ends, it alone, with
    /// [`Cause::OutOfMemory`](crate::Cause::OutOfMemory).
    ///
    /// Where the arbiter may make control groups below its own, the actor gets one, and with it the processes that it
    /// starts; what they have in RAM and in swap counts together, files that they read too. The kernel kills it at the
    /// limit. What it has started, and has not left the group, is killed when the actor has ended.
    ///
    /// Elsewhere, and after [`without_cgroup`](Self::without_cgroup), it is a limit of the process by itself: what it may
    /// write to, used or not, so the whole stack of each thread counts as well (2 MiB, unless said otherwise). Its
    /// allocator gives up at the limit. To learn that, the arbiter reads its standard error stream, as after
    /// [`keep_stderr`](Self::keep_stderr), which costs the arbiter one more descriptor; lines are kept only if that is
    /// said. A program that makes something else of a failed allocation than Rust does ends in its own way.
    pub fn memory_max(mut self, bytes: u64) -> Self {
        self.spec.limits.memory_max = Some(bytes);
        self
    }

    /// No control group is made for the actor: [`memory_max`](Self::memory_max) limits its process by itself.
    pub fn without_cgroup(mut self) -> Self {
        self.spec.limits.without_cgroup = true;
        self
    }

    /// How many descriptors the actor's process may have open, at least 16 and one for each
    /// [`descriptor`](Spawn::descriptor) that it is given. By default as many as the system allows. One that needs more
    /// gets errors from the system, and ends only if it makes that of them.
    pub fn open_files_max(mut self, descriptors: u64) -> Self {
        self.spec.limits.open_files_max = Some(descriptors);
        self
    }

    /// The processor time of all threads of the actor's process together, since its start, rounded up to whole seconds,
    /// at least one. Past it the process dies of signal 24 (SIGXCPU), or, if it handles that, a second later of
    /// signal 9. Processes that it starts have the same each for itself.
    pub fn cpu_time_max(mut self, time: Duration) -> Self {
        self.spec.limits.cpu_time_max = Some(time);
        self
    }

    /// How nice the actor's process is to others, from -20 to 19; by default as its arbiter. Less than the arbiter's own
    /// takes privileges.
    pub fn nice(mut self, nice: i32) -> Self {
        self.spec.limits.nice = Some(nice);
        self
    }

    /// Keeps the last lines, 1 to 1,000, that the actor's process writes to its standard error stream: they stand in
    /// [`LastExit::stderr`](crate::LastExit::stderr) and in the log line of its death. Of a line longer than 4 KiB each
    /// such part counts as one, and all together have at most 16 KiB: the oldest go first.
    ///
    /// The stream is a pipe then, which the arbiter reads, at the cost of one more descriptor. It passes each line on to
    /// its own standard error stream at once, as it is; to a terminal without what that would obey. If nobody takes them
    /// there, lines are dropped, and how many is said later. Without this the actor shares the arbiter's stream.
    pub fn keep_stderr(mut self, lines: usize) -> Self {
        self.spec.stderr_lines = Some(lines);
        self
    }

    /// A limit that cannot be set is left out with a warning in the log, rather than refused. Values out of their range
    /// are refused all the same.
    pub fn best_effort_limits(mut self) -> Self {
        self.spec.limits.best_effort = true;
        self
    }
}

/// Checks what is said of limits, and takes out what only a process can have where that may be left out.
///
/// # Errors
///
/// [`SpawnError::Limit`] for a value out of its range, [`SpawnError::Unsupported`] for a limit that the placement cannot
/// have.
pub(crate) fn check(spec: &mut SpawnParams) -> Result<(), SpawnError> {
    check_ranges(spec)?;
    let Some(name) = first_said(spec).filter(|_| spec.placement != Placement::Process) else {
        return Ok(());
    };
    let placement = spec.placement;
    if !spec.limits.best_effort {
        return Err(SpawnError::Unsupported {
            message: format!(
                "{name} is of a process, and this actor is a {placement}: spawn it as a process, or say \
                 `best_effort_limits`"
            ),
        });
    }
    tracing::warn!(
        name = spec.name,
        limit = name,
        "a {placement} has no limits of its own: left out"
    );
    spec.limits = crate::Limits::default();
    spec.stderr_lines = None;
    Ok(())
}

fn check_ranges(spec: &SpawnParams) -> Result<(), SpawnError> {
    let limits = &spec.limits;
    let refused = |message: String| Err(SpawnError::Limit { message });
    match limits.memory_max {
        Some(bytes) if bytes < LEAST_MEMORY_BYTES => {
            return refused(format!(
                "memory_max is {bytes} bytes: a process needs at least {LEAST_MEMORY_BYTES}"
            ));
        }
        _ => {}
    }
    match limits.open_files_max {
        Some(count) if count < LEAST_OPEN_FILES => {
            return refused(format!(
                "open_files_max is {count}: an actor's process needs at least {LEAST_OPEN_FILES}"
            ));
        }
        _ => {}
    }
    match spec.stderr_lines {
        Some(lines) if !KEPT_LINES.contains(&lines) => {
            return refused(format!(
                "keep_stderr is {lines} lines: it goes from 1 to 1,000"
            ));
        }
        _ => {}
    }
    if limits.cpu_time_max.is_some_and(|time| time.is_zero()) {
        return refused("cpu_time_max is zero: the least is one second".to_owned());
    }
    match limits.nice {
        Some(nice) if !NICE.contains(&nice) => {
            refused(format!("nice is {nice}: it goes from -20 to 19"))
        }
        _ => Ok(()),
    }
}

/// The name of the first thing that is said and takes a process.
fn first_said(spec: &SpawnParams) -> Option<&'static str> {
    let limits = &spec.limits;
    let said = [
        (limits.memory_max.is_some(), "memory_max"),
        (limits.open_files_max.is_some(), "open_files_max"),
        (limits.cpu_time_max.is_some(), "cpu_time_max"),
        (limits.nice.is_some(), "nice"),
        (spec.stderr_lines.is_some(), "keep_stderr"),
    ];
    said.iter().find(|(is, _)| *is).map(|(_, name)| *name)
}
