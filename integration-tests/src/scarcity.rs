//! A process that can open nothing more.

use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that a process may have here: more than it has, and soon used up.
const LIMIT: u64 = 256;

/// Those that were used up in this process.
static FILES: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// Uses up the descriptors of this process; how many there were.
///
/// # Errors
///
/// If their limit cannot be set.
pub fn use_up_descriptors() -> io::Result<usize> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(LIMIT);
    setrlimit(Resource::Nofile, Rlimit { current, maximum })?;
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    Ok(files.len())
}

/// Gives them back.
pub fn give_descriptors_back() {
    FILES.lock().unwrap_or_else(PoisonError::into_inner).clear();
}
