//! A program whose actors make processes of their own, which outlive them.
#![forbid(unsafe_code)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pulsar::LogConfig;
use pulsar::prelude::*;
use pulsar_testkit::Process;

/// What has not come to pass by then never does.
const PATIENCE: Duration = Duration::from_secs(20);

#[pulsar::main]
async fn main() -> Result<()> {
    let filter = "warn".to_owned();
    arbiter().log(LogConfig { filter });
    let as_first = std::process::id() == 1;
    match as_first {
        true => as_the_first_process().await,
        false => as_any_other().await,
    }
}

/// Two actors with a process each, of which one dies; until the program is stopped.
async fn as_any_other() -> Result<()> {
    let dying = spawn().name("dying").await?;
    let living = spawn().name("living").await?;
    for actor in [&dying, &living] {
        println!("{}", send(actor, make_a_session, ()).await?);
    }
    arbiter().kill_actor(&dying).await?;
    println!("killed");
    arbiter().stop_asked().await;
    Ok(())
}

/// An orphan becomes this process's child, ends, and is to be reaped: then there is no such process. It
/// is no actor meanwhile, and no worker is missed.
async fn as_the_first_process() -> Result<()> {
    let actor = spawn().name("parent").await?;
    let before = arbiter().actors().len();
    let orphan: u32 = send(&actor, leave_an_orphan, ()).await?;
    let deadline = Instant::now() + PATIENCE;
    let (mut adopted, mut is_gone) = (false, false);
    while !is_gone && Instant::now() < deadline {
        let parent = Process::of(orphan).parent();
        adopted |= parent == Some(1);
        is_gone = parent.is_none();
        let actors = arbiter().actors();
        let listed = actors.iter().any(|actor| actor.pid == Some(orphan));
        if listed || actors.len() != before {
            return Err(Error::msg("the orphan is counted as an actor"));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("adopted {adopted} reaped {is_gone}");
    println!("{}", send(&actor, ping, ()).await?);
    Ok(())
}

/// A process in a session of its own; its pid.
#[command]
async fn make_a_session(_cx: Context) -> Result<u32> {
    // What is no leader of a group becomes one of a session, and stays the same process.
    let child = Command::new("setsid")
        .args(["sleep", "600"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(child.id())
}

/// A process that loses its parent at once, and ends a while later; its pid.
#[command]
async fn leave_an_orphan(_cx: Context) -> Result<u32> {
    let shell = Command::new("sh")
        .args(["-c", "sleep 0.5 >/dev/null 2>&1 & echo $!"])
        .output()?;
    Ok(String::from_utf8_lossy(&shell.stdout).trim().parse()?)
}
