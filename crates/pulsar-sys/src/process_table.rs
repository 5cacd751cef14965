//! The processes of the system, as `/proc` shows them.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::Read,
};

use crate::{pid::Pid, status::read_text};

/// Of longer environments only the beginning is looked at.
const LONGEST_ENVIRONMENT_BYTES: u64 = 1 << 20;

/// One process, as it was when it was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Process {
    /// Its pid.
    pub pid: Pid,
    /// Its parent.
    pub parent: Pid,
    /// The kernel's letter for its state: `R` runs, `S` sleeps, `T` is stopped, `Z` has ended and isn't reaped.
    pub state: char,
    /// Its short name, at most 15 bytes.
    pub name: String,
}

/// All processes that descend from this one, without itself: children first, then theirs.
///
/// Processes that end meanwhile may be missing or still be listed. It is empty where there is no `/proc`.
pub fn processes_below(pid: Pid) -> Vec<Process> {
    let mut by_parent: HashMap<Pid, Vec<Process>> = HashMap::new();
    for process in all() {
        by_parent.entry(process.parent).or_default().push(process);
    }
    let mut below = by_parent.remove(&pid).unwrap_or_default();
    let mut next = 0;
    // Each group of children is taken out when it is added, so that this ends whatever `/proc` says.
    while let Some(process) = below.get(next) {
        let children = by_parent.remove(&process.pid).unwrap_or_default();
        below.extend(children);
        next += 1;
    }
    below
}

/// A process that carries a mark in the environment that it was started with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Marked {
    /// The process.
    pub process: Process,
    /// When it began, in the kernel's ticks since the machine did: with the pid, it names one process for ever.
    pub began_ticks: u64,
    /// The mark.
    pub mark: String,
}

impl Marked {
    /// Whether this very process is there and has not ended, now.
    pub fn lives(&self) -> bool {
        let now = stat(self.process.pid).and_then(|stat| {
            let process = parse(self.process.pid, &stat)?;
            Some((process.state, began_ticks(&stat)?))
        });
        now.is_some_and(|(state, began)| began == self.began_ticks && !matches!(state, 'Z' | 'X'))
    }
}

/// The processes that were started with this variable in their environment, by whomever it was inherited, and whose
/// parents weren't. Of others' processes it may not be seen. Those that are known to be marked are neither looked at nor
/// told.
///
/// It looks at every other process of the system: some tens of microseconds for each.
pub fn marked_by(variable: &str, mut known: HashSet<Pid>) -> Vec<Marked> {
    let (them, others): (Vec<_>, Vec<_>) = all().partition(|process| known.contains(&process.pid));
    drop(them);
    let mut found: Vec<Marked> = others
        .into_iter()
        .filter_map(|process| marked(process, variable))
        .collect();
    known.extend(found.iter().map(|marked| marked.process.pid));
    found.retain(|marked| !known.contains(&marked.process.parent));
    found
}

fn marked(process: Process, variable: &str) -> Option<Marked> {
    let environment = File::open(format!("/proc/{}/environ", process.pid)).ok()?;
    let mut bytes = Vec::new();
    // An error is the end: it has gone, or is another's.
    let _ = environment
        .take(LONGEST_ENVIRONMENT_BYTES)
        .read_to_end(&mut bytes);
    let mark = bytes.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(variable.as_bytes())?;
        value.strip_prefix(b"=")
    })?;
    Some(Marked {
        began_ticks: began_ticks(&stat(process.pid)?)?,
        process,
        mark: String::from_utf8_lossy(mark).into_owned(),
    })
}

/// The 22nd field of the file; the first behind the name is the third.
fn began_ticks(stat: &str) -> Option<u64> {
    let (_, tail) = stat.rsplit_once(')')?;
    tail.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The parent of a process; nothing if there is no such process or its parent can't be seen.
pub fn parent_of(pid: Pid) -> Option<Pid> {
    read(pid).map(|process| process.parent)
}

/// The kernel's letter for the state of a process; nothing if there is no such process.
pub(crate) fn state_of(pid: Pid) -> Option<char> {
    read(pid).map(|process| process.state)
}

fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let raw = entry.file_name().to_str()?.parse().ok()?;
        read(Pid::new(raw)?)
    })
}

fn read(pid: Pid) -> Option<Process> {
    parse(pid, &stat(pid)?)
}

fn stat(pid: Pid) -> Option<String> {
    read_text(&format!("/proc/{pid}/stat")).ok()
}

/// Reads `pid (name) state parent …`. The name may itself hold spaces and brackets, so its end is the *last* bracket.
fn parse(pid: Pid, stat: &str) -> Option<Process> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = tail.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = Pid::new(fields.next()?.parse().ok()?)?;
    Some(Process {
        pid,
        parent,
        state,
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_is_read() {
        let pid = Pid::new(7).unwrap();
        let process = parse(pid, "7 (a) R (b c) S 3 7 7 0").unwrap();
        assert_eq!((process.state, process.parent), ('S', Pid::new(3).unwrap()));
        assert_eq!(process.name, "a) R (b c");
        assert_eq!(parse(pid, "7 (kthreadd) S 0 0"), None);
        assert_eq!(parse(pid, ""), None);
    }

    #[test]
    fn a_marked_process_is_found_for_as_long_as_it_lives() {
        const VARIABLE: &str = "PULSAR_SYS_TEST_MARK";
        let mut marked = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & wait"])
            .env(VARIABLE, "here I am")
            .spawn()
            .unwrap();
        let pid = Pid::new(marked.id().cast_signed()).unwrap();
        while processes_below(pid).is_empty() {}
        let found = marked_by(VARIABLE, HashSet::new());
        // Not its child, which has it of its parent.
        let [found] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!((found.process.pid, &*found.mark), (pid, "here I am"));
        assert!(found.lives());
        // One that is known is not told, nor what it has made.
        assert_eq!(marked_by(VARIABLE, HashSet::from([pid])), []);
        let below = processes_below(pid);
        marked.kill().unwrap();
        marked.wait().unwrap();
        assert!(!found.lives());
        for orphan in below {
            let orphan = rustix::process::Pid::from_raw(orphan.pid.as_raw()).unwrap();
            let _ = rustix::process::kill_process(orphan, rustix::process::Signal::KILL);
        }
        // An older process of the same pid is another.
        let own = marked_as_of(Pid::current());
        assert!(own.lives());
        let began_ticks = own.began_ticks - 1;
        assert!(!Marked { began_ticks, ..own }.lives());
    }

    fn marked_as_of(pid: Pid) -> Marked {
        Marked {
            process: read(pid).unwrap(),
            began_ticks: began_ticks(&stat(pid).unwrap()).unwrap(),
            mark: String::new(),
        }
    }

    #[test]
    fn the_own_process_is_below_its_parent() {
        let parent = Pid::parent().unwrap();
        assert_eq!(parent_of(Pid::current()), Some(parent));
        let below = processes_below(parent);
        assert!(below.iter().any(|process| process.pid == Pid::current()));
    }
}
