//! A name that is ours: its lock and its bound socket.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;

use crate::directory::SOCKET;
use crate::folder::{self, DirectoryError};
use crate::{InstanceName, NameError};

/// The lock file of an instance, next to its socket.
const LOCK: &str = "lock";

/// The name under which a socket is bound before it has its mode. Not longer than [`SOCKET`], whose length
/// was checked.
const FRESH_SOCKET: &str = "control.new";

/// How often a claim begins anew when the folder vanishes under it. That needs an owner of the same name who
/// leaves in that very moment, so a few times are plenty.
const CLAIM_ATTEMPTS: usize = 16;

/// An instance's name, taken by this process, with its socket bound and listening.
///
/// Dropping it removes the socket and frees the name.
#[derive(Debug)]
pub struct Claim {
    listener: UnixListener,
    seat: Seat,
}

impl Claim {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &InstanceName {
        &self.seat.name
    }

    /// Where the socket is.
    #[must_use]
    pub fn socket_path(&self) -> PathBuf {
        self.seat.folder.join(SOCKET)
    }

    /// The listening socket (non-blocking), and what keeps the name until it is dropped.
    pub(crate) fn into_parts(self) -> (UnixListener, Seat) {
        (self.listener, self.seat)
    }
}

/// Why a name could not be claimed. The message is one line that begins with the setting it is about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Another arbiter runs under the name.
    #[error("--name {name}: another arbiter runs under this name; stop it or choose another name")]
    NameLive {
        /// The name.
        name: InstanceName,
    },
    /// The name is not well formed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The folders are not safe or not usable.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Takes `name`, whose folder is `folder`; the folder's parent has been checked.
pub(crate) fn claim(name: &InstanceName, folder: &Path) -> Result<Claim, ClaimError> {
    for _ in 0..CLAIM_ATTEMPTS {
        let Some(lock) = try_lock(name, folder)? else {
            continue;
        };
        let seat = Seat {
            name: name.clone(),
            folder: folder.to_owned(),
            lock,
            owner: rustix::process::getpid(),
        };
        let listener = bind(folder)?;
        return Ok(Claim { listener, seat });
    }
    // Others came and went under the name all the time: it is in use.
    Err(ClaimError::NameLive { name: name.clone() })
}

/// The lock of the folder, or `None` if the folder was removed meanwhile.
fn try_lock(name: &InstanceName, folder: &Path) -> Result<Option<OwnedFd>, ClaimError> {
    match folder::ensure(folder) {
        Err(error) if error.is_missing() => return Ok(None),
        ensured => ensured?,
    }
    let path = folder.join(LOCK);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = match rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(lock) => lock,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(DirectoryError::io(&path, "open the lock", errno.into()).into()),
    };
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        // An owner unlinks the file while it holds the lock. We may have opened that file just before and
        // locked it just after, while another claims a new file of that name: only the file that has the
        // name counts, and nobody but its owner unlinks it.
        Ok(()) => Ok(has_name(&lock, &path).then_some(lock)),
        Err(Errno::WOULDBLOCK) => Err(ClaimError::NameLive { name: name.clone() }),
        Err(errno) => Err(DirectoryError::io(&path, "lock it", errno.into()).into()),
    }
}

/// True if `path` still leads to the open file.
fn has_name(file: &OwnedFd, path: &Path) -> bool {
    match (rustix::fs::fstat(file), rustix::fs::lstat(path)) {
        (Ok(file), Ok(entry)) => (file.st_dev, file.st_ino) == (entry.st_dev, entry.st_ino),
        _ => false,
    }
}

/// Binds the socket in a folder whose lock we hold. A stale socket of a dead owner is replaced.
///
/// The socket gets its mode under another name and is then renamed over the place, so that at no time a
/// socket with a wider mode, or none that listens, stands there for a client to find.
fn bind(folder: &Path) -> Result<UnixListener, DirectoryError> {
    let fresh = folder.join(FRESH_SOCKET);
    let place = folder.join(SOCKET);
    remove(&fresh).map_err(|source| DirectoryError::io(&fresh, "remove it", source))?;
    let listener = UnixListener::bind(&fresh)
        .map_err(|source| DirectoryError::io(&fresh, "bind a socket there", source))?;
    fs::set_permissions(&fresh, PermissionsExt::from_mode(0o600))
        .and_then(|()| fs::rename(&fresh, &place))
        .and_then(|()| listener.set_nonblocking(true))
        .map_err(|source| DirectoryError::io(&place, "put the socket there", source))?;
    Ok(listener)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Holds a name: the lock and the files under it. Dropping it frees them.
#[derive(Debug)]
pub(crate) struct Seat {
    name: InstanceName,
    folder: PathBuf,
    lock: OwnedFd,
    owner: Pid,
}

impl Seat {
    pub(crate) fn name(&self) -> &InstanceName {
        &self.name
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let lock = self.folder.join(LOCK);
        // A forked child that drops its copy must not unseat its parent, nor may we unseat whoever claimed
        // the name after someone had deleted our folder.
        if rustix::process::getpid() != self.owner || !has_name(&self.lock, &lock) {
            return;
        }
        // The order matters. While our lock file has its name nobody else gets the name, so the sockets are
        // surely ours. From its unlinking on, the folder may be another's: it then holds their lock file, and
        // removing the folder fails, as it should. Failures leave a stale file, which the next claim replaces.
        let _ = remove(&self.folder.join(SOCKET));
        let _ = remove(&self.folder.join(FRESH_SOCKET));
        let _ = remove(&lock);
        let _ = fs::remove_dir(&self.folder);
        // Said explicitly: a copy of the descriptor in a forked child would keep the lock.
        let _ = rustix::fs::flock(&self.lock, FlockOperation::Unlock);
    }
}
