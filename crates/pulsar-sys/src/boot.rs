//! The child's side of [`exec::spawn`](crate::exec::spawn): who am I, and where is my link?
//!
//! Call [`take`] first, before any thread exists and before the program's own `main`. If it gives a socket, this process is
//! a child: it speaks on the link, and never runs `main`.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    mem::MaybeUninit,
    os::{
        fd::{FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::io::FdFlags;

use crate::{pid::Pid, platform};

pub use crate::{
    leave::leave,
    limits::{
        ignore_broken_pipes, ignore_terminal_signals, name_process, raise_oom_score,
        raise_open_files,
    },
    reserved::reserve_variable,
    single_thread::{NotSingleThread, SingleThread},
    title::retitle,
    world::{World, apply, apply_alone, apply_place},
};

/// The variable that tells a child its descriptor and its parent, and what it is for if that is no actor:
/// `<descriptor>:<parent's pid>[:template]`.
pub(crate) const VARIABLE: &str = "PULSAR_BOOT";

/// The first descriptor that isn't one of the standard three.
pub(crate) const FIRST_DESCRIPTOR: RawFd = 3;

/// Set once, by the only thread of a child, before any other thread exists.
static IS_CHILD: AtomicBool = AtomicBool::new(false);

/// What a child inherits from its parent.
#[derive(Debug)]
pub struct BootSocket {
    /// The link to the parent, blocking, closed by `exec`.
    pub link: UnixStream,
    /// The process that made this one; alive when [`take`] looked, and this process dies with it.
    pub parent: Pid,
    /// What the process is for.
    pub errand: Errand,
}

/// What a parent makes a process for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Errand {
    /// To be an actor.
    Actor,
    /// To be a template, see [`template`](crate::template).
    Template,
}

impl Errand {
    const TEMPLATE: &str = "template";

    /// What the variable holds.
    pub(crate) fn written(self, descriptor: RawFd, parent: libc::pid_t) -> String {
        match self {
            Self::Actor => format!("{descriptor}:{parent}"),
            Self::Template => format!("{descriptor}:{parent}:{}", Self::TEMPLATE),
        }
    }
}

/// Takes what the parent left for this process; nothing if no parent did, so that this is no child.
///
/// It removes the variable from the environment, so that the processes this one makes aren't taken for children of
/// that parent, and marks the process as a child, see [`is_child`].
///
/// # Errors
///
/// See [`BootError`]. The process should then leave at once: it was started to be a child and can't be one.
pub fn take() -> Option<Result<BootSocket, BootError>> {
    let value = env::var_os(VARIABLE)?;
    Some(enter(&value))
}

/// Whether [`take`] has succeeded in this process.
pub fn is_child() -> bool {
    IS_CHILD.load(Ordering::Acquire)
}

fn enter(value: &OsStr) -> Result<BootSocket, BootError> {
    let alone = SingleThread::prove()?;
    alone.remove_variable(OsStr::new(VARIABLE));
    let (descriptor, parent, errand) = parse(value).ok_or_else(|| BootError::Malformed {
        value: value.to_owned(),
    })?;
    still_child_of(parent)?;
    let link = claim(descriptor, &alone)?;
    // The signal was armed before `exec`, but an executable with raised rights loses it there. If the parent died
    // before it was armed again, no signal comes; so look once more. From here on the kernel does the rest.
    platform::arm_parent_death().map_err(|source| BootError::System {
        step: "arm the parent-death signal",
        source,
    })?;
    still_child_of(parent)?;
    become_child();
    Ok(BootSocket {
        link,
        parent,
        errand,
    })
}

/// Marks this process as a child.
pub(crate) fn become_child() {
    IS_CHILD.store(true, Ordering::Release);
}

fn parse(value: &OsStr) -> Option<(RawFd, Pid, Errand)> {
    let (descriptor, rest) = value.to_str()?.split_once(':')?;
    let (parent, errand) = match rest.split_once(':') {
        None => (rest, Errand::Actor),
        Some((parent, Errand::TEMPLATE)) => (parent, Errand::Template),
        Some(_) => return None,
    };
    let descriptor = descriptor.parse().ok()?;
    let parent = Pid::new(parent.parse().ok()?)?;
    (descriptor >= FIRST_DESCRIPTOR).then_some((descriptor, parent, errand))
}

fn still_child_of(expected: Pid) -> Result<(), BootError> {
    if Pid::parent() == Some(expected) {
        Ok(())
    } else {
        Err(BootError::ParentGone { expected })
    }
}

/// Makes the inherited descriptor ours.
fn claim(descriptor: RawFd, _alone: &SingleThread) -> Result<UnixStream, BootError> {
    if !is_socket(descriptor) {
        return Err(BootError::NotASocket { descriptor });
    }
    // SAFETY: the descriptor is open. Nobody else in this process owns it: the parent made it for us and named it
    // in the variable, and the variable is gone now, so that it is claimed once. No other thread can have closed it
    // since the check, as there is none.
    let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let link = UnixStream::from(owned);
    let prepared = rustix::io::fcntl_setfd(&link, FdFlags::CLOEXEC)
        .map_err(io::Error::from)
        .and_then(|()| link.set_nonblocking(false));
    prepared.map_err(|source| BootError::System {
        step: "prepare the inherited socket",
        source,
    })?;
    Ok(link)
}

/// Whether the number is an open socket of this process. It is only a number until this is known.
fn is_socket(descriptor: RawFd) -> bool {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `fstat` takes any number, and writes one record to a place that is large enough for it.
    if unsafe { libc::fstat(descriptor, stat.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so the record is written.
    let stat = unsafe { stat.assume_init() };
    stat.st_mode & libc::S_IFMT == libc::S_IFSOCK
}

/// Why a process that was started to be a child can't be one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// A thread was started before [`take`].
    #[error("failed to boot as a child")]
    Threads(#[from] NotSingleThread),
    /// The variable is set, but not by [`exec::spawn`](crate::exec::spawn).
    #[error(
        "{VARIABLE}={value:?} is not of the form <descriptor>:<parent>[:template]; remove the variable"
    )]
    Malformed {
        /// What it held.
        value: OsString,
    },
    /// The inherited descriptor is closed, or something else.
    #[error("descriptor {descriptor}, named by {VARIABLE}, is not an open socket")]
    NotASocket {
        /// Its number.
        descriptor: RawFd,
    },
    /// The parent ended before this process was ready to die with it, or it isn't the parent.
    #[error("process {expected}, which started this one, is no longer its parent")]
    ParentGone {
        /// The pid that the variable names.
        expected: Pid,
    },
    /// A call of the system failed.
    #[error("failed to {step}")]
    System {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_descriptor_and_a_pid_are_parsed() {
        let parent = Pid::new(17).unwrap();
        for errand in [Errand::Actor, Errand::Template] {
            let written = errand.written(3, 17);
            let read = parse(OsStr::new(&written));
            assert_eq!(read, Some((3, parent, errand)), "{written}");
        }
        for wrong in [
            "", "3", "2:17", "-1:17", "3:0", "3:-17", "3:17:1", "3:17:", "x:y",
        ] {
            assert_eq!(parse(OsStr::new(wrong)), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_closed_or_other_descriptor_is_no_socket() {
        use std::os::fd::AsRawFd;
        let (one, _other) = UnixStream::pair().unwrap();
        let file = std::fs::File::open("/proc/self/status").unwrap();
        assert!(is_socket(one.as_raw_fd()));
        assert!(!is_socket(file.as_raw_fd()));
        assert!(!is_socket(-1));
    }

    #[test]
    fn a_program_without_the_variable_is_no_child() {
        assert!(take().is_none());
        assert!(!is_child());
    }
}
