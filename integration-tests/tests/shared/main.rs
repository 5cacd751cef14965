//! Bytes that processes share, with real processes.
#![forbid(unsafe_code)]

mod ending;
mod hostile;
mod large;
mod many;
mod passing;
mod scarce;
#[path = "../links/sockets.rs"]
mod sockets;
mod starting;
mod text;

use std::fs::read_to_string;

use pulsar::Never;
use pulsar::prelude::*;
use serde::{Deserialize, Serialize};

#[command]
async fn sum(_cx: Context, bytes: SharedBytes) -> u64 {
    bytes.iter().copied().map(u64::from).sum()
}

/// Replies with shared bytes of its own.
#[command]
async fn make(_cx: Context, text: String) -> Result<SharedBytes, Error> {
    Ok(SharedBytes::copy_from(text.as_bytes())?)
}

/// A command's own error, with shared bytes in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("rejected: {why}")]
struct Rejected {
    why: String,
    bytes: SharedBytes,
}

#[command]
async fn reject(_cx: Context, bytes: SharedBytes) -> Result<(), Rejected> {
    let why = format!("{} bytes", bytes.len());
    Err(Rejected { why, bytes })
}

/// Keeps what it is given.
#[derive(Default)]
struct Keeper {
    kept: Vec<SharedBytes>,
}

#[pulsar::actor]
impl Keeper {
    async fn start(_cx: Context) -> Result<Self> {
        Ok(Self::default())
    }

    #[command]
    async fn keep(&mut self, bytes: SharedBytes) -> usize {
        self.kept.push(bytes);
        self.kept.len()
    }

    #[command(no_ack)]
    async fn take(&mut self, bytes: SharedBytes) {
        self.kept.push(bytes);
    }

    #[command]
    async fn last(&mut self) -> Option<SharedBytes> {
        self.kept.last().cloned()
    }

    #[command]
    async fn last_as_text(&mut self) -> String {
        let last = self.kept.last().cloned().unwrap_or_default();
        String::from_utf8_lossy(&last).into_owned()
    }

    #[command]
    async fn forget(&mut self) -> usize {
        self.kept.drain(..).count()
    }

    #[command]
    async fn refuse(&mut self) -> Result<(), Rejected> {
        let bytes = self.kept.pop().unwrap_or_default();
        let why = "its own".to_owned();
        Err(Rejected { why, bytes })
    }
}

/// The number of the file in which shared bytes stand: the same in each process that has them.
fn file_of(bytes: &SharedBytes) -> Result<u64> {
    let at = bytes.as_ptr() as usize;
    for line in read_to_string("/proc/self/maps")?.lines() {
        let mut words = line.split_whitespace();
        let range = words.next().and_then(|range| range.split_once('-'));
        let (start, end) = range.ok_or_else(|| Error::msg("no range"))?;
        let (start, end) = (
            usize::from_str_radix(start, 16)?,
            usize::from_str_radix(end, 16)?,
        );
        if (start..end).contains(&at) {
            let inode = words.nth(3).ok_or_else(|| Error::msg("no file"))?;
            return Ok(inode.parse()?);
        }
    }
    Err(Error::msg("not mapped"))
}

/// How many shared bytes this process has mapped.
fn mapped() -> Result<usize> {
    let maps = read_to_string("/proc/self/maps")?;
    Ok(maps.matches("memfd:pulsar-shared").count())
}

/// A number of `/proc/self/status`, in KiB.
fn status_kib(name: &str) -> Result<u64> {
    let status = read_to_string("/proc/self/status")?;
    let mut lines = status.lines();
    let number = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = number.and_then(|number| number.split_whitespace().next());
    Ok(number.ok_or_else(|| Error::msg("no number"))?.parse()?)
}

/// How an ask ended that was not answered and whose command has no error of its own.
fn not_answered(error: CallError<Never>) -> SendError {
    match error {
        CallError::Send(error) => error,
        CallError::Command(never) => match never {},
    }
}
