//! The kernel's accounts of processes in `/proc`.

use std::{fs::File, io, os::unix::fs::FileExt};

use crate::pid::Pid;

/// Room for what most files there hold, so that one read brings all of it; and far more than any holds.
const USUAL_BYTES: usize = 2 << 10;
const MOST_BYTES: usize = 1 << 20;

/// All that a file of the kernel's tells which it writes at once, as those of one process's numbers: the file has no length
/// that could be asked for first, and a read that is not filled has brought all of it.
pub(crate) fn read_all(path: &str) -> io::Result<Vec<u8>> {
    read_again(&File::open(path)?)
}

/// The same of such a file that is open: what it tells now, however often it has been read before.
pub(crate) fn read_again(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; USUAL_BYTES];
    let mut end = 0;
    loop {
        let read = match file.read_at(&mut bytes[end..], end as u64) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        end += read;
        if end < bytes.len() || end >= MOST_BYTES {
            bytes.truncate(end);
            return Ok(bytes);
        }
        bytes.resize(2 * end, 0);
    }
}

/// The same of a file that is text. A name in it need not be UTF-8.
pub(crate) fn read_text(path: &str) -> io::Result<String> {
    read_all(path).map(text)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The account at one moment.
pub(crate) struct Status(String);

impl Status {
    pub(crate) fn read() -> io::Result<Self> {
        read_text("/proc/self/status").map(Self)
    }

    /// That of now, in a file that was opened before.
    pub(crate) fn again(file: &File) -> io::Result<Self> {
        read_again(file).map(text).map(Self)
    }

    /// That of another process.
    pub(crate) fn of(pid: Pid) -> io::Result<Self> {
        read_text(&format!("/proc/{pid}/status")).map(Self)
    }

    /// The sums over all its memory. The kernel looks at each page: a millisecond for a few gigabytes.
    pub(crate) fn of_memory() -> io::Result<Self> {
        read_text("/proc/self/smaps_rollup").map(Self)
    }

    /// The lines whose names begin so.
    pub(crate) fn lines(&self, names: &[&str]) -> impl Iterator<Item = &str> {
        self.0
            .lines()
            .filter(|line| names.iter().any(|name| line.starts_with(name)))
    }

    /// The number in the line of this name.
    pub(crate) fn number(&self, name: &str, radix: u32) -> io::Result<u64> {
        let line = self
            .0
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_ascii_whitespace().next())
            .and_then(|digits| u64::from_str_radix(digits, radix).ok())
            .ok_or_else(|| {
                let message = format!("the kernel tells no number {name} of this process");
                io::Error::new(io::ErrorKind::InvalidData, message)
            })
    }

    /// An amount of memory, which the kernel writes in units of 1024 bytes.
    pub(crate) fn bytes(&self, name: &str) -> io::Result<u64> {
        Ok(self.number(name, 10)?.saturating_mul(1_024))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_whole_name() {
        let status =
            Status("Name:\tx\nThreads:\t12\nVmRSSx:\t1 kB\nVmRSS:\t  3 kB\nUmask:\t0022\n".into());
        assert_eq!(status.number("Threads", 10).unwrap(), 12);
        assert_eq!(status.bytes("VmRSS").unwrap(), 3_072);
        assert_eq!(status.number("Umask", 8).unwrap(), 0o22);
        assert!(status.number("Name", 10).is_err());
        assert!(status.number("Absent", 10).is_err());
    }
}
