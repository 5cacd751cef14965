//! Limits and dispositions that a process sets on itself.

use std::{
    ffi::{CString, OsStr},
    fs, io,
    os::unix::ffi::OsStrExt,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::platform;

const OOM_SCORE_FILE: &str = "/proc/self/oom_score_adj";
/// The kernel's own bound of the adjustment.
const HIGHEST_OOM_SCORE: i32 = 1_000;

/// Makes the kernel prefer this process by `by` points, of at most 1000, when memory runs out and one must be killed.
///
/// A system without the score is no error.
///
/// # Errors
///
/// If the score is there but can't be read or written.
pub fn raise_oom_score(by: i32) -> io::Result<()> {
    let current = match fs::read_to_string(OOM_SCORE_FILE) {
        Ok(text) => text.trim().parse::<i32>().map_err(io::Error::other)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let raised = current.saturating_add(by).min(HIGHEST_OOM_SCORE);
    fs::write(OOM_SCORE_FILE, raised.to_string())
}

/// Raises the limit of open files to what the system allows this process, and returns it; `u64::MAX` is no limit.
///
/// # Errors
///
/// If the system refuses.
pub fn raise_open_files() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        setrlimit(Resource::Nofile, raised)?;
    }
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Ignores PIPE, so that writing where nobody reads is an error and not the end. Rust's own start does so for `main`; what
/// runs before `main` does it by itself.
pub fn ignore_broken_pipes() {
    // SAFETY: ignoring installs no handler, so no code of ours runs in a signal.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Makes nothing of the signals that a terminal sends to all of its processes (INT, QUIT and HUP), so that the parent
/// alone decides; and ignores PIPE, so that writing to a closed link is an error and not the end.
///
/// The first three get a handler that does nothing rather than being ignored: programs that this process executes then
/// have them as they are by default.
pub fn ignore_terminal_signals() {
    extern "C" fn nothing(_signal: libc::c_int) {}
    let handler = nothing as extern "C" fn(libc::c_int);
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP] {
        // SAFETY: the handler does nothing, so it is safe at any moment; it has the type that handlers have. The C
        // library's `signal` lets calls that a signal interrupts go on.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
    ignore_broken_pipes();
}

/// Gives this process a name in tools that list processes. Linux keeps 15 bytes; a zero byte ends the name.
///
/// A child made by [`exec::spawn`](crate::exec::spawn) is called `exe` until then. Call it on the main thread.
///
/// # Errors
///
/// If the system refuses.
pub fn name_process(name: &OsStr) -> io::Result<()> {
    let bytes = name.as_bytes();
    let end = bytes.iter().position(|byte| *byte == 0);
    let name = CString::new(&bytes[..end.unwrap_or(bytes.len())]).map_err(io::Error::other)?;
    platform::name_process(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_open_files_becomes_the_hard_one() {
        let raised = raise_open_files().unwrap();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(raised, limit.maximum.unwrap_or(u64::MAX));
    }
}
