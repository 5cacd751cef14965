//! The check that a folder is one's own and closed to others.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::printable;

/// Makes the folder with mode 0700 if it is missing, then checks it as [`check`] does.
pub(crate) fn ensure(path: &Path) -> Result<(), DirectoryError> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => check(path),
        Err(errno) => Err(DirectoryError::io(path, "create it", errno.into())),
    }
}

/// Checks that `path` is a real folder, belongs to the current user and is closed to all others.
///
/// The answer lasts: once a folder is ours and closed, only we can change what is in it. Its own entry is
/// safe in a parent that is ours or has the sticky bit, which is so in the runtime directory and in `/tmp`.
pub(crate) fn check(path: &Path) -> Result<(), DirectoryError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder =
        rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| refusal(path, errno))?;
    let stat = rustix::fs::fstat(&folder)
        .map_err(|errno| DirectoryError::io(path, "examine it", errno.into()))?;
    let mode = Mode::from_raw_mode(stat.st_mode);
    judge(path, stat.st_uid, mode, rustix::process::geteuid().as_raw())
}

fn judge(path: &Path, owner: u32, mode: Mode, user: u32) -> Result<(), DirectoryError> {
    if owner != user {
        return Err(DirectoryError::NotOurs {
            path: path.to_owned(),
            owner,
            user,
        });
    }
    if mode.intersects(Mode::RWXG | Mode::RWXO) {
        return Err(DirectoryError::TooOpen {
            path: path.to_owned(),
            mode: mode.bits() & 0o777,
        });
    }
    Ok(())
}

/// Says what is in the way: the kernel has one error number for a link and for a file.
fn refusal(path: &Path, errno: Errno) -> DirectoryError {
    match rustix::fs::lstat(path).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::Symlink) => DirectoryError::Symlink {
            path: path.to_owned(),
        },
        Ok(FileType::Directory) | Err(_) => DirectoryError::io(path, "open it", errno.into()),
        Ok(_) => DirectoryError::NotDirectory {
            path: path.to_owned(),
        },
    }
}

/// What is wrong with a folder of control sockets. The message is one line and begins with
/// `control directory PATH: `.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// A symbolic link, which could lead anywhere.
    #[error("control directory {}: is a symbolic link; remove it", shown(.path))]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// Something else than a folder.
    #[error("control directory {}: is not a directory; remove it", shown(.path))]
    NotDirectory {
        /// The thing in the way.
        path: PathBuf,
    },
    /// The folder of another user.
    #[error("control directory {}: belongs to user {owner}, not to user {user}; set XDG_RUNTIME_DIR to a directory of your own", shown(.path))]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// Our user id.
        user: u32,
    },
    /// A folder that other users can enter, read or change.
    #[error("control directory {}: mode {mode:04o} lets other users in; run chmod 700 on it", shown(.path))]
    TooOpen {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The path of the socket does not fit in the address of a Unix socket.
    #[error("control directory {}: its socket path has {length} bytes, the limit is {limit}; use a shorter --name or XDG_RUNTIME_DIR", shown(.path))]
    PathTooLong {
        /// The folder of the socket.
        path: PathBuf,
        /// The length of the socket's path, in bytes.
        length: usize,
        /// The longest that fits, in bytes.
        limit: usize,
    },
    /// The system refused.
    #[error("control directory {}: failed to {doing}: {source}", shown(.path))]
    Io {
        /// The folder or the file in it.
        path: PathBuf,
        /// What was tried, in words that follow "failed to".
        doing: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

impl DirectoryError {
    pub(crate) fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            doing,
            source,
        }
    }

    /// True if there is simply nothing there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_made_folder_is_closed_to_others() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("own");
        ensure(&path).unwrap();
        ensure(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn a_link_is_refused_even_to_a_good_folder() {
        let temp = tempfile::tempdir().unwrap();
        let (real, link) = (temp.path().join("real"), temp.path().join("link"));
        ensure(&real).unwrap();
        symlink(&real, &link).unwrap();
        assert!(matches!(ensure(&link), Err(DirectoryError::Symlink { path }) if path == link));
    }

    #[test]
    fn a_folder_open_to_others_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        for mode in [0o755, 0o710, 0o701, 0o720] {
            fs::set_permissions(temp.path(), PermissionsExt::from_mode(mode)).unwrap();
            let error = check(temp.path()).unwrap_err();
            assert!(
                matches!(error, DirectoryError::TooOpen { mode: found, .. } if found == mode),
                "{error}"
            );
        }
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let error = judge(Path::new("/x"), 1, Mode::RWXU, 2).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("control directory /x: belongs to user 1, not to user 2")
        );
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        fs::write(&path, "").unwrap();
        assert!(matches!(
            ensure(&path),
            Err(DirectoryError::NotDirectory { .. })
        ));
    }

    #[test]
    fn the_message_stays_one_line_whatever_the_path() {
        let message = check(Path::new("/none\n\u{1b}[2J"))
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("control directory /none\\n"),
            "{message}"
        );
        assert!(!message.chars().any(char::is_control));
    }
}
