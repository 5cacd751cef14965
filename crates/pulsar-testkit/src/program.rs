//! A program under test.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pulsar_harness::{WAY_VARIABLE, spawn_way};
use pulsar_sys::Pid;
use rustix::process::{Signal, kill_process};
use tempfile::TempDir;

use crate::{Tree, wait_until};

/// A program that takes longer to say a line, or to end, hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A real binary that runs, with a runtime directory of its own: its control socket is not seen
/// by others, nor theirs by it. That is also its working directory, and of `PULSAR_…` it sees
/// only what the test says. Dropped, it is killed with all below it.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    stderr: Stderr,
    runtime_dir: Arc<TempDir>,
}

/// How a program has ended, and what it has said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Its exit code; `None` if a signal killed it.
    pub code: Option<i32>,
    /// The lines on stdout that nobody has read before.
    pub stdout: Vec<String>,
    /// All that it has written to stderr.
    pub stderr: String,
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
        let mut command = Command::new(binary.as_ref());
        command.args(args);
        Self::launch(command)
    }

    /// Starts this command, whose environment and working directory may have been set.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn launch(command: Command) -> Self {
        let runtime_dir = TempDir::new().expect("a temporary directory can be made");
        Self::launch_in(command, Arc::new(runtime_dir))
    }

    /// Starts this command in the same runtime directory as this program.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn beside(&self, command: Command) -> Self {
        Self::launch_in(command, Arc::clone(&self.runtime_dir))
    }

    fn launch_in(mut command: Command, runtime_dir: Arc<TempDir>) -> Self {
        shelter(&mut command, runtime_dir.path());
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let (to_lines, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody may be listening any more.
                let _ = to_lines.send(line);
            }
        });
        let stderr = Stderr::gather(child.stderr.take().expect("stderr is a pipe"));
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

    /// Sends a process below it a signal.
    ///
    /// # Errors
    ///
    /// `NotFound` if no process of that id stands below it: a stranger gets no signal. Else the
    /// system's.
    pub fn signal_below(&self, pid: u32, signal: Signal) -> io::Result<()> {
        let below = self.tree();
        let known = i32::try_from(pid).ok().and_then(Pid::new);
        match known.is_some_and(|pid| below.pids()[1..].contains(&pid)) {
            true => send_signal(pid, signal),
            false => Err(io::ErrorKind::NotFound.into()),
        }
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
        self.stderr.text()
    }

    /// Waits for its end, and gives all that it has said.
    ///
    /// # Panics
    ///
    /// If it does not end within a minute, or a process that it has left behind holds its stdout
    /// or stderr for as long.
    pub fn outcome(mut self) -> Outcome {
        let code = self.wait().code();
        let stdout = std::iter::from_fn(|| self.line()).collect();
        Outcome {
            code,
            stdout,
            stderr: self.stderr.whole(),
        }
    }
}

/// Keeps what surrounds the test out of the program, and what the program leaves out of the
/// directory of the test.
fn shelter(command: &mut Command, runtime_dir: &Path) {
    let given: Vec<OsString> = command
        .get_envs()
        .map(|(name, _)| name.to_owned())
        .collect();
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PULSAR_") && !given.contains(&name) {
            command.env_remove(name);
        }
    }
    // How its processes are made is a matter of the test.
    if let Some(way) = spawn_way().filter(|_| !given.iter().any(|name| name == WAY_VARIABLE)) {
        command.env(WAY_VARIABLE, way);
    }
    if !given.iter().any(|name| name == "XDG_RUNTIME_DIR") {
        command.env("XDG_RUNTIME_DIR", runtime_dir);
    }
    if command.get_current_dir().is_none() {
        command.current_dir(runtime_dir);
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

/// What a program writes to stderr, gathered by a thread.
#[derive(Debug)]
struct Stderr {
    text: Arc<Mutex<String>>,
    /// Its sender is dropped when there is no more.
    end: Receiver<()>,
}

impl Stderr {
    fn gather(mut pipe: ChildStderr) -> Self {
        let text = Arc::<Mutex<String>>::default();
        let to_text = Arc::clone(&text);
        let (at_end, end) = channel();
        thread::spawn(move || {
            let _at_end: Sender<()> = at_end;
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut chunk) {
                let more = String::from_utf8_lossy(&chunk[..read]);
                to_text
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&more);
            }
        });
        Self { text, end }
    }

    fn text(&self) -> String {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.clone()
    }

    fn whole(&self) -> String {
        match self.end.recv_timeout(LIMIT) {
            Err(RecvTimeoutError::Timeout) => panic!("its stderr is still held: {}", self.text()),
            _ => self.text(),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Errors: it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
