//! A program that cannot make processes for a while: as its file may not be executed, as there is none,
//! or as the system has no more processes for it.
#![forbid(unsafe_code)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{Escalation, LogConfig, MonitorHandle, SpawnError};
use pulsar_testkit::Leftovers;
use rustix::process::{Resource, Rlimit, chroot, getrlimit, setrlimit};
use rustix::thread::set_thread_uid;

/// Workers of the pool that the system has no more processes for.
const WORKERS: usize = 3;
/// For how long no process can be made: several tries of the pool's.
const DEARTH: Duration = Duration::from_secs(2);

#[pulsar::main]
async fn main() -> Result<()> {
    let filter = "warn".to_owned();
    arbiter().log(LogConfig { filter });
    // The tasks that have just begun open what they keep.
    send("arbiter", ping, ()).await?;
    let before = Leftovers::baseline()?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (what, where_to) = (args.first(), args.get(1).cloned().unwrap_or_default());
    match what.map(String::as_str) {
        Some("forbidden") => forbidden(Path::new(&where_to)).await?,
        Some("absent") => return absent(Path::new(&where_to)).await,
        Some("dearth") => dearth(where_to.parse()?).await?,
        _ => return Err(Error::msg("say what is to fail")),
    }
    match tokio::task::spawn_blocking(move || before.check()).await? {
        Ok(()) => println!("nothing left"),
        Err(left) => println!("left: {left}"),
    }
    Ok(())
}

/// Nobody may execute the program's file: the spawn fails, and so does each boot of a pool, which gives up.
async fn forbidden(program: &Path) -> Result<()> {
    fs::set_permissions(program, Permissions::from_mode(0o600))?;
    println!("{}", errno(spawn().await));
    let pool = Pool::new("workers", 1, spawn()).escalation(Escalation::Tell);
    let pool = pool.start().await?;
    println!("{}", pool.gave_up().await.unwrap_or_default());
    arbiter().stop_actor(pool.proxy()).await?;
    fs::set_permissions(program, Permissions::from_mode(0o700))?;
    let actor = spawn().await?;
    println!("{}", send(&actor, ping, ()).await?);
    arbiter().stop_actor(&actor).await?;
    Ok(())
}

/// There is no such file any more, nor anything else.
async fn absent(empty: &Path) -> Result<()> {
    if let Err(error) = chroot(empty) {
        println!("skipped {error}");
        return Ok(());
    }
    println!("{}", errno(spawn().await));
    Ok(())
}

fn errno(spawned: Result<Proxy, SpawnError>) -> String {
    match spawned {
        Err(SpawnError::Exec { errno, .. }) => format!("errno {errno}"),
        other => format!("{other:?}"),
    }
}

/// No more processes for the user of this thread, the only one that makes some: those alive go on, and the dead one
/// is replaced once there may be more.
async fn dearth(user: u32) -> Result<()> {
    // The others of this process's threads keep their user, who may see what belongs to it.
    set_thread_uid(rustix::thread::Uid::from_raw(user))?;
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)?;
    let pool = Pool::new("workers", WORKERS, spawn()).start().await?;
    pool.all_ready().await;
    let maximum = getrlimit(Resource::Nproc).maximum;
    let limit = |current| setrlimit(Resource::Nproc, Rlimit { current, maximum });
    limit(Some(0))?;
    println!("{}", errno(spawn().await));
    arbiter().kill_actor(&find_worker(1).await?).await?;
    let tried = serve(&pool).await?;
    println!("served {tried}");
    limit(maximum)?;
    pool.all_ready().await;
    println!("{}", send("workers-1", ping, ()).await?);
    arbiter().stop_actor(pool.proxy()).await?;
    Ok(())
}

async fn find_worker(number: usize) -> Result<Proxy> {
    let name = format!("workers-{number}");
    let actors = arbiter().actors();
    let found = actors.into_iter().find(|actor| actor.name == name);
    let found = found.ok_or_else(|| Error::msg("no such worker"))?;
    Ok(Proxy::from(pulsar::RawProxy::new(found.aid, &name)))
}

/// Asks those alive for as long as there is a dearth; whether all have answered.
async fn serve(pool: &MonitorHandle) -> Result<bool> {
    let end = tokio::time::Instant::now() + DEARTH;
    let mut served = true;
    while tokio::time::Instant::now() < end {
        for name in ["workers-2", "workers-3"] {
            served &= send(name, ping, ()).await? == "pong";
        }
        served &= pool.status().ready == WORKERS - 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(served)
}
