//! Who is on the other end of a socket.

use std::io;

use tokio::net::UnixStream;

/// Checks that the process at the other end runs as our user. The folder's mode already keeps others out;
/// this holds even where someone opened the folder later.
pub(crate) fn check(stream: &UnixStream) -> Result<(), PeerError> {
    let peer = stream.peer_cred()?.uid();
    judge(peer, rustix::process::geteuid().as_raw())
}

fn judge(peer: u32, user: u32) -> Result<(), PeerError> {
    if peer == user {
        Ok(())
    } else {
        Err(PeerError::Stranger { peer, user })
    }
}

/// Why the other end of a connection is not trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Another user's process.
    #[error("the other end belongs to user {peer}, not to user {user}")]
    Stranger {
        /// The user id of the other end.
        peer: u32,
        /// Our user id.
        user: u32,
    },
    /// The system does not say whose it is.
    #[error("the credentials of the other end are not known: {0}")]
    Unknown(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    // That another user is refused on a real socket is tested where a second user can be had: in the
    // integration tests, as root.
    #[test]
    fn only_the_same_user_is_let_in() {
        assert!(judge(1000, 1000).is_ok());
        assert!(matches!(
            judge(1001, 1000),
            Err(PeerError::Stranger {
                peer: 1001,
                user: 1000
            })
        ));
        assert!(judge(0, 1000).is_err());
        assert!(judge(1000, 0).is_err());
    }

    #[tokio::test]
    async fn our_own_socket_pair_is_let_in() {
        let (one, _two) = UnixStream::pair().unwrap();
        check(&one).unwrap();
    }
}
