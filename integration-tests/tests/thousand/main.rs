//! Process actors by the thousand. A test here has the machine to itself: see [`alone`].
#![forbid(unsafe_code)]

mod deaths;
mod held;
mod pool;
mod spawns;

use std::fs::File;

use pulsar::prelude::*;

/// Actors at once, and more than that.
const THOUSAND: usize = 1_000;

/// Waits for its turn among the tests of this program, which cargo runs beside no other program of
/// tests: two thousand processes on a small machine would tell of nothing but the machine. The turn
/// lasts until the file is dropped.
fn alone() -> Result<File> {
    let program = File::open(std::env::current_exe()?)?;
    program.lock()?;
    Ok(program)
}
