//! Limits that a process sets on its children.

use std::{fmt, io};

use rustix::process::{Resource, setpriority_process};

use crate::{pid::Pid, platform};

/// The time from the first warning, which ends a process that does not listen to it, to its certain end.
const CPU_GRACE_SECONDS: u64 = 1;

/// A limit of one process, which its descendants inherit. None of them raises it again, unless it is privileged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProcessLimit {
    /// Bytes of memory of its own: what it may write to and no other shares, used or not, but for the first thread's stack.
    Data(u64),
    /// The number that no descriptor reaches; those that are open already stay.
    OpenFiles(u64),
    /// Seconds of processor time since its start, of all its threads together. Then it gets `SIGXCPU`, and a second later
    /// `SIGKILL`.
    CpuSeconds(u64),
    /// How nice it is to others: -20 to 19.
    Nice(i32),
}

impl fmt::Display for ProcessLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(bytes) => write!(f, "{bytes} bytes of memory"),
            Self::OpenFiles(count) => write!(f, "{count} open files"),
            Self::CpuSeconds(seconds) => write!(f, "{seconds} s of processor time"),
            Self::Nice(nice) => write!(f, "a niceness of {nice}"),
        }
    }
}

/// Sets a limit on a child, which has one thread so far and has not been reaped: to others that it starts later it is
/// handed on.
///
/// # Errors
///
/// If the system refuses: more than this process itself may have takes privileges. `Unsupported` on systems where the
/// limits of others can't be set.
pub fn confine(child: Pid, limit: ProcessLimit) -> io::Result<()> {
    match limit {
        ProcessLimit::Data(bytes) => platform::limit_child(child, Resource::Data, bytes, bytes),
        ProcessLimit::OpenFiles(count) => {
            platform::limit_child(child, Resource::Nofile, count, count)
        }
        ProcessLimit::CpuSeconds(seconds) => {
            let hard = seconds.saturating_add(CPU_GRACE_SECONDS);
            platform::limit_child(child, Resource::Cpu, seconds, hard)
        }
        ProcessLimit::Nice(nice) => {
            let child = rustix::process::Pid::from_raw(child.as_raw());
            Ok(setpriority_process(child, nice)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    #[test]
    fn the_limits_of_a_child_are_as_said() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::new(i32::try_from(child.id()).unwrap()).unwrap();
        for limit in [
            ProcessLimit::Data(100 << 20),
            ProcessLimit::OpenFiles(17),
            ProcessLimit::CpuSeconds(5),
            ProcessLimit::Nice(3),
        ] {
            confine(pid, limit).unwrap();
        }
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let of = |name: &str| -> Vec<String> {
            let line = limits.lines().find_map(|line| line.strip_prefix(name));
            let line = line.expect("a limit of this name").split_whitespace();
            line.take(2).map(str::to_owned).collect()
        };
        assert_eq!(of("Max data size"), ["104857600", "104857600"]);
        assert_eq!(of("Max open files"), ["17", "17"]);
        assert_eq!(of("Max cpu time"), ["5", "6"]);
        // The nineteenth field of all, the seventeenth behind the name.
        let nice = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16);
        assert_eq!(nice, Some("3"));
    }
}
