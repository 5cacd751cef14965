//! The processes of the system, as `/proc` shows them.

use std::{collections::HashMap, fs};

use crate::pid::Pid;

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

/// The parent of a process; nothing if there is no such process or its parent can't be seen.
pub fn parent_of(pid: Pid) -> Option<Pid> {
    read(pid).map(|process| process.parent)
}

fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let raw = entry.file_name().to_str()?.parse().ok()?;
        read(Pid::new(raw)?)
    })
}

fn read(pid: Pid) -> Option<Process> {
    // A name need not be UTF-8.
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &String::from_utf8_lossy(&stat))
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
    fn the_own_process_is_below_its_parent() {
        let parent = Pid::parent().unwrap();
        assert_eq!(parent_of(Pid::current()), Some(parent));
        let below = processes_below(parent);
        assert!(below.iter().any(|process| process.pid == Pid::current()));
    }
}
