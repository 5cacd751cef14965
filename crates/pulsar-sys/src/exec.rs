//! Making a child by executing the program's own file again.
//!
//! The child inherits one end of a socket pair, and the variable `PULSAR_BOOT` tells it which descriptor that is. Its
//! side is [`boot`]. It starts with default signal dispositions, an empty signal mask, no descriptors but
//! the standard three and the link, and it dies with its parent.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Command, Stdio},
};

use libc::{c_int, pid_t};

use crate::{
    boot::{self, Errand},
    pid::Pid,
    platform,
};

/// What a child is started with.
#[derive(Clone, Debug, Default)]
pub struct ExecSpec {
    /// The whole environment of the child; nothing is inherited. `PULSAR_BOOT` is added.
    pub environment: Vec<(OsString, OsString)>,
    /// Its `argv[0]`, which tools show.
    pub program_name: OsString,
    /// Its further arguments.
    pub arguments: Vec<OsString>,
    /// Its standard error stream is a pipe that this process reads, rather than this process's own.
    pub pipes_stderr: bool,
}

/// A child that has been started.
#[derive(Debug)]
pub struct Spawned {
    /// Its pid. Nobody waits for it yet: give it to [`Children`](crate::children::Children).
    pub pid: Pid,
    /// The parent's end of the link: non-blocking, closed by `exec`. It ends when the child does.
    pub link: UnixStream,
    /// Where its standard error stream is read, if that is a pipe: blocking, closed by `exec`.
    pub stderr: Option<OwnedFd>,
}

/// Starts a child that runs the same executable as this process, even if the file on disk has been replaced.
///
/// When it returns, the child's `exec` has succeeded. The standard input of the child is empty; its output and error
/// streams are those of this process, unless the latter is to be a pipe.
///
/// # Errors
///
/// See [`SpawnFailure`]. It is refused on any thread but the main one: the system kills a child when the *thread* that
/// made it ends, and the main thread is the one that ends with the process.
pub fn spawn(spec: &ExecSpec) -> Result<Spawned, SpawnFailure> {
    start(spec, Errand::Actor)
}

/// The same for either errand.
pub(crate) fn start(spec: &ExecSpec, errand: Errand) -> Result<Spawned, SpawnFailure> {
    if !platform::on_main_thread() {
        return Err(SpawnFailure::wrong_thread());
    }
    let (link, inherited) = UnixStream::pair().map_err(SpawnFailure::at("make a socket pair"))?;
    link.set_nonblocking(true)
        .map_err(SpawnFailure::at("make the link non-blocking"))?;
    let inherited =
        above_standard(inherited.into()).map_err(SpawnFailure::at("move the child's socket"))?;
    let mut child = command(spec, inherited.as_raw_fd(), errand)
        .map_err(SpawnFailure::at("find the program's own file"))?
        .spawn()
        .map_err(SpawnFailure::at("start the program"))?;
    let stderr = child.stderr.take().map(OwnedFd::from);
    // The child's handle is dropped without waiting: we wait by pid, in `Children`.
    let pid = i32::try_from(child.id()).ok().and_then(Pid::new);
    let pid = pid.expect("the system gives pids above zero");
    Ok(Spawned { pid, link, stderr })
}

/// In a program that was started without standard streams a socket may get one of their numbers, which the child's own
/// streams would overwrite.
pub(crate) fn above_standard(socket: OwnedFd) -> io::Result<OwnedFd> {
    if socket.as_raw_fd() >= boot::FIRST_DESCRIPTOR {
        return Ok(socket);
    }
    Ok(rustix::io::fcntl_dupfd_cloexec(
        &socket,
        boot::FIRST_DESCRIPTOR,
    )?)
}

fn command(spec: &ExecSpec, inherited: RawFd, errand: Errand) -> io::Result<Command> {
    let parent = Pid::current().as_raw();
    let mut command = Command::new(platform::executable()?);
    command
        .arg0(&spec.program_name)
        .args(&spec.arguments)
        .env_clear()
        .envs(spec.environment.iter().map(|(name, value)| (name, value)))
        .env(boot::VARIABLE, errand.written(inherited, parent))
        .stdin(Stdio::null())
        .stdout(Stdio::inherit())
        .stderr(match spec.pipes_stderr {
            true => Stdio::piped(),
            false => Stdio::inherit(),
        });
    // SAFETY: between fork and exec only async-signal-safe work is allowed, as another thread may have held any lock
    // at the fork. `before_exec` and all it calls make system calls and touch numbers: no allocation, no lock, no
    // panic, and errors that are made of an errno. It captures two numbers.
    unsafe { command.pre_exec(move || before_exec(inherited, parent)) };
    Ok(command)
}

/// The child's last steps before `exec`. Async-signal-safe throughout, see `command`.
fn before_exec(link: RawFd, parent: pid_t) -> io::Result<()> {
    default_signals();
    empty_signal_mask()?;
    // The pipe on which the standard library reports a failing `exec` is marked already, and stays open until then.
    platform::close_on_exec_from(boot::FIRST_DESCRIPTOR);
    // SAFETY: it clears a flag of the socket that `spawn` holds open until we have executed.
    if unsafe { libc::fcntl(link, libc::F_SETFD, 0) } == -1 {
        return Err(io::Error::last_os_error());
    }
    platform::arm_parent_death()?;
    // Had the parent died before the signal was armed, none would come. It has not if it is still the parent *after*
    // that; if it dies later, the signal does its work.
    // SAFETY: the call takes nothing and can't fail.
    if unsafe { libc::getppid() } != parent {
        // SAFETY: ends the process without running any of the parent's exit handlers.
        unsafe { libc::_exit(0) };
    }
    Ok(())
}

/// An ignored signal would stay ignored across `exec`.
fn default_signals() {
    for signal in 1..=platform::HIGHEST_SIGNAL {
        if !is_fixed(signal) {
            platform::default_signal(signal);
        }
    }
}

fn is_fixed(signal: c_int) -> bool {
    signal == libc::SIGKILL || signal == libc::SIGSTOP
}

/// A blocked signal would stay blocked across `exec`. Async-signal-safe.
pub(crate) fn empty_signal_mask() -> io::Result<()> {
    // SAFETY: a set of signals is plain bits, for which zero is a value.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: it writes to the set, which is ours.
    unsafe { libc::sigemptyset(&raw mut set) };
    // SAFETY: it reads the set, which is initialised; no old one is asked for.
    let result =
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Why no child was started.
#[derive(Debug, thiserror::Error)]
#[error("failed to {step}")]
pub struct SpawnFailure {
    /// What was tried; fits after "failed to".
    pub step: &'static str,
    /// Why it failed.
    pub source: io::Error,
}

impl SpawnFailure {
    const WRONG_THREAD: &'static str =
        "start a child from a thread that is not the main one; spawn on the main thread";

    /// The system's error number; `EINVAL` if the failure was found before the system was asked, such as a zero byte
    /// in an argument.
    pub fn errno(&self) -> i32 {
        self.source.raw_os_error().unwrap_or(libc::EINVAL)
    }

    /// Whether it was refused because the calling thread isn't the main one.
    pub fn is_wrong_thread(&self) -> bool {
        self.step == Self::WRONG_THREAD
    }

    fn wrong_thread() -> Self {
        Self {
            step: Self::WRONG_THREAD,
            source: io::Error::from_raw_os_error(libc::EPERM),
        }
    }

    fn at(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { step, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_not_the_main_one_may_not_spawn() {
        // The harness runs tests on threads of their own.
        let failure = spawn(&ExecSpec::default()).unwrap_err();
        assert!(failure.is_wrong_thread());
        assert_eq!(failure.errno(), libc::EPERM);
    }

    #[test]
    fn a_socket_with_the_number_of_a_standard_stream_is_moved() {
        let (one, _other) = UnixStream::pair().unwrap();
        let number = one.as_raw_fd();
        assert_eq!(above_standard(one.into()).unwrap().as_raw_fd(), number);
    }
}
