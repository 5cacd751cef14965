//! A segmentation fault under load, as its caller and everybody else see it.
//!
//! `cargo run --release -p crashlab --bin segfault`
#![forbid(unsafe_code)]

use pulsar::prelude::*;
use pulsar_testkit::Fault;

/// Dies of a real segmentation fault.
#[command]
fn crash(_cx: Context) {
    Fault::Segv.commit()
}

/// Asks an actor again and again; how often it answered.
async fn load(actor: Proxy, asks: u32) -> Result<u32, CallError<pulsar::Never>> {
    for _ in 0..asks {
        send(&actor, ping, ()).await?;
    }
    Ok(asks)
}

#[pulsar::main]
async fn main() -> Result<()> {
    let victim = spawn().name("victim").await?;
    let bystander = spawn().name("bystander").await?;
    let under_load = tokio::spawn(load(bystander, 10_000));
    if let Err(CallError::Send(SendError::ActorDied { cause })) = send(&victim, crash, ()).await {
        println!("the victim {cause}: {cause:?}");
    }
    let answered = under_load.await??;
    println!("the bystander answered {answered} of 10000 asks meanwhile");
    Ok(())
}
