//! What the parent's checks share.

use std::{
    ffi::OsString,
    io::{ErrorKind, Read},
    os::unix::net::UnixStream,
    time::Duration,
};

use pulsar_sys::{Children, Exit, Pid, exec};
use rustix::process::{Resource, Rlimit, WaitId, WaitIdOptions, setrlimit, waitid};

/// No child takes this long to say something.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the parent as unlike a fresh process as it can, so that children show that they don't inherit it.
pub(crate) fn prepare() {
    let none = Some(0);
    let limit = Rlimit {
        current: none,
        maximum: none,
    };
    setrlimit(Resource::Core, limit).unwrap();
    pulsar_sys::boot::ignore_terminal_signals();
    for signal in [libc::SIGUSR1, libc::SIGRTMAX()] {
        // SAFETY: ignoring runs no code.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: zero is a value of a set of signals.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours, and the signal exists.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGTERM) };
    // SAFETY: the set is ours, and no old one is asked for.
    let result =
        unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    assert_eq!(result, 0);
}

pub(crate) fn environment() -> Vec<(OsString, OsString)> {
    vec![("ONLY".into(), "this one".into())]
}

/// Starts a child in this part, and makes the link wait for it.
pub(crate) fn start(arguments: &[&str]) -> exec::Spawned {
    let spawned = exec::spawn(&exec::ExecSpec {
        environment: environment(),
        program_name: "a child".into(),
        arguments: arguments.iter().map(OsString::from).collect(),
        pipes_stderr: false,
    });
    let spawned = spawned.unwrap();
    spawned.link.set_nonblocking(false).unwrap();
    spawned.link.set_read_timeout(Some(PATIENCE)).unwrap();
    spawned
}

/// Starts a child in this part and watches it.
pub(crate) fn start_in(children: &mut Children, arguments: &[&str]) -> exec::Spawned {
    let spawned = start(arguments);
    children.insert(spawned.pid);
    spawned
}

pub(crate) fn await_ready(mut link: &UnixStream) {
    let mut byte = [0];
    link.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"r");
}

/// Waits for the link's end, which is the news of the child's death. Unread bytes are a broken link.
pub(crate) fn await_link_end(mut link: &UnixStream) {
    match link.read(&mut [0; 8]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("the link has not ended: {other:?}"),
    }
}

/// Waits until the process has ended, and leaves it to be reaped.
pub(crate) fn await_zombie(pid: Pid) {
    let pid = rustix::process::Pid::from_raw(pid.as_raw()).unwrap();
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), options).unwrap();
}

/// Waits until any child has ended, and leaves it to be reaped. False if there is none.
pub(crate) fn await_any() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, options).is_ok()
}

/// Waits until the child has ended, and reaps it.
pub(crate) fn await_end(children: &mut Children, pid: Pid) -> Exit {
    await_zombie(pid);
    let ended = children.reap();
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0].0, pid);
    ended[0].1
}
