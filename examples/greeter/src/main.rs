//! Actors that greet: spawn one, send it a free command by proxy and by name, and end.
//!
//! `cargo run -p greeter` greets the world; `cargo run -p greeter -- luca ada` those.
#![forbid(unsafe_code)]

use pulsar::prelude::*;
use serde::{Deserialize, Serialize};

/// What one cannot say to somebody without a name.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("whom shall I greet?")]
struct Rude;

/// Any actor answers this command; here it is one in a process of its own.
#[command]
async fn greetme(cx: Context, name: String) -> Result<String, Rude> {
    if name.is_empty() {
        return Err(Rude);
    }
    eprintln!("{} greets from process {}", cx.name(), std::process::id());
    Ok(format!("Hello {name}!"))
}

#[pulsar::main]
async fn main() -> Result<()> {
    let greeter = spawn().name("greeter").await?;
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names.push("World".to_owned());
    }
    for name in names {
        println!("{}", send("greeter", greetme, name).await?);
    }
    // An error keeps its type, also from another process.
    if let Err(CallError::Command(Rude)) = send(&greeter, greetme, "").await {
        eprintln!("it has manners");
    }
    Ok(())
}
