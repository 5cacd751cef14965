//! A bound listening socket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use thiserror::Error;

use crate::address::ListenAddress;
use crate::bind::Bind;
use crate::socket_file;

/// Connections that the system keeps for us between two accepts, unless a setting says otherwise. Room for a burst while all
/// workers are being replaced; the system caps it to its own limit.
pub const DEFAULT_BACKLOG: u32 = 2048;

/// A bound and listening socket, non-blocking and closed on exec.
///
/// Dropping it closes this descriptor only: the socket listens on as long as another process or clone holds it. It never uses
/// `SO_REUSEPORT`, because closing one of several such sockets drops the connections that wait in its queue. The file of a Unix
/// socket stays; [`UnixSocketFile`](crate::UnixSocketFile) removes it.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    address: ListenAddress,
}

/// Why an address cannot be listened on. The message names the address and the reason in one line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The system refused to bind.
    #[error("{address}: {}", reason(source))]
    Bind {
        /// The address, as given or as resolved.
        address: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The host name has no address.
    #[error("{bind}: the host name has no address: {}", reason(source))]
    Resolve {
        /// The address as given.
        bind: Bind,
        /// The resolver's answer.
        source: io::Error,
    },
    /// A file that is no socket has the path of the Unix socket; it is left alone.
    #[error("unix:{}: a file that is not a socket has this path; remove it or choose another path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
}

impl ListenError {
    /// Whether another socket has the address.
    #[must_use]
    pub fn is_address_in_use(&self) -> bool {
        matches!(self, Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

impl Listener {
    /// Binds and listens; at most `backlog` connections wait in the queue.
    ///
    /// `:PORT` listens on all interfaces, IPv6 and IPv4, or IPv4 alone where IPv6 is absent. Of the addresses of a host name the
    /// first that can be bound is taken. The file of a Unix socket that nobody listens on any more is replaced. Blocks while a
    /// host name is resolved.
    ///
    /// # Errors
    ///
    /// The address is in use, not ours, not permitted or not found.
    pub fn bind(bind: &Bind, backlog: u32) -> Result<Self, ListenError> {
        match bind {
            Bind::Tcp(host, port) if host.is_empty() => bind_all_interfaces(*port, backlog),
            Bind::Tcp(host, port) => bind_host(bind, host, *port, backlog),
            Bind::Unix(path) => bind_unix(path, backlog),
        }
    }

    /// Takes a listening socket from elsewhere: inherited, passed or handed over. Makes it non-blocking and closed on exec.
    ///
    /// # Errors
    ///
    /// The descriptor is not a listening stream socket of TCP or of a Unix path.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        let socket = Socket::from(fd);
        let stream = socket.r#type()? == Type::STREAM;
        if !stream || !socket.is_listener()? {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the descriptor is not a listening stream socket",
            ));
        }
        socket.set_nonblocking(true)?;
        socket.set_cloexec(true)?;
        Ok(Self {
            address: ListenAddress::of(&socket.local_addr()?)?,
            fd: socket.into(),
        })
    }

    /// Where it is bound.
    #[must_use]
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Another descriptor of the same socket and the same queue.
    ///
    /// # Errors
    ///
    /// This process has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            fd: self.fd.try_clone()?,
            address: self.address.clone(),
        })
    }

    /// The descriptor, to pass to another process.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }

    fn new(socket: Socket) -> io::Result<Self> {
        Ok(Self {
            address: ListenAddress::of(&socket.local_addr()?)?,
            fd: socket.into(),
        })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn bind_all_interfaces(port: u16, backlog: u32) -> Result<Listener, ListenError> {
    let dual = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let plain = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let bound = match listen_tcp(dual, true, backlog) {
        Err(error) if is_no_ipv6(&error) => listen_tcp(plain, false, backlog),
        bound => bound,
    };
    bound.map_err(|source| ListenError::Bind {
        address: format!(":{port}"),
        source,
    })
}

fn is_no_ipv6(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::PROTONOSUPPORT)
    )
}

fn bind_host(bind: &Bind, host: &str, port: u16, backlog: u32) -> Result<Listener, ListenError> {
    let resolve = |source| ListenError::Resolve {
        bind: bind.clone(),
        source,
    };
    let mut refused = None;
    for address in (host, port).to_socket_addrs().map_err(resolve)? {
        match listen_tcp(address, false, backlog) {
            Ok(listener) => return Ok(listener),
            // Another of the name's addresses would not be where its clients look.
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                return Err(ListenError::Bind {
                    address: address.to_string(),
                    source,
                });
            }
            // The first address of the name is the one that the user most likely means.
            Err(source) => {
                _ = refused.get_or_insert(ListenError::Bind {
                    address: address.to_string(),
                    source,
                });
            }
        }
    }
    Err(refused
        .unwrap_or_else(|| resolve(io::Error::new(io::ErrorKind::NotFound, "no address found"))))
}

fn listen_tcp(address: SocketAddr, dual_stack: bool, backlog: u32) -> io::Result<Listener> {
    let socket = new_socket(Domain::for_address(address))?;
    // A restart binds while old connections still wait out their last state.
    socket.set_reuse_address(true)?;
    if dual_stack {
        socket.set_only_v6(false)?;
    }
    listen(socket, &address.into(), backlog)
}

fn bind_unix(path: &Path, backlog: u32) -> Result<Listener, ListenError> {
    let refused = |source| ListenError::Bind {
        address: format!("unix:{}", path.display()),
        source,
    };
    let address = SockAddr::unix(path).map_err(refused)?;
    let _turn = socket_file::lock_folder(path).map_err(refused)?;
    let listen_once = || listen(new_socket(Domain::UNIX)?, &address, backlog);
    match listen_once() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if !socket_file::is_socket(path) {
                return Err(ListenError::NotASocket {
                    path: path.to_owned(),
                });
            }
            if !socket_file::is_stale(&address).map_err(refused)? {
                return Err(refused(error));
            }
            std::fs::remove_file(path)
                .and_then(|()| listen_once())
                .map_err(refused)
        }
        bound => bound.map_err(refused),
    }
}

fn new_socket(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn listen(socket: Socket, address: &SockAddr, backlog: u32) -> io::Result<Listener> {
    socket.bind(address)?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Listener::new(socket)
}

/// The system's answer in words that fit into a sentence.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "address already in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such folder or name".to_owned(),
        _ => error.to_string().replace('\n', " "),
    }
}
