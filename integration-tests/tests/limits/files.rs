//! Actors that overstep their number of open files.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::Arc;

use pulsar::prelude::*;

/// Opens files until that fails, and lets go of them: how many there were, and the system's error.
#[command]
fn open_all(_cx: Context) -> (usize, Option<i32>) {
    let mut open = Vec::new();
    // Far fewer than this process could have without a limit.
    while open.len() < 500 {
        match File::open("/dev/null") {
            Ok(file) => open.push(file),
            Err(error) => return (open.len(), error.raw_os_error()),
        }
    }
    (open.len(), None)
}

/// What a process of the actor's own may have.
#[command]
fn limits_below(_cx: Context) -> Result<String> {
    let output = Command::new("sh")
        .args(["-c", "ulimit -Sn; ulimit -Hn"])
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[pulsar::test]
async fn an_actor_over_its_open_files_gets_an_error_and_lives_on() -> Result<()> {
    let limited = spawn().open_files_max(40).await?;
    let free = spawn().await?;
    let (opened, error) = send(&limited, open_all, ()).await?;
    assert!(opened < 40, "{opened}");
    assert_eq!(error, Some(rustix::io::Errno::MFILE.raw_os_error()));
    assert_eq!(send(&free, open_all, ()).await?, (500, None));
    for alive in [&limited, &free] {
        assert_eq!(send(alive, ping, ()).await?, "pong");
    }
    // Neither the actor's start nor its children raise it again.
    assert_eq!(send(&limited, limits_below, ()).await?, "40\n40\n");
    Ok(())
}

#[pulsar::test]
async fn an_actor_lives_with_the_fewest_open_files() -> Result<()> {
    let small = spawn().open_files_max(16).await?;
    assert!(send(&small, info, ()).await?.system.is_some());
    let null: Arc<OwnedFd> = Arc::new(File::open("/dev/null")?.into());
    let with = |count: u64| {
        let described = spawn().open_files_max(16 + count);
        (0..count).fold(described, |described, number| {
            described.descriptor(format!("null-{number}"), Arc::clone(&null))
        })
    };
    let small = with(20).await?;
    assert_eq!(send(&small, ping, ()).await?, "pong");
    // One that could not be given what it is to be given is refused.
    let refused = with(20).open_files_max(35).await;
    let Err(SpawnError::Limit { message }) = refused else {
        panic!("{refused:?}");
    };
    assert!(message.contains("open_files_max is 35"), "{message}");
    Ok(())
}
