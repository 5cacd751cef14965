//! Memory limits by control groups, of the kernel's first and second kind.
//!
//! A process that may, makes a group below its own for each child whose memory it limits. Only groups of its own making
//! are ever written to, or removed. They are named `pulsar-<its namespace of pids>-<its pid>-…`, so that those of a process
//! that was killed are found and removed by a later one, and those of a process of another namespace, whose pid tells
//! nothing here, are left alone.
//!
//! On a system of the second kind a group with processes of its own has no groups with limits below it, the outermost
//! one excepted; so there it works where the arbiter runs in such a group, and elsewhere [`Own::group`] refuses.

use std::{
    collections::HashSet,
    fs, io,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    io::Errno,
    process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal, test_kill_process},
};

use crate::pid::Pid;

/// Where the kernel tells a process's groups.
const GROUPS_FILE: &str = "/proc/self/cgroup";
/// Where it tells in which folder each kind of groups is shown.
const MOUNTS_FILE: &str = "/proc/self/mountinfo";
/// How the names of all groups of ours begin.
const PREFIX: &str = "pulsar-";
/// Where the kernel tells in which namespace of pids this process is.
const NAMESPACE_FILE: &str = "/proc/self/ns/pid";
/// How often the members of a group are killed: those that are made meanwhile are found by the next pass, and whoever makes
/// them is dead by then.
const MOST_PASSES: usize = 8;
/// Members that are killed together: each takes a descriptor for a moment.
const MOST_AT_ONCE: usize = 64;

/// This process has made a group: one with its pid need not be of a dead one any more.
static HAS_MADE: AtomicBool = AtomicBool::new(false);

/// The kind of a group, which decides the names of its files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// The memory controller in a hierarchy of its own.
    First,
    /// The unified hierarchy.
    Second,
}

/// The group that this process is in, as far as memory is concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Own {
    kind: Kind,
    folder: PathBuf,
    /// That of its pids.
    namespace: u64,
}

impl Own {
    /// The own group; `None` where the system has none, or does not show it.
    pub fn find() -> Option<Self> {
        let groups = fs::read_to_string(GROUPS_FILE).ok()?;
        let mounts = fs::read_to_string(MOUNTS_FILE).ok()?;
        let namespace = fs::metadata(NAMESPACE_FILE).ok()?.ino();
        Self::told_by(&groups, &mounts, namespace)
    }

    /// What the kernel's two files say. The memory controller is in one of the hierarchies only: where the first kind has
    /// it, that one counts.
    fn told_by(groups: &str, mounts: &str, namespace: u64) -> Option<Self> {
        let first = groups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let has_memory = controllers.split(',').any(|name| name == "memory");
            has_memory.then_some(path)
        });
        let (kind, path) = match first {
            Some(path) => (Kind::First, path),
            None => (
                Kind::Second,
                groups.lines().find_map(|line| line.strip_prefix("0::"))?,
            ),
        };
        let mounts = mounts.lines().filter_map(|line| Mount::of(line, kind));
        let folder = mounts.filter_map(|mount| mount.shows(path)).next()?;
        Some(Self {
            kind,
            folder,
            namespace,
        })
    }

    /// How many processes of this very group the kernel has killed so far for want of memory.
    ///
    /// # Errors
    ///
    /// If the kernel does not count them.
    pub fn oom_kills(&self) -> io::Result<u64> {
        oom_kills(self.kind, &self.folder)
    }

    /// Makes a group below this one, whose processes may use this much memory together, swapped out or not.
    ///
    /// The name is of the caller's choice, behind its pid; an empty group of that name is replaced.
    ///
    /// # Errors
    ///
    /// If this process may make none, or none with limits. Then nothing is left of it.
    pub fn group(&self, name: &str, memory_bytes: u64) -> io::Result<Group> {
        if self.kind == Kind::Second && !self.gives_memory_on() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the own control group does not hand the memory controller on",
            ));
        }
        HAS_MADE.store(true, Ordering::Relaxed);
        let (namespace, pid) = (self.namespace, Pid::current());
        let folder = self
            .folder
            .join(format!("{PREFIX}{namespace}-{pid}-{name}"));
        match fs::create_dir(&folder) {
            // Of an earlier process of this pid.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_dir(&folder)?;
                fs::create_dir(&folder)?;
            }
            made => made?,
        }
        let group = Group {
            kind: self.kind,
            folder,
        };
        match group.limit(memory_bytes) {
            Ok(()) => Ok(group),
            Err(error) => {
                // It is empty; were it not, a later process would remove it.
                let _ = group.remove();
                Err(error)
            }
        }
    }

    /// Removes the groups that processes of this kind and this namespace have left here which do not live any more, and
    /// kills whoever lives in them: it was started by an actor that is dead.
    pub fn sweep(&self) -> Swept {
        let mut swept = Swept::default();
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            if !name.to_str().is_some_and(|name| self.is_of_dead(name)) {
                continue;
            }
            let group = Group {
                kind: self.kind,
                folder: entry.path(),
            };
            swept.killed += group.kill_all();
            match group.remove() {
                Ok(()) => swept.removed += 1,
                Err(group) => swept.left.push(group),
            }
        }
        swept
    }

    /// Whether the name is that of a group whose maker is dead.
    fn is_of_dead(&self, name: &str) -> bool {
        let Some((_, maker)) = maker(name).filter(|(namespace, _)| *namespace == self.namespace)
        else {
            return false;
        };
        if maker == Pid::current() {
            return !HAS_MADE.load(Ordering::Relaxed);
        }
        let maker = rustix::process::Pid::from_raw(maker.as_raw());
        // Asked for by a signal that is none, as the folder of a stranger's process may be hidden.
        maker.is_some_and(|maker| test_kill_process(maker) == Err(Errno::SRCH))
    }

    /// Whether groups below have limits of memory, and processes may be moved from here to there.
    fn gives_memory_on(&self) -> bool {
        let members = self.folder.join("cgroup.procs");
        if fs::OpenOptions::new().write(true).open(members).is_err() {
            return false;
        }
        let given = fs::read_to_string(self.folder.join("cgroup.subtree_control"));
        given.is_ok_and(|given| given.split_ascii_whitespace().any(|name| name == "memory"))
    }
}

/// Whose group this is, by its name: a namespace of pids, and a pid in it.
fn maker(name: &str) -> Option<(u64, Pid)> {
    let (namespace, name) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let (pid, _) = name.split_once('-')?;
    Some((namespace.parse().ok()?, Pid::new(pid.parse().ok()?)?))
}

/// What was done with the groups of dead processes.
#[derive(Debug, Default)]
pub struct Swept {
    /// Groups that are gone.
    pub removed: usize,
    /// Processes that lived in one and were killed.
    pub killed: usize,
    /// Those in which somebody was killed and has not gone yet.
    pub left: Vec<Group>,
}

/// A group that this process has made. Whoever is done with it calls [`remove`](Self::remove); what is dropped is left to
/// [`Own::sweep`].
#[derive(Debug)]
pub struct Group {
    kind: Kind,
    folder: PathBuf,
}

impl Group {
    /// Puts a process into the group, with all that it will start. What memory it has already stays on its old group's
    /// account.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn enter(&self, pid: Pid) -> io::Result<()> {
        self.write("cgroup.procs", pid.as_raw())
    }

    /// How many of its processes the kernel has killed for want of memory.
    ///
    /// # Errors
    ///
    /// If the kernel does not count them.
    pub fn oom_kills(&self) -> io::Result<u64> {
        oom_kills(self.kind, &self.folder)
    }

    /// Kills all that live in it: what a process has started that was put there, in sessions of their own too. It returns
    /// how many they were. Some may be missed where processes are made faster than they are killed.
    pub fn kill_all(&self) -> usize {
        let members = self.members();
        // The kernel's own way, from Linux 5.14 on.
        if self.kind == Kind::Second && self.write("cgroup.kill", 1).is_ok() {
            return members.len();
        }
        let mut killed = HashSet::new();
        for _ in 0..MOST_PASSES {
            // Whoever was killed may be seen for a moment still.
            let members: Vec<Pid> = self.members().difference(&killed).copied().collect();
            if members.is_empty() {
                break;
            }
            for members in members.chunks(MOST_AT_ONCE) {
                killed.extend(self.kill(members));
            }
        }
        killed.len()
    }

    /// Kills these members, and nobody else: the signal goes to whom the descriptor was opened for. If that is a stranger
    /// who has got the number of a member that has ended, then the number is not among the members' any more.
    fn kill(&self, members: &[Pid]) -> Vec<Pid> {
        let opened: Vec<(Pid, OwnedFd)> = members
            .iter()
            .filter_map(|pid| {
                let number = rustix::process::Pid::from_raw(pid.as_raw())?;
                Some((*pid, pidfd_open(number, PidfdFlags::empty()).ok()?))
            })
            .collect();
        let members = self.members();
        let of_it = opened.iter().filter(|(pid, _)| members.contains(pid));
        // It may have ended meanwhile, which is what was wanted.
        of_it
            .filter(|(_, process)| pidfd_send_signal(process, Signal::KILL).is_ok())
            .map(|(pid, _)| *pid)
            .collect()
    }

    fn members(&self) -> HashSet<Pid> {
        let members = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        let pids = members.lines().filter_map(|line| line.trim().parse().ok());
        pids.filter_map(Pid::new).collect()
    }

    /// Removes it, once it is empty.
    ///
    /// # Errors
    ///
    /// The group itself, if somebody still lives in it.
    pub fn remove(self) -> Result<(), Self> {
        match fs::remove_dir(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self),
            _ => Ok(()),
        }
    }

    fn limit(&self, bytes: u64) -> io::Result<()> {
        match self.kind {
            Kind::First => {
                self.write("memory.limit_in_bytes", bytes)?;
                // Memory and swap together. It may not be below the other, which is why it comes second.
                self.write_if_there("memory.memsw.limit_in_bytes", bytes)?;
                // The group may have inherited that its processes wait for memory instead.
                self.write_if_there("memory.oom_control", 0)
            }
            Kind::Second => {
                self.write("memory.max", bytes)?;
                self.write_if_there("memory.swap.max", 0)
            }
        }
    }

    fn write(&self, file: &str, value: impl ToString) -> io::Result<()> {
        // Not created where it is missing: these files are the kernel's.
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).open(self.folder.join(file))?;
        io::Write::write_all(&mut file, value.to_string().as_bytes())
    }

    /// The same for what not every kernel has.
    fn write_if_there(&self, file: &str, value: impl ToString) -> io::Result<()> {
        match self.write(file, value) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            written => written,
        }
    }
}

/// The kernel's count for one group, without those below it: a child's end by its own limit is no lack of ours.
fn oom_kills(kind: Kind, folder: &Path) -> io::Result<u64> {
    let text = match kind {
        Kind::First => fs::read_to_string(folder.join("memory.oom_control"))?,
        // Before Linux 5.2 there is only the count with those below.
        Kind::Second => match fs::read_to_string(folder.join("memory.events.local")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::read_to_string(folder.join("memory.events"))?
            }
            text => text?,
        },
    };
    let count = text.lines().find_map(|line| {
        let (name, count) = line.split_once(' ')?;
        (name == "oom_kill").then(|| count.trim().parse().ok())?
    });
    count.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the kernel counts no kills"))
}

/// A folder in which a hierarchy of groups is shown, from one of them on.
struct Mount<'a> {
    root: &'a str,
    point: String,
}

impl<'a> Mount<'a> {
    /// Reads a line such as `35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory`, if it is one of this kind.
    fn of(line: &'a str, kind: Kind) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut system = system.split(' ');
        let name = system.next()?;
        let options = system.nth(1)?;
        let is_one = match kind {
            Kind::First => name == "cgroup" && options.split(',').any(|option| option == "memory"),
            Kind::Second => name == "cgroup2",
        };
        is_one.then(|| Self {
            root,
            point: unescaped(point),
        })
    }

    /// Where the group of this path is shown; `None` if it is outside of what is.
    fn shows(&self, path: &str) -> Option<PathBuf> {
        let below = Path::new(path).strip_prefix(self.root).ok()?;
        let is_plain = |part| matches!(part, std::path::Component::Normal(_));
        below
            .components()
            .all(is_plain)
            .then(|| Path::new(&self.point).join(below))
    }
}

/// The kernel writes a space in a path as `\040`, and so for the like.
fn unescaped(path: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(path.to_owned(), |path, (code, character)| {
        path.replace(code, character)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACE: u64 = 7;

    const FIRST_MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    const SECOND_MOUNTS: &str =
        "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    /// A folder that looks like a group; the real files are the kernel's.
    struct Fake(PathBuf);

    impl Fake {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let name = format!("pulsar-sys-cgroup-{}-{name}", Pid::current());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir(&folder).unwrap();
            for (name, text) in files {
                fs::write(folder.join(name), text).unwrap();
            }
            Self(folder)
        }

        fn own(&self, kind: Kind) -> Own {
            Own {
                kind,
                folder: self.0.clone(),
                namespace: NAMESPACE,
            }
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn the_first_kind_counts_where_it_has_the_memory_controller() {
        let groups = "9:name=systemd:/\n4:cpu,memory:/user/a b\n0::/\n";
        let own = Own::told_by(groups, FIRST_MOUNTS, NAMESPACE).unwrap();
        assert_eq!(own.kind, Kind::First);
        assert_eq!(own.folder, Path::new("/sys/fs/cgroup/memory/user/a b"));
    }

    #[test]
    fn the_second_kind_is_found_by_its_line() {
        let own = Own::told_by("0::/system.slice/web.service\n", SECOND_MOUNTS, NAMESPACE).unwrap();
        assert_eq!(own.kind, Kind::Second);
        assert_eq!(
            own.folder,
            Path::new("/sys/fs/cgroup/system.slice/web.service")
        );
    }

    #[test]
    fn a_group_outside_of_what_is_shown_is_not_found() {
        let mounts = "29 23 0:26 /box /groups\\040here rw - cgroup2 cgroup2 rw\n";
        let own = Own::told_by("0::/box/web\n", mounts, NAMESPACE).unwrap();
        assert_eq!(own.folder, Path::new("/groups here/web"));
        for outside in [
            "0::/other\n",
            "0::/boxes\n",
            "0::/../x\n",
            "0::/box/../../x\n",
            "",
        ] {
            assert_eq!(
                Own::told_by(outside, mounts, NAMESPACE),
                None,
                "{outside:?}"
            );
        }
        assert_eq!(Own::told_by("0::/\n", "", NAMESPACE), None);
    }

    #[test]
    fn kills_are_read_from_the_files_of_each_kind() {
        let events = "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n";
        let local = "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n";
        let second = Fake::new("kills", &[("memory.events", events)]);
        assert_eq!(second.own(Kind::Second).oom_kills().unwrap(), 2);
        // Those of the groups below do not count, where the kernel tells them apart.
        fs::write(second.0.join("memory.events.local"), local).unwrap();
        assert_eq!(second.own(Kind::Second).oom_kills().unwrap(), 1);
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n";
        let first = Fake::new("control", &[("memory.oom_control", control)]);
        assert_eq!(first.own(Kind::First).oom_kills().unwrap(), 5);
        fs::write(first.0.join("memory.oom_control"), "under_oom 0\n").unwrap();
        assert!(first.own(Kind::First).oom_kills().is_err());
    }

    #[test]
    fn a_group_of_the_second_kind_needs_the_controller_handed_on() {
        let files = [
            ("cgroup.subtree_control", "cpu pids\n"),
            ("cgroup.procs", ""),
        ];
        let second = Fake::new("given", &files);
        let refused = second.own(Kind::Second).group("1-1", 1 << 20).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
        assert_eq!(fs::read_dir(&second.0).unwrap().count(), 2);
        // The folder is made, and as the kernel has put no files into it, removed again.
        fs::write(second.0.join("cgroup.subtree_control"), "cpu memory\n").unwrap();
        let refused = second.own(Kind::Second).group("1-1", 1 << 20).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_dir(&second.0).unwrap().count(), 2);
    }

    #[test]
    fn the_limits_of_the_second_kind_are_written_to_its_files() {
        let fake = Fake::new("limit", &[("memory.max", ""), ("memory.swap.max", "")]);
        let group = Group {
            kind: Kind::Second,
            folder: fake.0.clone(),
        };
        group.limit(1 << 20).unwrap();
        let read = |file| fs::read_to_string(fake.0.join(file)).unwrap();
        assert_eq!(
            [read("memory.max"), read("memory.swap.max")],
            ["1048576", "0"]
        );
    }

    #[test]
    fn only_groups_of_the_dead_of_the_own_namespace_are_swept() {
        // No pid is that high.
        let dead = i32::MAX;
        let own = Pid::current();
        let fake = Fake::new("sweep", &[]);
        let folders = [
            (format!("pulsar-{NAMESPACE}-{dead}-1-1"), false),
            (format!("pulsar-{NAMESPACE}-{dead}-2-1"), true),
            (format!("pulsar-{NAMESPACE}-{own}-1-1"), true),
            // Of a process that another namespace may know by that number.
            (format!("pulsar-8-{dead}-1-1"), true),
            (format!("pulsar-{dead}-1-1"), true),
            ("pulsar-7-x-1".to_owned(), true),
            ("web.service".to_owned(), true),
        ];
        for (name, _) in &folders {
            fs::create_dir(fake.0.join(name)).unwrap();
        }
        fs::create_dir(fake.0.join(&folders[1].0).join("somebody")).unwrap();
        HAS_MADE.store(true, Ordering::Relaxed);
        let swept = fake.own(Kind::First).sweep();
        assert_eq!((swept.removed, swept.killed, swept.left.len()), (1, 0, 1));
        for (name, stays) in folders {
            assert_eq!(fake.0.join(&name).exists(), stays, "{name}");
        }
    }
}
