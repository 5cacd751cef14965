//! A program of which a monitor gives up. Its argument says what is said of that: nothing, or `tell`; or `late`,
//! where a worker dies while the program stops.
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

/// Holds up the stop of the program, in which a worker of the pool dies meanwhile.
async fn kills_a_worker(_cx: Context) -> Result<()> {
    arbiter().kill_actor("pool-1").await?;
    // More than enough for a pool to try again as often as it may.
    tokio::time::sleep(Duration::from_millis(500)).await;
    println!("lingered");
    Ok(())
}

async fn late() -> Result<ExitCode> {
    let limits = RestartLimits {
        first_delay: Duration::ZERO,
        max_delay: Duration::ZERO,
        ..RestartLimits::default()
    };
    let pool = Pool::new("pool", 1, spawn()).limits(limits).start().await?;
    pool.all_ready().await;
    let _ = spawn().task().stopping(kills_a_worker).await?;
    Ok(ExitCode::SUCCESS)
}

#[pulsar::main]
async fn main() -> Result<ExitCode> {
    if std::env::args().nth(1).as_deref() == Some("late") {
        return late().await;
    }
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
