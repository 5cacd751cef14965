//! The proof that a process has one thread, and what only such a process may do.

use std::{env, ffi::OsStr, fs, io, marker::PhantomData};

use crate::reserved;

/// Proof that the thread that holds it is the only one of the process.
///
/// Nobody but that thread could make another, so the proof holds until its holder does. It can't leave the thread.
#[derive(Debug)]
pub struct SingleThread {
    not_send: PhantomData<*const ()>,
}

impl SingleThread {
    /// Counts the threads.
    pub(crate) fn prove() -> Result<Self, NotSingleThread> {
        match count()? {
            1 => Ok(Self {
                not_send: PhantomData,
            }),
            count => Err(NotSingleThread::Threads { count }),
        }
    }

    /// Sets a variable of the environment.
    ///
    /// # Panics
    ///
    /// If the name is empty or holds `=`, or either holds a zero byte.
    pub fn set_variable(&self, name: &OsStr, value: &OsStr) {
        // SAFETY: the environment must not be read or written by another thread meanwhile, and there is none.
        unsafe { env::set_var(name, value) };
    }

    /// Sets the variable that was [reserved](crate::boot::reserve_variable). False if none was, or the value is too long, or
    /// holds a zero byte.
    #[must_use = "it may have to be set as any other"]
    pub fn set_reserved(&self, value: &OsStr) -> bool {
        reserved::set(self, value)
    }

    /// Removes a variable of the environment.
    pub(crate) fn remove_variable(&self, name: &OsStr) {
        // SAFETY: the environment must not be read or written by another thread meanwhile, and there is none.
        unsafe { env::remove_var(name) };
    }
}

/// Why a process can't be proven to have one thread.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotSingleThread {
    /// It has more.
    #[error(
        "the process has {count} threads where only one is allowed; do it before any thread is started"
    )]
    Threads {
        /// How many there are.
        count: usize,
    },
    /// The threads couldn't be counted.
    #[error("the threads of the process cannot be counted")]
    Uncounted(#[from] io::Error),
}

fn count() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}
