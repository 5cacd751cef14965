//! Names, folders and locks, with real sockets and real processes.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use pulsar_control::{ClaimError, ControlDirectory, DirectoryError, InstanceName};
use tempfile::TempDir;

fn name(name: &str) -> InstanceName {
    name.parse().unwrap()
}

fn place() -> (TempDir, ControlDirectory) {
    let temp = tempfile::tempdir().unwrap();
    let directory = ControlDirectory::at(temp.path().join("pulsar"));
    (temp, directory)
}

fn closed_folder(path: &Path, mode: u32) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn fault_37_a_second_claim_of_a_live_name_is_refused() {
    let (_temp, directory) = place();
    let first = directory.claim(&name("web")).unwrap();
    let error = directory.claim(&name("web")).unwrap_err();
    assert!(matches!(&error, ClaimError::NameLive { name } if name.as_str() == "web"));
    assert!(error.to_string().starts_with("--name web: "), "{error}");
    directory.claim(&name("other")).unwrap();
    UnixStream::connect(first.socket_path()).unwrap();
}

#[test]
fn a_dropped_claim_leaves_nothing_and_frees_the_name() {
    let (_temp, directory) = place();
    let claim = directory.claim(&name("web")).unwrap();
    let socket = claim.socket_path();
    assert_eq!(
        fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    drop(claim);
    assert!(!socket.exists());
    assert_eq!(fs::read_dir(directory.root()).unwrap().count(), 0);
    directory.claim(&name("web")).unwrap();
}

#[test]
fn fault_37_a_stale_socket_is_taken_over() {
    let (temp, directory) = place();
    closed_folder(&temp.path().join("pulsar"), 0o700);
    closed_folder(&temp.path().join("pulsar/web"), 0o700);
    for stale in ["control.sock", "control.new"] {
        drop(UnixListener::bind(directory.root().join("web").join(stale)).unwrap());
    }
    fs::write(directory.root().join("web/lock"), "").unwrap();
    let socket = directory.socket_path(&name("web"));
    assert!(UnixStream::connect(&socket).is_err());
    let _claim = directory.claim(&name("web")).unwrap();
    UnixStream::connect(&socket).unwrap();
}

#[test]
fn linked_and_open_folders_are_refused() {
    let (temp, directory) = place();
    let (root, real) = (temp.path().join("pulsar"), temp.path().join("real"));
    closed_folder(&real, 0o700);
    let refused = |expected: &str| {
        let error = directory.claim(&name("web")).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("control directory ") && message.contains(expected),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1);
    };
    symlink(&real, &root).unwrap();
    refused("is a symbolic link");
    fs::remove_file(&root).unwrap();
    closed_folder(&root, 0o755);
    refused("mode 0755");
    fs::set_permissions(&root, PermissionsExt::from_mode(0o700)).unwrap();
    symlink(&real, root.join("web")).unwrap();
    refused("/web: is a symbolic link");
    fs::remove_file(root.join("web")).unwrap();
    closed_folder(&root.join("web"), 0o750);
    refused("/web: mode 0750");
    assert_eq!(
        fs::read_dir(&real).unwrap().count(),
        0,
        "nothing was written through a link"
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let directory = ControlDirectory::at("/nonexistent-runtime-dir/pulsar");
    let message = directory.claim(&name("web")).unwrap_err().to_string();
    assert!(
        message.starts_with(
            "control directory /nonexistent-runtime-dir/pulsar: failed to create it: "
        ),
        "{message}"
    );
}

#[test]
fn a_path_that_does_not_fit_in_a_socket_address_names_the_limit() {
    let (temp, _) = place();
    // What remains for the folder, so that the path has exactly 107 bytes, and then one more.
    let fixed = temp.path().as_os_str().len() + "/".len() + "/web/control.sock".len();
    let fits = ControlDirectory::at(temp.path().join("x".repeat(107 - fixed)));
    fits.claim(&name("web")).unwrap();
    let error = fits.claim(&name("webs")).unwrap_err();
    let ClaimError::Directory(DirectoryError::PathTooLong {
        length: 108,
        limit: 107,
        ..
    }) = &error
    else {
        panic!("{error}");
    };
    assert!(
        error.to_string().starts_with("control directory /"),
        "{error}"
    );
}

#[test]
fn claims_that_race_never_share_a_name() {
    let (_temp, directory) = place();
    let (holders, wins) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    match directory.claim(&name("web")) {
                        Ok(claim) => {
                            assert_eq!(
                                holders.fetch_add(1, Ordering::SeqCst),
                                0,
                                "two hold the name"
                            );
                            UnixStream::connect(claim.socket_path())
                                .expect("a held name has a live socket");
                            holders.fetch_sub(1, Ordering::SeqCst);
                            wins.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(ClaimError::NameLive { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert!(wins.into_inner() > 0);
    assert_eq!(fs::read_dir(directory.root()).unwrap().count(), 0);
}

#[test]
fn an_owner_whose_folder_was_deleted_does_not_unseat_its_successor() {
    let (_temp, directory) = place();
    let old = directory.claim(&name("web")).unwrap();
    fs::remove_dir_all(directory.root().join("web")).unwrap();
    let new = directory.claim(&name("web")).unwrap();
    drop(old);
    UnixStream::connect(new.socket_path()).unwrap();
    assert!(matches!(
        directory.claim(&name("web")),
        Err(ClaimError::NameLive { .. })
    ));
}

const CHILD_ROOT: &str = "PULSAR_TEST_CLAIM_ROOT";

/// Not a test of its own: the body of the child process of the test below.
#[test]
fn child_that_claims_and_waits() {
    let Some(root) = std::env::var_os(CHILD_ROOT) else {
        return;
    };
    let _claim = ControlDirectory::at(root).claim(&name("web")).unwrap();
    // Its own line, whatever the harness has begun on this one.
    println!("\nclaimed");
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn a_killed_owner_frees_the_name_and_its_socket_is_stale() {
    let (_temp, directory) = place();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_claims_and_waits", "--nocapture"])
        .env(CHILD_ROOT, directory.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let claimed = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .any(|line| line.unwrap() == "claimed");
    let refused = matches!(
        directory.claim(&name("web")),
        Err(ClaimError::NameLive { .. })
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(claimed && refused);
    assert!(
        directory.socket_path(&name("web")).exists(),
        "a killed process cleans nothing"
    );
    directory.claim(&name("web")).unwrap();
}
