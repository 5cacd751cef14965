//! A program under test.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pulsar_sys::Pid;
use rustix::process::{Signal, kill_process};
use tempfile::TempDir;

use crate::{Tree, wait_until};

/// A program that takes longer to say a line, or to end, hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A real binary that runs, with a runtime directory of its own: its control socket is not seen
/// by others, nor theirs by it. Dropped, it is killed with all below it.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    stderr: Arc<Mutex<String>>,
    runtime_dir: TempDir,
}

impl Program {
    /// Starts `binary` with these arguments.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        binary: impl AsRef<Path>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        Self::start_in(
            binary,
            args,
            TempDir::new().expect("a temporary directory can be made"),
        )
    }

    /// Starts it with this runtime directory.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start_in<A: AsRef<OsStr>>(
        binary: impl AsRef<Path>,
        args: impl IntoIterator<Item = A>,
        runtime_dir: TempDir,
    ) -> Self {
        let binary = binary.as_ref();
        let mut command = Command::new(binary);
        command
            .args(args)
            .env("XDG_RUNTIME_DIR", runtime_dir.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let (to_lines, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody may be listening any more.
                let _ = to_lines.send(line);
            }
        });
        let stderr = gather(child.stderr.take().expect("stderr is a pipe"));
        Self {
            child,
            lines,
            stderr,
            runtime_dir,
        }
    }

    /// Waits for the line that says where it listens, and gives the address.
    ///
    /// # Panics
    ///
    /// If the next line on stdout is not such a line, with what stands on stderr.
    pub fn listening_on(&self) -> SocketAddr {
        let line = self
            .line()
            .unwrap_or_else(|| panic!("it does not listen: {}", self.stderr()));
        let address = line
            .split_once(" listening on http://")
            .map(|(_, address)| address);
        let address = address.and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("no listening line: {line:?}; {}", self.stderr()))
    }

    /// The next line on stdout; `None` when there are no more.
    ///
    /// # Panics
    ///
    /// If neither comes within a minute.
    pub fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it says nothing: {}", self.stderr()),
        }
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        i32::try_from(self.child.id())
            .ok()
            .and_then(|pid| Pid::try_from(pid).ok())
            .expect("a child's pid is a pid")
    }

    /// Its process and those below it, now.
    pub fn tree(&self) -> Tree {
        Tree::of(self.pid())
    }

    /// Its runtime directory.
    pub fn runtime_dir(&self) -> &Path {
        self.runtime_dir.path()
    }

    /// Sends its process a signal.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        send_signal(self.child.id(), signal)
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it does not end within a minute.
    pub fn wait(&mut self) -> ExitStatus {
        let status = wait_until(LIMIT, || {
            self.child
                .try_wait()
                .expect("one's own child can be waited for")
        });
        status.unwrap_or_else(|| panic!("it does not end: {}", self.stderr()))
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Sends a process of the test's own a signal.
fn send_signal(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
    Ok(kill_process(pid, signal)?)
}

fn gather(mut pipe: ChildStderr) -> Arc<Mutex<String>> {
    let gathered = Arc::new(Mutex::new(String::new()));
    let to_gathered = Arc::clone(&gathered);
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut chunk) {
            let text = String::from_utf8_lossy(&chunk[..read]);
            to_gathered
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&text);
        }
    });
    gathered
}

impl Drop for Program {
    fn drop(&mut self) {
        // Errors: it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
