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
    // What is preloaded may need a loop for it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let id = runtime.block_on(async { std::process::id() });
    PRELOADED_BY.get_or_init(|| id);
    Ok(())
}

/// Who has preloaded what the actor's process has, and that process.
#[command]
async fn preloaded_by(_cx: Context) -> (Option<u32>, u32) {
    (PRELOADED_BY.get().copied(), std::process::id())
}

/// Says something that is no whole line, so that it waits in the process for the rest.
#[command]
async fn mutter(_cx: Context) {
    print!("muttered");
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
    send(&one, mutter, ()).await?;
    Ok(())
}
