//! The identity of the running executable.

use std::{fmt, fs::File, io, os::unix::fs::MetadataExt, sync::OnceLock};

use serde::{Deserialize, Serialize};

use crate::{fnv::fnv128, platform};

/// The bytes of what it is made of.
pub(crate) const FACTS: usize = 40;

/// What a template has found for its clones.
static SETTLED: OnceLock<Build> = OnceLock::new();

/// Identity of the executable that a process runs: equal in two processes of one host if they run the same file.
///
/// It is made of the file's device, inode, size and time of modification. The system keeps the file of a running
/// program from being written to, and keeps its inode from being given to another file, so two processes that live at
/// the same time and have equal builds have the same code. It means nothing on another host.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Build(u128);

impl Build {
    /// The build of this process.
    ///
    /// It stays right when the file on disk has been replaced or deleted since the start: the system's link to the
    /// executable still leads to the old inode. Setting the file's time of modification changes the build, so ask
    /// anew when two are to be compared; one call costs a few microseconds.
    ///
    /// # Errors
    ///
    /// If the system doesn't tell about the executable, for example because `/proc` isn't mounted.
    pub fn current() -> io::Result<Self> {
        match SETTLED.get() {
            Some(settled) => Ok(*settled),
            None => Ok(Self::by(&Self::facts(&platform::open_executable()?)?)),
        }
    }

    /// In a template: finds the build once, for all of its clones. Whoever asks the template sees by its
    /// [`Inheritance`](crate::Inheritance) whether that is still the build of now.
    pub fn settle() {
        if let Ok(build) = Self::current() {
            let _ = SETTLED.set(build);
        }
    }

    /// What the build of an executable is made of.
    pub(crate) fn facts(executable: &File) -> io::Result<[u8; FACTS]> {
        let file = executable.metadata()?;
        let mut bytes = [0; FACTS];
        let facts = [
            file.dev(),
            file.ino(),
            file.size(),
            file.mtime().cast_unsigned(),
            file.mtime_nsec().cast_unsigned(),
        ];
        for (place, fact) in bytes.chunks_exact_mut(8).zip(facts) {
            place.copy_from_slice(&fact.to_le_bytes());
        }
        Ok(bytes)
    }

    pub(crate) fn by(facts: &[u8; FACTS]) -> Self {
        Self(fnv128(facts))
    }
}

impl fmt::Display for Build {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_has_one_build() {
        let build = Build::current().unwrap();
        assert_eq!(build, Build::current().unwrap());
        assert_eq!(build.to_string().len(), 32);
        let bytes = postcard::to_stdvec(&build).unwrap();
        assert_eq!(postcard::from_bytes::<Build>(&bytes).unwrap(), build);
    }
}
