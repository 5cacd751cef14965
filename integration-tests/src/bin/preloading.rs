//! A program that preloads; where `NOTHING_TO_LOAD` is set that goes wrong.
#![forbid(unsafe_code)]

use std::sync::OnceLock;

use pulsar::prelude::*;

/// The process that has preloaded.
static PRELOADED_BY: OnceLock<u32> = OnceLock::new();

fn preload() -> Result<()> {
    if std::env::var_os("NOTHING_TO_LOAD").is_some() {
        return Err(Error::msg("nothing to load"));
    }
    PRELOADED_BY.get_or_init(std::process::id);
    Ok(())
}

/// Who has preloaded what the actor's process has, and that process.
#[command]
async fn preloaded_by(_cx: Context) -> (Option<u32>, u32) {
    (PRELOADED_BY.get().copied(), std::process::id())
}

#[pulsar::main(preload = preload)]
async fn main() -> Result<()> {
    println!("arbiter {}", PRELOADED_BY.get().is_some());
    let (Ok(one), Ok(other)) = (spawn().await, spawn().await) else {
        println!("failed");
        return Ok(());
    };
    let (by_one, pid) = send(&one, preloaded_by, ()).await?;
    let (by_other, _) = send(&other, preloaded_by, ()).await?;
    println!(
        "forks {}",
        by_one.is_some() && by_one == by_other && by_one != Some(pid)
    );
    let by_exec = spawn().exec().await?;
    let (by, pid) = send(&by_exec, preloaded_by, ()).await?;
    println!("exec {}", by == Some(pid));
    Ok(())
}
