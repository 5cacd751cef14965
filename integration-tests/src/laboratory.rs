//! A `crashlab` under test.

use std::fmt::Debug;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use pulsar_testkit::{Cli, HttpReply, Process, Program, Tree, http_get, wait_until};
use rustix::process::Signal;
use serde_json::Value;

use crate::Visitor;

/// What comes to pass in a server comes within this time, or the test fails. Tests that know a
/// tighter bound say so.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a server leaves behind is gone this long after its end.
const GONE: Duration = Duration::from_secs(1);
/// Connections that are opened until the worker that is sought has answered one: each worker
/// gets its share, so some tens would do.
const MAX_VISITS: usize = 1000;
/// Processor time, in ticks, that only a request that burns can take: 0.2 s on most systems.
const BURNT_TICKS: u64 = 20;

/// The programs under test, which are targets of the test's own package.
#[derive(Clone, Copy, Debug)]
pub struct Binaries {
    /// The example `crashlab`.
    pub crashlab: &'static str,
    /// The command line.
    pub pulsar: &'static str,
}

/// A `crashlab` that serves. Dropped, it is killed with its workers.
#[derive(Debug)]
pub struct Laboratory {
    /// Its program.
    pub program: Program,
    /// Where it serves.
    pub address: SocketAddr,
    /// The command line.
    pub cli: Cli,
    instance: PathBuf,
}

impl Laboratory {
    /// Starts it on a free port with these arguments, and waits until its first worker is ready.
    ///
    /// # Panics
    ///
    /// If it does not serve.
    pub fn open(binaries: Binaries, args: &[&str]) -> Self {
        let mut command = Command::new(binaries.crashlab);
        command.args(["--bind", "127.0.0.1:0"]).args(args);
        Self::of(binaries, Program::launch(command))
    }

    /// One whose program has been started, and waits until its first worker is ready.
    ///
    /// # Panics
    ///
    /// If it does not serve.
    pub fn of(binaries: Binaries, program: Program) -> Self {
        let address = program.listening_on();
        let instance = program.runtime_dir().join("pulsar/crashlab-under-test");
        let cli = Cli::new(binaries.pulsar);
        assert!(instance.join("control.sock").exists(), "no control socket");
        Self {
            program,
            address,
            cli,
            instance,
        }
    }

    /// One request on a connection of its own.
    ///
    /// # Errors
    ///
    /// The connection's.
    pub fn get(&self, path: &str) -> io::Result<HttpReply> {
        http_get(self.address, path)
    }

    /// Its control socket.
    pub fn control_socket(&self) -> PathBuf {
        self.instance.join("control.sock")
    }

    /// A new connection, to whichever worker.
    ///
    /// # Panics
    ///
    /// If nobody answers.
    pub fn visitor(&self) -> Visitor {
        Visitor::at(self.address)
    }

    /// A new connection to the worker of this process.
    ///
    /// # Panics
    ///
    /// If that worker never answers.
    pub fn visitor_of(&self, pid: u32) -> Visitor {
        let mut visitors = (0..MAX_VISITS).map(|_| self.visitor());
        let found = visitors.find(|visitor| visitor.pid() == pid);
        found.unwrap_or_else(|| panic!("{pid} does not answer; {:#?}", self.rows()))
    }

    /// The rows of all actors.
    ///
    /// # Panics
    ///
    /// If the command line fails.
    pub fn rows(&self) -> Vec<Value> {
        self.cli.ps(&self.program)
    }

    /// The pids of the workers, once this many are ready.
    ///
    /// # Panics
    ///
    /// If they do not become ready.
    pub fn worker_pids(&self, count: usize) -> Vec<u32> {
        let pids = wait_until(PATIENCE, || {
            let rows = self.cli.workers(&self.program);
            let running = rows.iter().filter(|row| row["state"] == "running");
            let pids: Vec<_> = running.map(pid_in).collect();
            (pids.len() == count).then_some(pids)
        });
        pids.unwrap_or_else(|| panic!("no {count} workers: {:#?}", self.rows()))
    }

    /// The row of the worker that has taken the place of the one that died as `pid`, once it is
    /// ready.
    ///
    /// # Panics
    ///
    /// If there is none within `limit`.
    pub fn replacement_of(&self, pid: u32, limit: Duration) -> Value {
        let row = wait_until(limit, || {
            let mut rows = self.cli.workers(&self.program).into_iter();
            rows.find(|row| row["last_exit"]["pid"] == pid && row["state"] == "running")
        });
        let row = row.unwrap_or_else(|| panic!("nobody replaces {pid}: {:#?}", self.rows()));
        assert_ne!(pid_in(&row), pid);
        row
    }

    /// Waits until a worker's row is in this state.
    ///
    /// # Panics
    ///
    /// If none comes there.
    pub fn await_state(&self, state: &str) {
        let seen = wait_until(PATIENCE, || {
            let rows = self.cli.workers(&self.program);
            rows.iter().any(|row| row["state"] == state).then_some(())
        });
        assert!(seen.is_some(), "no worker is {state}: {:#?}", self.rows());
    }

    /// Waits until a process holds its processor: it runs what never waits.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn await_burning(&self, pid: u32) {
        let process = Process::of(pid);
        let before = process.processor_ticks();
        let burning = wait_until(PATIENCE, || {
            let burnt = process.processor_ticks()?.checked_sub(before?)?;
            (burnt >= BURNT_TICKS).then_some(())
        });
        assert!(burning.is_some(), "{pid} does not burn");
    }

    /// Sends it this signal, and checks that it then ends as asked: see [`ends`](Self::ends).
    ///
    /// # Panics
    ///
    /// If it ends otherwise.
    pub fn stop(self, signal: Signal) -> Duration {
        let tree = self.program.tree();
        let begun = Instant::now();
        self.program.signal(signal).expect("it can be signalled");
        self.ends(&tree);
        begun.elapsed()
    }

    /// Waits for its end, which has been asked for, and checks that its exit code is 0 and that
    /// nothing is left: no process of `tree`, no control socket, no listener.
    ///
    /// # Panics
    ///
    /// If it ends otherwise, or leaves something.
    pub fn ends(mut self, tree: &Tree) {
        let status = self.program.wait();
        assert_eq!(status.code(), Some(0), "{}", self.program.stderr());
        expect_ok("processes left", tree.gone_within(GONE));
        assert!(!self.instance.exists(), "control socket left");
        expect_ok("port held", TcpListener::bind(self.address).map(drop));
    }
}

/// The pid in a row of `ps`.
fn pid_in(row: &Value) -> u32 {
    let pid = row["pid"].as_u64().and_then(|pid| pid.try_into().ok());
    pid.unwrap_or_else(|| panic!("no pid: {row}"))
}

fn expect_ok<E: Debug>(what: &str, result: Result<(), E>) {
    if let Err(error) = result {
        panic!("{what}: {error:?}");
    }
}
