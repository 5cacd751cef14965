//! What the system says of processes.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// Context switches of all threads of a process.
pub(crate) fn context_switches(pid: u32) -> anyhow::Result<f64> {
    let mut switches = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        let counts = status
            .lines()
            .filter(|line| line.contains("ctxt_switches:"));
        for line in counts {
            let count = line.split_whitespace().last().unwrap_or_default();
            switches += count.parse::<f64>()?;
        }
    }
    Ok(switches)
}

/// Kilobytes of a process's proportional set: its own memory, and its share of what others map too.
pub(crate) fn pss_kb(pid: u32) -> anyhow::Result<f64> {
    rollup_kb(pid, "Pss:")
}

/// Bytes of a process's memory that no other maps.
pub(crate) fn private_bytes(pid: u32) -> anyhow::Result<f64> {
    Ok(1024.0 * (rollup_kb(pid, "Private_Dirty:")? + rollup_kb(pid, "Private_Clean:")?))
}

fn rollup_kb(pid: u32, name: &str) -> anyhow::Result<f64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let rollup = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = rollup.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.split_whitespace().next());
    Ok(value
        .with_context(|| format!("{path} has no {name}"))?
        .parse()?)
}

/// How many sockets a process has open; none if it has ended.
pub(crate) fn sockets(pid: u32) -> usize {
    let links = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    let targets = links.filter_map(|link| fs::read_link(link.ok()?.path()).ok());
    let is_socket = |target: &std::path::PathBuf| target.to_string_lossy().starts_with("socket:");
    targets.filter(is_socket).count()
}

/// Processor time that a process has used, in user and in system mode, all its threads, ended ones too.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    // By the scheduler's own count of nanoseconds, of each thread; ticks of /proc/PID/stat are too coarse.
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let first = text.split_whitespace().next().unwrap_or_default();
        nanos += first.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// The children of a process, of each of its threads.
pub(crate) fn children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while they are listed.
        let text = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        for pid in text.split_whitespace() {
            pids.push(pid.parse()?);
        }
    }
    Ok(pids)
}

/// Itself and all of its descendants.
pub(crate) fn family(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut pids = vec![pid];
    let mut next = 0;
    while let Some(pid) = pids.get(next) {
        pids.extend(children(*pid)?);
        next += 1;
    }
    Ok(pids)
}
