//! A program whose actors lack something, or say much on stderr; what happens, its argument says.
#![forbid(unsafe_code)]

use std::future::pending;
use std::hint::black_box;
use std::io::Write;
use std::process::{Command, Stdio};

use pulsar::prelude::*;

const MIB: usize = 1 << 20;

#[pulsar::main]
async fn main() -> Result<()> {
    let what = std::env::args().nth(1);
    match what.as_deref() {
        Some("hold") => hold().await,
        Some("own-limit") => starve(spawn().memory_max(64 << 20)).await,
        Some("crowd") => starve(spawn()).await,
        Some("leave") => leave().await,
        Some("wait") => wait().await,
        Some("talk") => talk().await,
        Some("flood") => flood().await,
        _ => Err(Error::msg(
            "usage: limited hold|leave|own-limit|crowd|wait|talk|flood",
        )),
    }
}

/// An actor with a limit, until the program is ended.
async fn hold() -> Result<()> {
    let _held = spawn().memory_max(64 << 20).await?;
    println!("ready");
    pending().await
}

/// An actor with a limit starts a process in a session of its own, until the program is ended.
async fn leave() -> Result<()> {
    let held = spawn().memory_max(64 << 20).await?;
    println!("{}", send(&held, start_apart, ()).await?);
    pending().await
}

/// Tells the pid of what it has started.
#[command]
fn start_apart(_cx: Context) -> Result<u32> {
    let mut child = Command::new("setsid");
    child
        .args(["sleep", "1000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(child.spawn()?.id())
}

/// An actor without limits, and how it ends.
async fn wait() -> Result<()> {
    let waiting = spawn().await?;
    println!("{}", send(&waiting, info, ()).await?.actor.pid);
    println!("it {}", arbiter().ended(&waiting).await?);
    Ok(())
}

/// One actor eats until it dies; another goes on.
async fn starve(eater: Spawn) -> Result<()> {
    let bystander = spawn().await?;
    let eater = eater.await?;
    match send(&eater, eat, 200).await {
        Err(CallError::Send(SendError::ActorDied { cause })) => println!("it {cause}"),
        other => println!("{other:?}"),
    }
    println!("{}", send(&bystander, ping, ()).await?);
    // A kill that has nothing to do with memory, after one that had.
    let killed = spawn().await?;
    let dying = send(&killed, kill_oneself, ()).await;
    if let Err(CallError::Send(SendError::ActorDied { cause })) = dying {
        println!("it {cause}");
    }
    Ok(())
}

/// Takes memory and writes to it.
#[command]
fn eat(_cx: Context, mib: usize) {
    let mut taken = Vec::new();
    for _ in 0..mib {
        taken.push(black_box(vec![1_u8; MIB]));
    }
    drop(black_box(taken));
}

#[command]
fn kill_oneself(_cx: Context) -> Result<()> {
    let own = rustix::process::getpid();
    Ok(rustix::process::kill_process(
        own,
        rustix::process::Signal::KILL,
    )?)
}

/// Lines pass on while the actor lives.
async fn talk() -> Result<()> {
    let talker = spawn().keep_stderr(3).await?;
    send(
        &talker,
        say,
        "a line with \u{1b}[1mlight\u{1b}[0m\n".to_owned(),
    )
    .await?;
    println!("said");
    pending().await
}

#[command]
fn say(_cx: Context, text: String) -> Result<()> {
    Ok(std::io::stderr().write_all(text.as_bytes())?)
}

/// More than anybody takes is said; the arbiter answers all the same.
async fn flood() -> Result<()> {
    let talker = spawn().keep_stderr(3).await?;
    for _ in 0..64 {
        send(&talker, say, "0123456789abcde\n".repeat(8 << 10)).await?;
    }
    println!("{}", send("arbiter", ping, ()).await?);
    // Until somebody wants to read it.
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(())
}
