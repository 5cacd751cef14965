//! A program that is built with `panic = "abort"`: what a caller learns of a panic, then.
#![forbid(unsafe_code)]

use pulsar_core::{Context, Error, Result, command, send, spawn};

#[command]
async fn explode(_cx: Context, message: String) {
    panic!("{message}");
}

#[pulsar_core::main]
async fn main() -> Result<()> {
    if !cfg!(panic = "abort") {
        return Err(Error::msg("built under the wrong profile"));
    }
    let actor = spawn().await?;
    match send(&actor, explode, "out of tea").await {
        Ok(()) => println!("no panic"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}
