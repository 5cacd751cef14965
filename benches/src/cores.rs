//! On which core a thread runs.

use anyhow::Context;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::order::{Cores, absent};

/// The cores of the two sides of an exchange, where they are to have one. Made before either is kept on its own: from
/// then on the system shows no other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) caller: Option<usize>,
    pub(crate) callee: Option<usize>,
}

impl Cores {
    /// # Errors
    /// There is only one core, and two are asked for.
    pub(crate) fn places(self) -> anyhow::Result<Places> {
        let allowed = allowed()?;
        let (caller, callee) = match (self, allowed.as_slice()) {
            (Self::Free, _) => (None, None),
            (Self::Same, [.., last]) => (Some(*last), Some(*last)),
            (Self::Apart, [first, .., last]) => (Some(*first), Some(*last)),
            _ => return Err(absent("there is one core alone")),
        };
        Ok(Places { caller, callee })
    }
}

/// Keeps the calling thread, and those that it makes, on a core, if there is one given.
///
/// # Errors
/// The system's.
pub(crate) fn keep(core: Option<usize>) -> anyhow::Result<()> {
    let Some(core) = core else { return Ok(()) };
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("failed to run on core {core}"))
}

fn allowed() -> anyhow::Result<Vec<usize>> {
    let set = sched_getaffinity(None).context("failed to ask for the cores")?;
    let cores = 0..CpuSet::MAX_CPU;
    Ok(cores.filter(|core| set.is_set(*core)).collect())
}
