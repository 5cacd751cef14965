//! From the standard error streams of actors to the arbiter's own.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Bytes that may wait to be written: what a burst of many actors brings, and little beside them. What finds no room is
/// dropped and counted.
const MOST_WAITING_BYTES: usize = 1 << 20;
/// Bytes that are written at once: who else writes to the stream, such as the log, waits for no more than these.
const MOST_WRITTEN_BYTES: usize = 4 << 10;
/// How long the thread waits for more before it ends.
const IDLE: Duration = Duration::from_secs(1);

/// Writes to this process's standard error stream from a thread of its own, as that may be a pipe which nobody reads; the
/// thread is there while there is something to write.
pub struct Relay {
    waiting: Mutex<Waiting>,
    /// There is something to write.
    filled: Condvar,
    /// All is written.
    emptied: Condvar,
}

struct Waiting {
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that found no room, and have not been told.
    dropped: u64,
    has_thread: bool,
    /// The thread is writing what it has taken out.
    is_writing: bool,
}

/// The process's only one: it has one such stream.
pub static RELAY: Relay = Relay::new();

impl Relay {
    const fn new() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                pieces: VecDeque::new(),
                bytes: 0,
                dropped: 0,
                has_thread: false,
                is_writing: false,
            }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    /// Passes a line on, or a part of one. Never waits.
    pub fn pass(&'static self, piece: &[u8]) {
        let mut waiting = self.waiting.lock();
        if waiting.bytes + piece.len() > MOST_WAITING_BYTES {
            waiting.dropped += 1;
        } else {
            waiting.bytes += piece.len();
            waiting.pieces.push_back(piece.to_vec());
        }
        if waiting.has_thread {
            self.filled.notify_one();
            return;
        }
        let thread = std::thread::Builder::new().name("pulsar-stderr".to_owned());
        // Without a thread it waits for the next line, which tries again.
        waiting.has_thread = thread.spawn(|| self.write()).is_ok();
    }

    /// Waits until all is written, for at most this long.
    pub fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut waiting = self.waiting.lock();
        while waiting.has_thread && (waiting.is_writing || !waiting.pieces.is_empty()) {
            if self.emptied.wait_until(&mut waiting, deadline).timed_out() {
                return;
            }
        }
    }

    /// The thread: writes until nothing has come for a while.
    fn write(&self) {
        while let Some((pieces, dropped)) = self.next() {
            let mut texts = joined(pieces);
            if dropped > 0 {
                let note =
                    format!("pulsar: {dropped} lines of actors' stderr found no room here\n");
                texts.push(note.into_bytes());
            }
            let mut stderr = std::io::stderr();
            for mut text in texts {
                if stderr.is_terminal() {
                    text = harmless(&text);
                }
                // Nobody reads it any more: there is nobody to tell either. The stream is free between two texts.
                let _ = stderr.write_all(&text);
            }
        }
    }

    /// What is to be written next; `None` if there has been nothing for a while, and the thread ends.
    fn next(&self) -> Option<(Vec<Vec<u8>>, u64)> {
        let mut waiting = self.waiting.lock();
        waiting.is_writing = false;
        if waiting.pieces.is_empty() {
            self.emptied.notify_all();
        }
        while waiting.pieces.is_empty() {
            if self.filled.wait_for(&mut waiting, IDLE).timed_out() && waiting.pieces.is_empty() {
                waiting.has_thread = false;
                return None;
            }
        }
        waiting.is_writing = true;
        waiting.bytes = 0;
        let pieces = waiting.pieces.drain(..).collect();
        Some((pieces, std::mem::take(&mut waiting.dropped)))
    }
}

/// The pieces in texts of no more than what is written at once, each of whole pieces: what others write between two texts
/// stands between two lines. A piece that is longer is a text by itself.
fn joined(pieces: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for piece in pieces {
        match texts.last_mut() {
            Some(text) if text.len() + piece.len() <= MOST_WRITTEN_BYTES => text.extend(piece),
            _ => texts.push(piece),
        }
    }
    texts
}

/// The text without what a terminal would obey, but for line ends and tabs: that is shown as an escape.
fn harmless(text: &[u8]) -> Vec<u8> {
    let mut harmless = String::with_capacity(text.len());
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '\n' | '\t' => harmless.push(character),
            character if character.is_control() => harmless.extend(character.escape_default()),
            character => harmless.push(character),
        }
    }
    harmless.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_at_once_is_short_and_of_whole_lines() {
        let line = [b'x'; 1_500].to_vec();
        let texts = joined(vec![line; 700]);
        assert_eq!(texts.len(), 350);
        assert!(texts.iter().all(|text| text.len() == 3_000));
        assert_eq!(texts.concat().len(), 700 * 1_500);
    }

    #[test]
    fn a_terminal_is_given_nothing_that_it_would_obey() {
        let shown = harmless("a\u{1b}[31mb\tc\u{9b}2J\u{7f}é\r\n".as_bytes());
        let expected = "a\\u{1b}[31mb\tc\\u{9b}2J\\u{7f}é\\r\n";
        assert_eq!(String::from_utf8(shown).unwrap(), expected);
    }
}
