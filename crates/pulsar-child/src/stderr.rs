//! The standard error stream of one actor's process, read by the arbiter.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use parking_lot::Mutex;
use pulsar_sys::descriptors::read_now;
use tokio::net::unix::pipe;
use tokio::task::AbortHandle;

use crate::relay::RELAY;

/// A line that is longer is taken for several.
const MOST_LINE_BYTES: usize = 4_096;
/// All lines that are kept together: they travel with each list of actors.
const MOST_KEPT_BYTES: usize = 16 << 10;
/// What is read of a pipe whose process has exited: all that a pipe can hold, unless a privileged process has enlarged
/// it. Without a bound a descendant that goes on writing would hold up the news of the death.
const MOST_DRAINED_BYTES: usize = 1 << 20;
/// What is read at once.
const CHUNK_BYTES: usize = 16 << 10;

/// The reading end, and what has come so far. Dropped, it is closed.
pub struct Stderr {
    pipe: Arc<pipe::Receiver>,
    lines: Arc<Mutex<Lines>>,
    reading: AbortHandle,
}

impl Stderr {
    /// Begins to read, on the current loop, and keeps the last `keep` lines.
    ///
    /// # Errors
    ///
    /// If it is no pipe, or the loop cannot watch it.
    pub fn read(pipe: OwnedFd, keep: usize) -> io::Result<Self> {
        // It does not block from here on.
        let pipe = Arc::new(pipe::Receiver::from_owned_fd(pipe)?);
        let lines = Arc::new(Mutex::new(Lines::new(keep, |line| RELAY.pass(line))));
        let reading = tokio::spawn(read(Arc::clone(&pipe), Arc::clone(&lines)));
        Ok(Self {
            pipe,
            lines,
            reading: reading.abort_handle(),
        })
    }

    /// The process has exited: reads what it had written, which is all there by now, and closes the pipe, whoever else
    /// still holds it.
    pub fn finish(&self) -> Last {
        self.reading.abort();
        let mut lines = self.lines.lock();
        let mut chunk = [0; CHUNK_BYTES];
        let mut left = MOST_DRAINED_BYTES;
        while left > 0 {
            // Past the loop, which may not have heard of it yet.
            match read_now(&*self.pipe, &mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(read) => {
                    lines.take(&chunk[..read]);
                    left = left.saturating_sub(read);
                }
            }
        }
        lines.finish()
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// What is known of a stream in the end.
#[derive(Debug, Default, PartialEq)]
pub struct Last {
    /// The last lines, the oldest first.
    pub lines: Vec<String>,
    /// The last that it says is that an allocation failed.
    pub says_out_of_memory: bool,
}

/// Reads until the end.
async fn read(pipe: Arc<pipe::Receiver>, lines: Arc<Mutex<Lines>>) {
    // Each turn counts as one of the loop's, so that a process that writes without end does not hold it.
    while pipe.readable().await.is_ok() {
        match read_some(&pipe, &lines) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}

fn read_some(pipe: &pipe::Receiver, lines: &Mutex<Lines>) -> io::Result<usize> {
    let mut chunk = [0; CHUNK_BYTES];
    let read = pipe.try_read(&mut chunk)?;
    lines.lock().take(&chunk[..read]);
    Ok(read)
}

/// Bytes on their way to lines.
struct Lines {
    keep: usize,
    /// Where each line goes on to, with its end.
    pass: fn(&[u8]),
    /// The line that has no end yet.
    begun: Vec<u8>,
    kept: VecDeque<String>,
    kept_bytes: usize,
    says_out_of_memory: bool,
}

impl Lines {
    fn new(keep: usize, pass: fn(&[u8])) -> Self {
        Self {
            keep,
            pass,
            begun: Vec::new(),
            kept: VecDeque::new(),
            kept_bytes: 0,
            says_out_of_memory: false,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in part.chunks(MOST_LINE_BYTES) {
                if self.begun.len() + piece.len() > MOST_LINE_BYTES {
                    self.end_line();
                }
                self.begun.extend_from_slice(piece);
            }
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// A line is whole, or long enough.
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.begun);
        (self.pass)(&line);
        let line = String::from_utf8_lossy(line.trim_ascii_end());
        self.says_out_of_memory =
            tells_failed_allocation(&line) || self.says_out_of_memory && follows_abort(&line);
        self.kept_bytes += line.len();
        self.kept.push_back(line.into_owned());
        while self.kept.len() > self.keep || self.kept_bytes > MOST_KEPT_BYTES {
            let gone = self.kept.pop_front();
            self.kept_bytes -= gone.map_or(self.kept_bytes, |line| line.len());
        }
    }

    fn finish(&mut self) -> Last {
        if !self.begun.is_empty() {
            // What others say next is not to stand in the same line.
            self.begun.push(b'\n');
            self.end_line();
        }
        Last {
            lines: std::mem::take(&mut self.kept).into(),
            says_out_of_memory: self.says_out_of_memory,
        }
    }
}

/// What Rust's standard library says before it aborts for want of memory.
fn tells_failed_allocation(line: &str) -> bool {
    let bytes = line
        .strip_prefix("memory allocation of ")
        .and_then(|line| line.strip_suffix(" bytes failed"));
    bytes.is_some_and(|bytes| bytes.parse::<u64>().is_ok())
}

/// What it may say after that: a backtrace, or how to get one.
fn follows_abort(line: &str) -> bool {
    const BEGINS: [&str; 4] = ["stack backtrace:", "note: ", "skipping backtrace ", " "];
    line.is_empty() || BEGINS.iter().any(|begin| line.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn what_is_in_the_pipe_at_the_end_is_read_though_others_hold_it_open() {
        let (reader, mut held) = io::pipe().unwrap();
        let stderr = Stderr::read(reader.into(), 5).unwrap();
        // The loop does not turn before the end.
        held.write_all(b"one\ntwo").unwrap();
        assert_eq!(stderr.finish().lines, ["one", "two"]);
    }

    fn last(keep: usize, chunks: &[&str]) -> Last {
        let mut lines = Lines::new(keep, |_| ());
        for chunk in chunks {
            lines.take(chunk.as_bytes());
        }
        lines.finish()
    }

    #[test]
    fn a_last_line_without_end_is_passed_on_with_one() {
        static PASSED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        let mut lines = Lines::new(5, |line| PASSED.lock().extend_from_slice(line));
        lines.take(b"one\ntwo");
        assert_eq!(lines.finish().lines, ["one", "two"]);
        assert_eq!(*PASSED.lock(), b"one\ntwo\n");
    }

    #[test]
    fn the_last_lines_are_kept_however_they_come() {
        let kept = last(2, &["one\ntw", "o\nth", "ree\r\nfo", "ur"]).lines;
        assert_eq!(kept, ["three", "four"]);
        assert_eq!(last(5, &["one\n\ntwo\n"]).lines, ["one", "", "two"]);
        assert!(last(5, &[]).lines.is_empty());
        assert!(last(0, &["one\n"]).lines.is_empty());
    }

    #[test]
    fn lines_without_end_and_very_many_take_no_more_than_their_bounds() {
        let long = "x".repeat(MOST_LINE_BYTES * 2 + 1);
        let kept = last(1_000, &[&long, "\nend\n"]).lines;
        let lengths: Vec<_> = kept.iter().map(String::len).collect();
        assert_eq!(lengths, [MOST_LINE_BYTES, MOST_LINE_BYTES, 1, 3]);
        let many = format!("{}\n", "y".repeat(1_023)).repeat(100);
        let kept = last(1_000, &[&many]).lines;
        let bytes: usize = kept.iter().map(String::len).sum();
        assert_eq!(kept.len(), MOST_KEPT_BYTES / 1_023);
        assert!(bytes <= MOST_KEPT_BYTES, "{bytes}");
    }

    #[test]
    fn a_failed_allocation_is_known_only_as_the_last_word() {
        let says = |text: &str| last(0, &[text]).says_out_of_memory;
        let failed = "memory allocation of 1048576 bytes failed\n";
        assert!(says(failed));
        assert!(says(&format!("hello\n{failed}note: run with a variable\n")));
        assert!(says(&format!(
            "{failed}stack backtrace:\n   0: a\n             at b\n"
        )));
        let again = format!("{failed}skipping backtrace printing to avoid potential recursion\n");
        assert!(says(&format!("{failed}stack backtrace:\n{again}")));
        assert!(!says(&format!("{failed}recovered\n")));
        assert!(!says("memory allocation of many bytes failed\n"));
        assert!(!says("he said: memory allocation of 1 bytes failed\n"));
        assert!(!says(""));
    }
}
