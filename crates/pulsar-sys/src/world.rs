//! The world of a process, as far as a child should find the same.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use rustix::{fs::Mode, process::umask};
use serde::{Deserialize, Serialize};

use crate::{boot, single_thread::SingleThread, status::Status};

/// Variables that speak to one process and mean harm in its children: the service manager's, and our own.
const OWN_VARIABLES: [&str; 2] = ["NOTIFY_SOCKET", boot::VARIABLE];
/// All variables that begin so: the listeners of socket activation.
const OWN_PREFIX: &[u8] = b"LISTEN_";

/// Environment, working directory and creation mask.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct World {
    /// All variables of the environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The working directory; nothing if it can't be told, as when it has been deleted.
    #[serde(with = "directory")]
    pub directory: Option<PathBuf>,
    /// The permission bits that new files don't get.
    pub umask: u32,
}

impl World {
    /// The world of this process, without the variables that concern it alone (`NOTIFY_SOCKET`, `LISTEN_*` and
    /// Pulsar's own).
    ///
    /// # Errors
    ///
    /// If `/proc/self/status` doesn't tell the creation mask.
    pub fn current() -> io::Result<Self> {
        Self::by(&Status::read()?)
    }

    /// The same, of which the kernel's account has been read.
    pub(crate) fn by(status: &Status) -> io::Result<Self> {
        let environment = env::vars_os()
            .filter(|(name, _)| !OWN_VARIABLES.iter().any(|own| name == own))
            .filter(|(name, _)| !name.as_bytes().starts_with(OWN_PREFIX))
            .collect();
        Ok(Self {
            environment,
            directory: env::current_dir().ok(),
            umask: umask_of(status)?,
        })
    }
}

/// Makes the world of this process equal to the given one. It returns a warning for each thing that couldn't be done.
///
/// Only variables that differ are touched. The environment is left as it is if the process has more than one thread.
#[must_use = "the warnings tell what could not be done"]
pub fn apply(world: &World) -> Vec<String> {
    let mut warnings = Vec::new();
    match SingleThread::prove() {
        Ok(alone) => apply_environment(&world.environment, &alone, &mut warnings),
        Err(error) => warnings.push(format!("the environment was not set: {error}")),
    }
    apply_rest(world, &mut warnings);
    warnings
}

/// The same for a process that is known to have one thread.
#[must_use = "the warnings tell what could not be done"]
pub fn apply_alone(world: &World, alone: &SingleThread) -> Vec<String> {
    let mut warnings = Vec::new();
    apply_environment(&world.environment, alone, &mut warnings);
    apply_rest(world, &mut warnings);
    warnings
}

/// All but the environment. It returns a warning for each thing that couldn't be done.
#[must_use = "the warnings tell what could not be done"]
pub fn apply_place(world: &World) -> Vec<String> {
    let mut warnings = Vec::new();
    apply_rest(world, &mut warnings);
    warnings
}

fn apply_rest(world: &World, warnings: &mut Vec<String>) {
    if let Some(directory) = &world.directory
        && let Err(error) = env::set_current_dir(directory)
    {
        let directory = directory.display();
        warnings.push(format!(
            "the working directory {directory} was not entered: {error}"
        ));
    }
    umask(Mode::from_raw_mode(world.umask as rustix::fs::RawMode));
}

fn apply_environment(
    wanted: &[(OsString, OsString)],
    alone: &SingleThread,
    warnings: &mut Vec<String>,
) {
    let mut present: BTreeMap<OsString, OsString> = env::vars_os().collect();
    for (name, value) in wanted {
        if present.remove(name).as_ref() == Some(value) {
            continue;
        }
        if is_settable(name) && !value.as_bytes().contains(&0) {
            alone.set_variable(name, value);
        } else {
            warnings.push(format!("the variable {name:?} cannot be set"));
        }
    }
    for name in present.keys() {
        if is_settable(name) {
            alone.remove_variable(name);
        } else {
            warnings.push(format!("the variable {name:?} cannot be removed"));
        }
    }
}

/// Whether the standard library takes the name; it panics at any other.
fn is_settable(name: &OsStr) -> bool {
    !name.is_empty() && !name.as_bytes().iter().any(|byte| matches!(byte, 0 | b'='))
}

/// Reads the mask where the kernel shows it: the system call can only change it, and for an instant every file that
/// another thread makes would be open to all.
fn umask_of(status: &Status) -> io::Result<u32> {
    let mask = status.number("Umask", 8)?;
    u32::try_from(mask).map_err(io::Error::other)
}

/// A path need not be UTF-8, but serde's own form of a path must: so it travels as an `OsString`.
mod directory {
    use std::{ffi::OsString, path::PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        directory: &Option<PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let directory = directory.as_ref().map(|path| path.as_os_str().to_owned());
        directory.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        let directory = Option::<OsString>::deserialize(deserializer)?;
        Ok(directory.map(PathBuf::from))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_world_that_is_not_utf8_survives_the_wire() {
        let odd = OsString::from_vec(vec![b'/', 0xff, 0xfe]);
        let world = World {
            environment: vec![("NAME".into(), odd.clone())],
            directory: Some(odd.into()),
            umask: 0o27,
        };
        let bytes = postcard::to_stdvec(&world).unwrap();
        assert_eq!(postcard::from_bytes::<World>(&bytes).unwrap(), world);
    }

    #[test]
    fn names_that_would_panic_are_not_settable() {
        assert!(is_settable(OsStr::new("NAME")));
        for wrong in ["", "A=B", "=C:", "A\0B"] {
            assert!(!is_settable(OsStr::new(wrong)), "{wrong:?}");
        }
    }

    #[test]
    fn the_current_world_is_told() {
        let world = World::current().unwrap();
        assert!(world.umask <= 0o777);
        assert_eq!(world.directory, env::current_dir().ok());
    }
}
