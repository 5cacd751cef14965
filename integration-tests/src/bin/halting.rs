//! A program that is halted: by whom, and with which codes, its arguments say. The last word, if there
//! is one, is how `main` then ends; else it never does.
#![forbid(unsafe_code)]

use std::future::pending;
use std::process::ExitCode;

use pulsar::prelude::*;

#[pulsar::main]
async fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().collect();
    let [_, by, codes, returned @ ..] = &words[..] else {
        return Err(Error::msg("usage: halting BY CODE[,CODE] [RETURNED]"));
    };
    for placement in [Placement::Process, Placement::Thread, Placement::Task] {
        let name = placement.to_string();
        let _ = spawn()
            .placement(placement)
            .name(name)
            .stopping(say)
            .await?;
    }
    let _ = Pool::new("pool", 1, spawn().stopping(say))
        .start()
        .await?
        .first_ready()
        .await;
    if by == "operator" {
        println!("ready");
    }
    let halts = by != "nobody" && by != "operator";
    for code in codes.split(',').filter(|_| halts) {
        let code = code.parse()?;
        match by.as_str() {
            "main" => halt(code)?,
            "foreign" => std::thread::spawn(move || arbiter().halt(code))
                .join()
                .map_err(|_| Error::msg("the thread panicked"))??,
            "hook" => drop(spawn().start(halt_early, code).await),
            "last-hook" => {
                let _ = spawn().start(keep_code, code).stopping(halt_late).await?;
            }
            name => send(name, halt_with, code).await?,
        }
    }
    match returned.first().map(String::as_str) {
        Some("error") => Err(Error::msg("no way on")),
        Some("panic") => panic!("no way on"),
        Some(code) => Ok(ExitCode::from(code.parse::<u8>()?)),
        None => pending().await,
    }
}

#[command]
fn halt_with(_cx: Context, code: u8) -> Result<()> {
    Ok(halt(code)?)
}

async fn halt_early(_cx: Context, code: u8) -> Result<()> {
    Ok(halt(code)?)
}

async fn keep_code(cx: Context, code: u8) {
    cx.set_extra("code", code);
}

async fn halt_late(cx: Context) -> Result<()> {
    let code = cx.info().extra.0["code"].as_u64().unwrap_or_default();
    Ok(halt(u8::try_from(code)?)?)
}

async fn say(cx: Context) {
    println!("{} stops", cx.name());
}
