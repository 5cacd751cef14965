//! A program whose `main` has no `async`: what it does before the start, its argument says.
#![forbid(unsafe_code)]

use std::sync::mpsc::channel;
use std::thread;

use pulsar::prelude::*;
use pulsar::{Arbiter, Ended, LogConfig, StartError};

#[pulsar::main]
fn main() -> Result<Ended> {
    println!("main runs");
    let arbiter = arbiter();
    println!("running before: {}", arbiter.is_running());
    let how = std::env::args().nth(1).unwrap_or_default();
    match how.as_str() {
        "stop-by-thread" => stop_by_thread(arbiter)?,
        "stop-by-actor" => begin_with(arbiter, stop_by_actor)?,
        "stop-before" => {
            stop_before(arbiter)?;
            arbiter.at_start(spawn_all)?;
        }
        "halt" => begin_with(arbiter, halt_by_actor)?,
        "error" => {
            begin_with(arbiter, fail)?;
            arbiter.at_start(|_cx| async { println!("third") })?;
        }
        "panic" => begin_with(arbiter, panic_at_start)?,
        "log" => {
            let filter = "error".to_owned();
            arbiter.log(LogConfig { filter });
            arbiter.at_start(leave_late)?;
        }
        "late" => arbiter.at_start(speak_late)?,
        "many" => println!("{}", say_many(arbiter)),
        "elsewhere" => {
            let elsewhere = thread::spawn(move || arbiter.start().err()).join();
            println!("elsewhere: {elsewhere:?}");
            println!("halt: {:?}", halt(9));
            println!("halt: {:?}", arbiter.halt(9));
            arbiter.stop();
        }
        other => return Err(Error::msg(format!("nothing is done by {other:?}"))),
    }
    let ended = arbiter.start()?;
    println!("running after: {}", arbiter.is_running());
    let again = arbiter.start();
    println!("again: {}", matches!(again, Err(StartError::Begun)));
    Ok(ended)
}

/// Takes its time: what is said behind it waits.
async fn spawn_all(_cx: Context) -> Result<()> {
    println!("running within: {}", arbiter().is_running());
    for placement in [Placement::Process, Placement::Thread, Placement::Task] {
        let name = placement.to_string();
        let _ = spawn()
            .placement(placement)
            .name(name)
            .stopping(say)
            .await?;
    }
    println!("first");
    Ok(())
}

fn begin_with<Fut>(arbiter: Arbiter, then: fn(Context) -> Fut) -> Result<(), StartError>
where
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    arbiter.at_start(spawn_all)?;
    arbiter.at_start(then)
}

/// The handle is older than the arbiter.
fn stop_by_thread(arbiter: Arbiter) -> Result<()> {
    let (to_thread, told) = channel();
    thread::spawn(move || {
        if told.recv().is_ok() {
            println!("running between: {}", arbiter.is_running());
            arbiter.stop();
        }
    });
    arbiter.at_start(spawn_all)?;
    arbiter.at_start(move |cx| async move {
        println!("second, on the arbiter: {}", cx.is_arbiter());
        to_thread.send(())
    })?;
    Ok(())
}

fn stop_before(arbiter: Arbiter) -> Result<()> {
    let stopping = thread::spawn(move || arbiter.stop()).join();
    stopping.map_err(|_| Error::msg("the thread panicked"))
}

async fn stop_by_actor(_cx: Context) -> Result<()> {
    Ok(send("process", stop_all, ()).await?)
}

async fn halt_by_actor(_cx: Context) -> Result<()> {
    Ok(send("process", halt_with, 7).await?)
}

async fn fail(_cx: Context) -> Result<()> {
    Err(Error::msg("no database"))
}

async fn panic_at_start(_cx: Context) -> Result<()> {
    panic!("no database")
}

async fn leave_late(cx: Context) -> Result<()> {
    let _ = spawn().stopping(fail_late).await?;
    cx.stop();
    Ok(())
}

async fn fail_late(_cx: Context) -> Result<()> {
    Err(Error::msg("left open"))
}

async fn speak_late(cx: Context) {
    println!("late: {:?}", arbiter().at_start(spawn_all));
    println!("again: {:?}", arbiter().start());
    cx.stop();
}

/// Says more than it may; what it is told.
fn say_many(arbiter: Arbiter) -> StartError {
    loop {
        if let Err(error) = arbiter.at_start(|_cx| async {}) {
            arbiter.stop();
            return error;
        }
    }
}

#[command]
async fn stop_all(_cx: Context) -> Result<()> {
    Ok(send("arbiter", stop, ()).await?)
}

#[command]
fn halt_with(_cx: Context, code: u8) -> Result<()> {
    Ok(halt(code)?)
}

async fn say(cx: Context) {
    println!("{} stops", cx.name());
}
