//! The file of a Unix socket: who made it, and who removes it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::address::ListenAddress;
use crate::listener::Listener;

/// Binding takes microseconds: who waits a second for it waits for something else.
const LOCK_ATTEMPTS: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Removes the file of a Unix socket when dropped, provided that it is still the file of this listener.
///
/// The process that owns the socket holds it; workers, which share the socket, must not.
#[derive(Debug)]
#[must_use = "the file is removed when this is dropped"]
pub struct UnixSocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    kept: bool,
}

impl UnixSocketFile {
    /// The file of this listener; `None` for a TCP listener, and when the file has gone.
    pub fn of(listener: &Listener) -> Option<Self> {
        let ListenAddress::Unix(path) = listener.address() else {
            return None;
        };
        let metadata = fs::symlink_metadata(path).ok()?;
        metadata.file_type().is_socket().then(|| Self {
            path: path.clone(),
            device: metadata.dev(),
            inode: metadata.ino(),
            kept: false,
        })
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the file: another process has taken the socket over, and with it this duty.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for UnixSocketFile {
    fn drop(&mut self) {
        // Another server may have replaced a file that it found stale; that one is not ours to remove.
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| file.dev() == self.device && file.ino() == self.inode);
        if ours
            && !self.kept
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(path = %self.path.display(), %error, "the socket file stays");
        }
    }
}

/// Gives this process its turn to probe, replace and bind a socket file in the folder of `path`.
///
/// Without it two servers that start together could each find the file stale, and the second would remove the socket that the
/// first has just made; or it could probe between the bind and the listen of the first, when a connection is still refused.
/// `None` where the folder cannot be opened: then the bind itself says what is wrong.
pub(crate) fn lock_folder(path: &Path) -> io::Result<Option<File>> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let Ok(folder) = File::open(folder) else {
        return Ok(None);
    };
    for _ in 0..LOCK_ATTEMPTS {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(folder)),
            Err(Errno::WOULDBLOCK | Errno::INTR) => thread::sleep(LOCK_PAUSE),
            // A file system without locks; the race stays, the server works.
            Err(_) => return Ok(None),
        }
    }
    // Somebody holds the lock for its own ends, as anybody may in a folder that is shared. The race stays, the server works.
    tracing::warn!("another process holds a lock on the folder of the socket");
    Ok(None)
}

/// Whether the path leads to a socket, whoever has it; also when the path has gone meanwhile.
pub(crate) fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).map_or(true, |file| file.file_type().is_socket())
}

/// Whether nobody listens on the socket any more. A queue that is full, which a non-blocking connect reports as `EAGAIN`,
/// belongs to somebody.
pub(crate) fn is_stale(address: &SockAddr) -> io::Result<bool> {
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    Ok(probe
        .connect(address)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}
