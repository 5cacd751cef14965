//! A peer that is a program, used where it is installed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::order::{Reading, absent};

/// A server that is not there by then is broken.
const START_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);
/// Where a user's path lacks them, servers are still installed there.
const MORE_FOLDERS: &[&str] = &["/usr/sbin", "/usr/local/sbin"];

/// A server's process. Dropping it kills it.
pub(super) struct Server(Child);

/// The file of a program.
///
/// # Errors
/// It is not installed.
pub(super) fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(MORE_FOLDERS.iter().map(PathBuf::from));
    let file = folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    file.ok_or_else(|| absent(format!("{name} is not installed")))
}

impl Server {
    /// Starts it, silently.
    pub(super) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port of the loopback that was free just now.
pub(super) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Connects, as soon as the server listens.
pub(super) fn connect(port: u16) -> anyhow::Result<TcpStream> {
    let begun = Instant::now();
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if begun.elapsed() > START_LIMIT => return Err(error.into()),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// What a program that measures by itself prints: lines `name value`.
pub(super) fn measured(command: &mut Command) -> anyhow::Result<Reading> {
    let output = command.stdin(Stdio::null()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "{}: {text} {errors}",
        output.status
    );
    let mut reading = Reading::new();
    for line in text.lines() {
        let (name, value) = line.split_once(' ').context("a line without a value")?;
        reading.insert(name.to_owned(), value.parse()?);
    }
    Ok(reading)
}

/// A stream of text lines and counted bytes, as brokers speak.
pub(super) struct Lines {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
}

impl Lines {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            start: 0,
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// The next line, without its end.
    pub(super) fn line(&mut self) -> anyhow::Result<String> {
        let mut looked = 0;
        loop {
            let rest = &self.buffer[self.start..];
            let end = rest[looked..].windows(2).position(|pair| pair == b"\r\n");
            if let Some(end) = end.map(|end| end + looked) {
                let line = std::str::from_utf8(&rest[..end])?.to_owned();
                self.start += end + 2;
                return Ok(line);
            }
            looked = rest.len().saturating_sub(1);
            self.fill()?;
        }
    }

    /// So many bytes, and the end of a line behind them.
    pub(super) fn bytes(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        while self.buffer.len() - self.start < length + 2 {
            self.fill()?;
        }
        let bytes = self.buffer[self.start..self.start + length].to_vec();
        self.start += length + 2;
        Ok(bytes)
    }

    fn fill(&mut self) -> anyhow::Result<()> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.drain(..self.start);
        }
        self.start = 0;
        let mut more = [0; 65_536];
        let length = self.stream.read(&mut more)?;
        anyhow::ensure!(length > 0, "the broker has closed the connection");
        self.buffer.extend_from_slice(&more[..length]);
        Ok(())
    }
}
