//! Where the control sockets of a user are.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use crate::folder::{self, DirectoryError};
use crate::{Claim, ClaimError, InstanceName, claim};

/// The file name of each control socket.
pub(crate) const SOCKET: &str = "control.sock";

/// The longest path that fits in the address of a Unix socket (108 bytes) with its closing zero.
const MAX_SOCKET_PATH: usize = 107;

/// The most entries that are looked at in search of instances. A user runs far fewer; the bound keeps a
/// littered folder from holding the caller.
const MAX_ENTRIES: usize = 4096;

/// The folder in which each instance of one user has a folder with its control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlDirectory {
    root: PathBuf,
}

impl ControlDirectory {
    /// The place all programs of this user agree on: `$XDG_RUNTIME_DIR/pulsar`, or `/tmp/pulsar-UID` where
    /// that variable is unset or no absolute path.
    #[must_use]
    pub fn for_current_user() -> Self {
        Self::at(user_root(std::env::var_os("XDG_RUNTIME_DIR")))
    }

    /// A folder of the caller's choice. It is made when a name is claimed; its parent must exist.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder that holds one folder for each instance.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the socket of that instance is, whether it runs or not.
    #[must_use]
    pub fn socket_path(&self, name: &InstanceName) -> PathBuf {
        self.root.join(name.as_str()).join(SOCKET)
    }

    /// Takes `name` for this process and binds its control socket. The name is free again once the claim, or
    /// the server it was given to, is dropped, or this process has ended in any way.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: another arbiter runs under the name, or the folders are not safe or not usable.
    pub fn claim(&self, name: &InstanceName) -> Result<Claim, ClaimError> {
        let folder = self.root.join(name.as_str());
        let length = folder.join(SOCKET).as_os_str().len();
        if length > MAX_SOCKET_PATH {
            return Err(DirectoryError::PathTooLong {
                path: folder,
                length,
                limit: MAX_SOCKET_PATH,
            }
            .into());
        }
        folder::ensure(&self.root)?;
        claim::claim(name, &folder)
    }

    /// The instances that run now, in order of their names: those whose socket accepts a connection.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] if the folder exists but is not safe or not readable. A missing folder is no error:
    /// nothing runs.
    pub async fn instances(&self) -> Result<Vec<Instance>, DirectoryError> {
        let mut live = Vec::new();
        for name in self.names()? {
            let socket = self.socket_path(&name);
            if self.check(&name).is_ok() && accepts(&socket).await {
                live.push(Instance { name, socket });
            }
        }
        live.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(live)
    }

    /// Checks the two folders above the socket of `name`.
    pub(crate) fn check(&self, name: &InstanceName) -> Result<(), DirectoryError> {
        folder::check(&self.root)?;
        folder::check(&self.root.join(name.as_str()))
    }

    /// The names that have a folder, live or not.
    fn names(&self) -> Result<Vec<InstanceName>, DirectoryError> {
        match folder::check(&self.root) {
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            checked => checked?,
        }
        let entries = std::fs::read_dir(&self.root)
            .map_err(|source| DirectoryError::io(&self.root, "read it", source))?;
        let names = entries
            .take(MAX_ENTRIES)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| InstanceName::new(name).ok());
        Ok(names.collect())
    }
}

/// A running instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub name: InstanceName,
    /// Its control socket.
    pub socket: PathBuf,
}

fn user_root(runtime_dir: Option<OsString>) -> PathBuf {
    match runtime_dir
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
    {
        Some(path) => path.join("pulsar"),
        None => PathBuf::from(format!(
            "/tmp/pulsar-{}",
            rustix::process::geteuid().as_raw()
        )),
    }
}

/// True if someone listens there. A full queue of connections ("would block") also has a listener behind it.
async fn accepts(socket: &Path) -> bool {
    match UnixStream::connect(socket).await {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_directory_comes_first() {
        assert_eq!(
            user_root(Some("/run/user/7".into())),
            Path::new("/run/user/7/pulsar")
        );
    }

    #[test]
    fn without_a_usable_runtime_directory_it_is_under_tmp() {
        let expected = PathBuf::from(format!(
            "/tmp/pulsar-{}",
            rustix::process::geteuid().as_raw()
        ));
        for unusable in [None, Some("".into()), Some("relative".into())] {
            assert_eq!(user_root(unusable), expected);
        }
    }
}
