//! What a process hands on to its children without saying so.

use std::{fs, io, os::unix::fs::MetadataExt};

use rustix::process::{Resource, getpriority_process, getrlimit};

use crate::{
    fnv::fnv128,
    status::{Status, read_all},
    world::World,
};

/// Lines of the kernel's account: whose the process is, what it may do, and where it may run.
const INHERITED: [&str; 7] = [
    "Uid:",
    "Gid:",
    "Groups:",
    "Cap",
    "NoNewPrivs:",
    "Seccomp:",
    "Cpus_allowed:",
];
/// All limits but the soft one of open files, which each child raises to the hard one.
const LIMITS: [Resource; 15] = [
    Resource::Cpu,
    Resource::Fsize,
    Resource::Data,
    Resource::Stack,
    Resource::Core,
    Resource::Rss,
    Resource::Nproc,
    Resource::Memlock,
    Resource::As,
    Resource::Locks,
    Resource::Sigpending,
    Resource::Msgqueue,
    Resource::Nice,
    Resource::Rtprio,
    Resource::Rttime,
];
/// The namespaces that a process, or its next child, is in.
const NAMESPACES: [&str; 8] = [
    "cgroup",
    "ipc",
    "mnt",
    "net",
    "pid_for_children",
    "time_for_children",
    "user",
    "uts",
];

/// A digest of what a process hands on to its children beside its [`World`]: user and groups, privileges, limits, session
/// and process group, niceness, processors, root directory and control group.
///
/// A template's clones inherit the *template's*. So whoever asks it compares its own of now with that of when the template
/// was made, and makes another where they differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inheritance(u128);

impl Inheritance {
    /// That of this process now, and its world. It costs some tens of microseconds.
    ///
    /// # Errors
    ///
    /// If `/proc` doesn't tell.
    pub fn with_world() -> io::Result<(Self, World)> {
        let status = Status::read()?;
        Ok((Self::by(&status)?, World::by(&status)?))
    }

    /// That of this process now.
    ///
    /// # Errors
    ///
    /// If `/proc` doesn't tell.
    pub fn current() -> io::Result<Self> {
        Self::by(&Status::read()?)
    }

    fn by(status: &Status) -> io::Result<Self> {
        let mut facts = Vec::with_capacity(1_024);
        for line in status.lines(&INHERITED) {
            facts.extend_from_slice(line.as_bytes());
        }
        let mut note = |number: u64| facts.extend_from_slice(&number.to_ne_bytes());
        for resource in LIMITS {
            let limit = getrlimit(resource);
            note(limit.current.unwrap_or(u64::MAX));
            note(limit.maximum.unwrap_or(u64::MAX));
        }
        note(getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX));
        // By numbers: both are zero where their leaders live outside of this pid namespace.
        // SAFETY: the call takes a number, zero for this process, and touches no memory.
        let session = unsafe { libc::getsid(0) };
        // SAFETY: the call takes nothing.
        let group = unsafe { libc::getpgrp() };
        note(u64::from(session.cast_unsigned()));
        note(u64::from(group.cast_unsigned()));
        note(i64::from(getpriority_process(None)?).cast_unsigned());
        let root = rustix::fs::stat("/")?;
        note(root.st_dev);
        note(root.st_ino);
        // A system without control groups has none to change.
        facts.extend(read_all("/proc/self/cgroup").unwrap_or_default());
        Ok(Self(fnv128(&facts)))
    }
}

/// A digest of the namespaces of a process. Asking costs more than a spawn should, and programs enter others at
/// their start or never: compare it once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Namespaces(u128);

impl Namespaces {
    /// Those of this process now. What the kernel doesn't show counts as none.
    pub fn current() -> Self {
        let mut facts = Vec::with_capacity(NAMESPACES.len() * 8);
        for name in NAMESPACES {
            let inode = fs::metadata(format!("/proc/self/ns/{name}")).map_or(0, |file| file.ino());
            facts.extend_from_slice(&inode.to_ne_bytes());
        }
        Self(fnv128(&facts))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn it_stays_the_same_while_nothing_changes() {
        let (first, world) = Inheritance::with_world().unwrap();
        assert_eq!(first, Inheritance::current().unwrap());
        assert_eq!(world, World::current().unwrap());
        assert_eq!(Namespaces::current(), Namespaces::current());
    }

    #[test]
    fn the_lines_that_are_compared_are_there() {
        let status = Status::read().unwrap();
        for name in INHERITED {
            assert!(status.lines(&[name]).next().is_some(), "{name}");
        }
        let list = Command::new("ls").arg("/proc/self/ns").output().unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        for name in NAMESPACES {
            assert!(list.lines().any(|line| line == name), "{name}");
        }
    }
}
