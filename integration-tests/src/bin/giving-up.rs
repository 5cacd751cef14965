//! A program of which a monitor gives up. Its argument says what is said of that: nothing, or `tell`.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{Escalation, RestartLimits};

async fn fails(_cx: Context, _: ()) -> Result<()> {
    Err(Error::msg("not in the mood"))
}

async fn say(_cx: Context) {
    println!("steady stops");
}

#[pulsar::main]
async fn main() -> Result<ExitCode> {
    let tells = std::env::args().nth(1).as_deref() == Some("tell");
    let limits = RestartLimits {
        first_delay: Duration::from_millis(1),
        ..RestartLimits::default()
    };
    let monitor = Monitor::new("tree")
        .limits(limits)
        .escalation(if tells {
            Escalation::Tell
        } else {
            Escalation::EndProgram
        })
        .child(spawn().name("steady").task().stopping(say))
        .child(spawn().name("moody").start(fails, ()))
        .start()
        .await?;
    if !tells {
        return std::future::pending().await;
    }
    println!("{}", monitor.gave_up().await.unwrap_or_default());
    Ok(ExitCode::from(7))
}
