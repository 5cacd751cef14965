//! Who may speak on the control socket, and whose name it is.

use std::fs::{Permissions, set_permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use integration_tests::Laboratory;
use pulsar_testkit::{skip, wait_until};
use rustix::fs::Uid;
use rustix::process::{Signal, geteuid};
use rustix::thread::set_thread_res_uid;

use crate::{BINARIES, TWO, hostile::Raw};

/// A user who is neither root nor ours.
const STRANGER: u32 = 65_534;

/// A connection that is refused is closed long before.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects as another user, and reads until the end: the kernel takes the user of the thread that connects.
fn as_a_stranger(socket: &Path) -> io::Result<String> {
    thread::scope(|scope| {
        let stranger = scope.spawn(|| {
            let uid = Uid::from_raw(STRANGER);
            set_thread_res_uid(uid, uid, uid)?;
            let mut heard = String::new();
            let mut stream = UnixStream::connect(socket)?;
            // Who is let in is greeted long before, and not closed.
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.read_to_string(&mut heard)?;
            Ok(heard)
        });
        stranger.join().unwrap()
    })
}

#[test]
fn fault_37_another_user_is_refused_even_where_the_folders_were_opened() {
    if !geteuid().is_root() {
        return skip(
            "fault_37_another_user_is_refused_even_where_the_folders_were_opened",
            "needs root, to be another user",
        );
    }
    let laboratory = Laboratory::open(BINARIES, &TWO);
    let runtime = laboratory.program.runtime_dir();
    let socket = laboratory.control_socket();
    let closed = as_a_stranger(&socket).unwrap_err();
    assert_eq!(closed.kind(), io::ErrorKind::PermissionDenied);
    // Somebody opens everything: what is left is the check of who connects.
    let ancestors = socket.ancestors().skip(1);
    let folders: Vec<PathBuf> = ancestors
        .take_while(|folder| folder.starts_with(runtime))
        .map(Path::to_owned)
        .collect();
    for path in folders.iter().chain([&socket]) {
        set_permissions(path, Permissions::from_mode(0o777)).unwrap();
    }
    match as_a_stranger(&socket) {
        Ok(heard) => assert_eq!(heard, "", "not even greeted"),
        // It was closed while it was read.
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    // Its own user is served as before.
    assert!(Raw::connect(&laboratory).greeting().contains("\"pulsar\""));
    // Its log may be read a little later than its socket.
    let told = wait_until(PATIENCE, || {
        let stderr = laboratory.program.stderr();
        stderr.contains("belongs to user 65534").then_some(())
    });
    assert!(told.is_some(), "{}", laboratory.program.stderr());
    laboratory.stop(Signal::TERM);
}

#[test]
fn fault_37_the_socket_of_a_killed_arbiter_is_taken_over() {
    let mut killed = Laboratory::open(BINARIES, &TWO);
    let socket = killed.control_socket();
    killed.program.signal(Signal::KILL).unwrap();
    killed.program.wait();
    assert!(socket.exists(), "a killed process cleans nothing");
    assert!(UnixStream::connect(&socket).is_err());
    let mut command = Command::new(BINARIES.crashlab);
    command.args(["--bind", "127.0.0.1:0"]).args(TWO);
    let next = Laboratory::of(BINARIES, killed.program.beside(command));
    assert_eq!(next.control_socket(), socket);
    assert_eq!(next.worker_pids(2).len(), 2);
    next.stop(Signal::TERM);
}
