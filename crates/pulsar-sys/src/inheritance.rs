//! What a process hands on to its children without saying so.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
};

use rustix::process::{Resource, getpriority_process, getrlimit};

use crate::{
    build_id::{Build, FACTS},
    fnv::fnv128,
    pid::Pid,
    platform,
    status::{Status, read_again},
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

/// What a process hands on to its children beside its [`World`]: user and groups, privileges, limits, session and process
/// group, niceness, processors, root directory, control group and the program's file.
///
/// A template's clones inherit the *template's*. So whoever asks it compares its own of now with that of when the template
/// was made, and makes another where they differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inheritance(Vec<u8>);

/// What a process hands on to its children, at one moment.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// What it hands on without saying so.
    pub inheritance: Inheritance,
    /// What it tells them.
    pub world: World,
    /// What they are built from.
    pub build: Build,
}

/// What a process looks at to see what it hands on to its children: it keeps the kernel's files open, since to find them
/// costs more than to read them. Three descriptors.
#[derive(Debug)]
pub struct Survey {
    pid: Pid,
    status: File,
    /// Nothing on a system without control groups, which has none to change.
    groups: Option<File>,
    executable: File,
}

impl Survey {
    /// Opens the files of this process.
    ///
    /// # Errors
    ///
    /// If `/proc` doesn't tell.
    pub fn begin() -> io::Result<Self> {
        Ok(Self {
            pid: Pid::current(),
            status: File::open("/proc/self/status")?,
            groups: File::open("/proc/self/cgroup").ok(),
            executable: platform::open_executable()?,
        })
    }

    /// Looks. It costs some tens of microseconds.
    ///
    /// # Errors
    ///
    /// If `/proc` doesn't tell, or this process is a fork of the one that has begun.
    pub fn look(&self) -> io::Result<Surveyed> {
        if Pid::current() != self.pid {
            let message = "the files are those of the process that this one was forked from";
            return Err(io::Error::other(message));
        }
        let status = Status::again(&self.status)?;
        let executable = Build::facts(&self.executable)?;
        Ok(Surveyed {
            inheritance: self.inheritance(&status, &executable)?,
            world: World::by(&status)?,
            build: Build::by(&executable),
        })
    }

    fn inheritance(&self, status: &Status, executable: &[u8; FACTS]) -> io::Result<Inheritance> {
        let mut facts = Vec::with_capacity(2_048);
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
        facts.extend_from_slice(executable);
        if let Some(groups) = &self.groups {
            facts.extend(read_again(groups)?);
        }
        Ok(Inheritance(facts))
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

    use rustix::process::{Rlimit, setrlimit};

    use super::*;

    #[test]
    fn it_stays_the_same_while_nothing_changes() {
        let survey = Survey::begin().unwrap();
        let first = survey.look().unwrap();
        for second in [survey.look(), Survey::begin().unwrap().look()] {
            assert_eq!(first.inheritance, second.unwrap().inheritance);
        }
        assert_eq!(first.world, World::current().unwrap());
        assert_eq!(first.build, Build::current().unwrap());
        assert_eq!(Namespaces::current(), Namespaces::current());
    }

    #[test]
    fn what_has_changed_since_the_files_were_opened_is_seen() {
        let survey = Survey::begin().unwrap();
        let before = survey.look().unwrap().inheritance;
        // Of this thread alone, which is not the one that the files tell of: so of a limit, which all have.
        let limit = getrlimit(Resource::Core);
        let lower = Rlimit {
            current: Some(limit.maximum.map_or(4_096, |most| most / 2)),
            ..limit
        };
        setrlimit(Resource::Core, lower).unwrap();
        let other = survey.look().unwrap().inheritance;
        setrlimit(Resource::Core, limit).unwrap();
        assert_ne!(before, other);
        assert_eq!(before, survey.look().unwrap().inheritance);
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
