//! What a process does.

use std::fs;

use pulsar_sys::Pid;

/// A process, looked at from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process(Pid);

impl Process {
    /// The process with this id, whether it is there or not.
    ///
    /// # Panics
    ///
    /// If no process can have that id.
    pub fn of(pid: u32) -> Self {
        let pid = i32::try_from(pid).ok().and_then(Pid::new);
        Self(pid.expect("a process has this id"))
    }

    /// It is there and has not ended: a zombie that nobody has reaped yet has.
    pub fn runs(self) -> bool {
        self.state()
            .is_some_and(|state| !matches!(state, 'Z' | 'X'))
    }

    /// A signal has stopped it.
    pub fn is_stopped(self) -> bool {
        self.state() == Some('T')
    }

    /// The processor time that it has used, in ticks of the system's (most often 10 ms); `None`
    /// if it is not there.
    pub fn processor_ticks(self) -> Option<u64> {
        // Fields 14 and 15 of the file, in user and in kernel mode; the first after the name is 3.
        let fields = self.fields()?;
        let mut ticks = fields.split(' ').skip(11).map(str::parse::<u64>);
        Some(ticks.next()?.ok()? + ticks.next()?.ok()?)
    }

    /// The process that it is a child of, 0 if that cannot be seen from here; `None` if it is not there.
    pub fn parent(self) -> Option<u32> {
        self.fields()?.split(' ').nth(1)?.parse().ok()
    }

    fn state(self) -> Option<char> {
        self.fields()?.chars().next()
    }

    /// The fields behind the name, which may itself hold any character but ends at the last
    /// parenthesis.
    fn fields(self) -> Option<String> {
        let stat = fs::read(format!("/proc/{}/stat", self.0)).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned())
    }
}

impl From<Pid> for Process {
    fn from(pid: Pid) -> Self {
        Self(pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen_as_processor_time() {
        let own = Process::of(std::process::id());
        assert!(own.runs() && !own.is_stopped());
        let before = own.processor_ticks().unwrap();
        while own.processor_ticks().unwrap() == before {}
    }
}
