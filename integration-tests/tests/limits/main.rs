//! What actors may use, and what is told of those that overstep it. Real processes, within limits of their own; the
//! machine's memory is never used up.
#![forbid(unsafe_code)]

mod files;
mod groups;
mod memory;
mod processor;
mod refused;
mod stderr;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use pulsar::prelude::*;
use pulsar_testkit::skip;

/// The program `limited`.
const LIMITED: &str = env!("CARGO_BIN_EXE_limited");

/// How the actor died that was asked.
fn death<T: std::fmt::Debug, E: std::fmt::Debug>(answer: Result<T, CallError<E>>) -> Cause {
    match answer {
        Err(CallError::Send(SendError::ActorDied { cause })) => cause,
        other => panic!("no death but {other:?}"),
    }
}

/// This process's group of memory, if groups with limits can be made below it; else says that `test` is left out.
fn own_group(test: &str) -> Option<PathBuf> {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let found = groups.lines().find_map(|line| {
        let (_, line) = line.split_once(':')?;
        match line.split_once(':')? {
            ("memory", path) => Some(Path::new("/sys/fs/cgroup/memory").join(&path[1..])),
            _ => None,
        }
    });
    let may = found.filter(|folder| {
        // Tests of one process ask at once.
        let ask = ASKED.fetch_add(1, Ordering::Relaxed);
        let probe = folder.join(format!("probe-{}-{ask}", std::process::id()));
        let made = fs::create_dir(&probe).is_ok();
        let is_one = probe.join("memory.limit_in_bytes").exists();
        made && fs::remove_dir(&probe).is_ok() && is_one
    });
    if may.is_none() {
        skip(
            test,
            "no control groups with limits of memory can be made here",
        );
    }
    may
}

/// The groups that the arbiter of this process has made below that one.
fn groups_of(arbiter: u32, own: &Path) -> Vec<PathBuf> {
    let maker = arbiter.to_string();
    let entries = fs::read_dir(own).expect("the own group is a folder");
    let names = entries.map(|entry| entry.expect("an entry").path());
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        // `pulsar-<namespace>-<pid>-…`
        let mut parts = name.into_iter().flat_map(|name| name.split('-'));
        parts.next() == Some("pulsar") && parts.nth(1) == Some(&maker)
    };
    names.filter(is_one).collect()
}

/// The program with this argument.
fn limited(argument: &str) -> Command {
    let mut command = Command::new(LIMITED);
    command.arg(argument);
    command
}

/// Takes memory and writes to it.
#[command]
fn eat(_cx: Context, mib: usize) {
    let mut taken = Vec::new();
    for _ in 0..mib {
        taken.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
    drop(std::hint::black_box(taken));
}

/// Ends the actor's process.
#[command]
fn end_by(_cx: Context, how: String) {
    if let Ok(fault) = how.parse::<pulsar_testkit::Fault>() {
        fault.commit()
    }
}
