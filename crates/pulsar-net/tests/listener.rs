//! Binding, with real sockets.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use pulsar_net::{Bind, DEFAULT_BACKLOG, ListenAddress, ListenError, Listener, UnixSocketFile};

fn bind(text: &str) -> Result<Listener, ListenError> {
    let bind = text.parse().expect("an accepted form");
    Listener::bind(&bind, DEFAULT_BACKLOG)
}

fn port(listener: &Listener) -> u16 {
    match listener.address() {
        ListenAddress::Tcp(address) => address.port(),
        ListenAddress::Unix(path) => panic!("{path:?}"),
    }
}

#[test]
fn port_0_becomes_a_free_port_that_takes_connections() {
    let listener = bind("127.0.0.1:0").unwrap();
    assert_ne!(port(&listener), 0);
    TcpStream::connect(listener.address().to_string()).unwrap();
}

#[test]
fn a_bound_port_is_refused_in_one_line() {
    let first = bind("127.0.0.1:0").unwrap();
    let address = first.address().to_string();
    let error = bind(&address).unwrap_err();
    assert!(error.is_address_in_use());
    assert_eq!(
        error.to_string(),
        format!("{address}: address already in use")
    );
}

#[test]
fn a_port_can_be_bound_again_while_an_old_connection_lingers() {
    let first = bind("127.0.0.1:0").unwrap();
    let address = first.address().to_string();
    let server = TcpListener::from(first.into_fd());
    let mut client = TcpStream::connect(&address).unwrap();
    server.set_nonblocking(false).unwrap();
    let (connection, _) = server.accept().unwrap();
    // The side that closes first keeps the address in TIME_WAIT.
    drop(connection);
    drop(server);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop(client);
    bind(&address).unwrap();
}

#[test]
fn all_interfaces_take_ipv4_connections() {
    let listener = bind(":0").unwrap();
    TcpStream::connect(("127.0.0.1", port(&listener))).unwrap();
    let error = bind(&format!(":{}", port(&listener)))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        format!(":{}: address already in use", port(&listener))
    );
}

#[test]
fn a_host_name_is_resolved() {
    let listener = bind("localhost:0").unwrap();
    TcpStream::connect(listener.address().to_string()).unwrap();
}

#[test]
fn an_address_of_another_machine_is_refused() {
    // 192.0.2.0/24 is kept for documentation.
    let error = bind("192.0.2.1:0").unwrap_err().to_string();
    assert_eq!(error, "192.0.2.1:0: this machine has no such address");
}

#[test]
fn a_listener_survives_its_descriptor_being_passed_on() {
    let listener = bind("127.0.0.1:0").unwrap();
    let address = listener.address().clone();
    let passed = Listener::from_fd(listener.try_clone().unwrap().into_fd()).unwrap();
    drop(listener);
    assert_eq!(passed.address(), &address);
    TcpStream::connect(address.to_string()).unwrap();
}

#[test]
fn an_inherited_descriptor_becomes_non_blocking_and_closed_on_exec() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).unwrap();
    let listener = Listener::from_fd(socket.into()).unwrap();
    let flags = rustix::fs::fcntl_getfl(listener.as_fd()).unwrap();
    assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
    let flags = rustix::io::fcntl_getfd(listener.as_fd()).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

#[test]
fn a_descriptor_that_does_not_listen_is_refused() {
    let listener = bind("127.0.0.1:0").unwrap();
    let connection: OwnedFd = TcpStream::connect(listener.address().to_string())
        .unwrap()
        .into();
    Listener::from_fd(connection).unwrap_err();
    Listener::from_fd(fs::File::open("/dev/null").unwrap().into()).unwrap_err();
    Listener::from_fd(std::net::UdpSocket::bind("127.0.0.1:0").unwrap().into()).unwrap_err();
}

#[test]
fn a_unix_socket_takes_connections_and_its_owner_removes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let listener = bind(&format!("unix:{}", path.display())).unwrap();
    assert_eq!(
        listener.address().url("http"),
        format!("unix:{}", path.display())
    );
    UnixStream::connect(&path).unwrap().write_all(b"x").unwrap();
    let file = UnixSocketFile::of(&listener).unwrap();
    drop(listener);
    assert!(path.exists(), "closing the socket leaves the file");
    drop(file);
    assert!(!path.exists());
}

#[test]
fn a_stale_unix_socket_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    drop(UnixListener::bind(&path).unwrap());
    let _listener = bind(&format!("unix:{}", path.display())).unwrap();
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_live_unix_socket_is_refused_even_with_a_full_queue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let bind_with = |backlog| Listener::bind(&Bind::Unix(path.clone()), backlog);
    let _first = bind_with(0).unwrap();
    let error = bind_with(0).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("unix:{}: address already in use", path.display())
    );
    // The probe above may have filled the only place; these fill it for certain.
    let probe =
        || socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    let clients: Vec<_> = (0..3).map(|_| probe()).collect();
    let address = socket2::SockAddr::unix(&path).unwrap();
    let full = clients.iter().any(|client| {
        client.set_nonblocking(true).unwrap();
        client
            .connect(&address)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    });
    assert!(full, "the queue has to be full for this test");
    assert!(bind_with(0).unwrap_err().is_address_in_use());
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "keep").unwrap();
    let error = bind(&format!("unix:{}", path.display())).unwrap_err();
    assert!(matches!(error, ListenError::NotASocket { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "keep");
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let error = bind("unix:/nonexistent-folder/a.sock")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "unix:/nonexistent-folder/a.sock: no such folder or name"
    );
}

#[test]
fn the_owner_leaves_a_socket_file_that_another_server_has_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let bind = Bind::Unix(path.clone());
    let old = Listener::bind(&bind, DEFAULT_BACKLOG).unwrap();
    let old_file = UnixSocketFile::of(&old).unwrap();
    // The old socket stays open, so that its file's number is not used again.
    fs::remove_file(&path).unwrap();
    let spare = UnixListener::bind(folder.path().join("spare")).unwrap();
    let new = Listener::bind(&bind, DEFAULT_BACKLOG).unwrap();
    drop(old_file);
    UnixStream::connect(&path).unwrap();
    UnixSocketFile::of(&new).unwrap().keep();
    assert!(path.exists());
    drop((old, spare));
}

#[test]
fn of_many_servers_that_start_at_a_stale_socket_one_wins() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        let bind = Bind::Unix(path.clone());
        let servers: Vec<_> = std::thread::scope(|scope| {
            let start = || Listener::bind(&bind, DEFAULT_BACKLOG);
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(servers.iter().filter(|server| server.is_ok()).count(), 1);
        UnixStream::connect(&path).unwrap();
    }
}

#[test]
fn a_lock_that_a_stranger_holds_on_the_folder_keeps_no_server_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    drop(UnixListener::bind(&path).unwrap());
    let turn = fs::File::open(folder.path()).unwrap();
    rustix::fs::flock(&turn, rustix::fs::FlockOperation::LockExclusive).unwrap();
    bind(&format!("unix:{}", path.display())).unwrap();
    drop(turn);
}
