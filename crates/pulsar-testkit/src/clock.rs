//! A wall clock that jumps.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// Stands in for the functions that tell the time.
const SOURCE: &str = include_str!("clock.c");
/// Tells it where the offset stands.
const VARIABLE: &str = "PULSAR_TESTKIT_CLOCK";

/// The wall clock of a program under test and of all that it starts, which can jump while they run. The
/// machine's own clock is left alone, and so is the monotonic one. It is for programs that are linked
/// to a shared C library on Linux, and is built by `cc`.
///
/// ```
/// use std::process::Command;
/// use pulsar_testkit::InjectedClock;
///
/// let clock = InjectedClock::new();
/// clock.set_ahead(-3_600);
/// let mut date = Command::new("date");
/// date.arg("+%s");
/// clock.inject(&mut date);
/// let said = String::from_utf8(date.output()?.stdout)?;
/// let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
/// assert!(said.trim().parse::<u64>()? <= now - 3_600);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct InjectedClock {
    folder: TempDir,
    offset: File,
}

impl InjectedClock {
    /// One that goes as the machine's does.
    ///
    /// # Panics
    ///
    /// If it cannot be built: there is no `cc`, or it fails.
    #[expect(
        clippy::new_without_default,
        reason = "it builds a library and may panic"
    )]
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a temporary directory can be made");
        let source = folder.path().join("clock.c");
        fs::write(&source, SOURCE).expect("a temporary file can be written");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(folder.path().join("clock.so"))
            .arg(&source)
            .output();
        let built = built.expect("cc can be started");
        let errors = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "cc fails: {errors}");
        let offset = File::create(folder.path().join("ahead"));
        let clock = Self {
            offset: offset.expect("a temporary file can be made"),
            folder,
        };
        clock.set_ahead(0);
        clock
    }

    /// Has the program that this command starts, and all that it starts, see this clock.
    pub fn inject(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", self.path("clock.so"))
            .env(VARIABLE, self.path("ahead"));
    }

    /// Jumps: from now on it is this many seconds ahead of the machine's, or behind it.
    ///
    /// # Panics
    ///
    /// If the temporary file of the clock cannot be written.
    pub fn set_ahead(&self, seconds: i64) {
        let written = self.offset.write_all_at(&seconds.to_ne_bytes(), 0);
        written.expect("a temporary file can be written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
