//! A program one of whose loops is held: that of an actor in a process or on a thread, for good; that of
//! the arbiter by a task actor or by `main`, for a while.
#![forbid(unsafe_code)]

use std::thread::sleep;
use std::time::{Duration, Instant};

use pulsar::LogConfig;
use pulsar::prelude::*;
use pulsar_testkit::Fault;

/// The shortest that there is.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Longer than the longest time between two looks at the clock.
const WHILE: Duration = Duration::from_millis(1500);

#[pulsar::main]
async fn main() -> Result<()> {
    let filter = "warn".to_owned();
    arbiter().log(LogConfig { filter });
    let what = std::env::args().nth(1);
    match what.as_deref() {
        Some("process") => for_good(spawn().process()).await,
        Some("thread") => for_good(spawn().thread()).await,
        Some("own") => {
            let actor = Burner::spawn().name("burner").timeout(TIMEOUT).await?;
            println!(
                "{}",
                actor
                    .brew()
                    .await
                    .map_or_else(|error| error.to_string(), |()| String::new())
            );
            Ok(())
        }
        Some("task") => by_a_task().await,
        Some("main") => by_main().await,
        Some("brief") => by_a_process_for_a_while().await,
        _ => Err(Error::msg("say what is to be held")),
    }
}

/// The caller is told the cause.
async fn for_good(actor: Spawn) -> Result<()> {
    let actor = actor.name("burner").timeout(TIMEOUT).await?;
    match send(&actor, burn, ()).await {
        Ok(()) => println!("no hold"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

/// A task actor holds the loop of all tasks: the lag that its neighbour and the arbiter show.
async fn by_a_task() -> Result<()> {
    let neighbour = spawn().task().name("neighbour").timeout(TIMEOUT).await?;
    let holder = spawn().task().name("holder").timeout(TIMEOUT).await?;
    send(&holder, hold, WHILE).await?;
    let seen = send(&neighbour, info, ()).await?.event_loop.lag_us;
    let of_arbiter = send("arbiter", info, ()).await?.event_loop.lag_us;
    println!("{seen} {of_arbiter}");
    Ok(())
}

/// `main` holds the arbiter's loop, which has no other.
async fn by_main() -> Result<()> {
    // The arbiter has begun to look at its clock.
    send("arbiter", ping, ()).await?;
    sleep(WHILE);
    println!("{}", send("arbiter", info, ()).await?.event_loop.lag_us);
    // The timers that were late come to pass, the arbiter's before this one.
    tokio::time::sleep(Duration::from_millis(1)).await;
    Ok(())
}

/// Shorter than its timeout: it lives on.
async fn by_a_process_for_a_while() -> Result<()> {
    let actor = spawn().name("holder").await?;
    send(&actor, hold, WHILE).await?;
    // It awaits after it has held the loop.
    send(&actor, hold_and_rest, WHILE).await?;
    println!("{}", send(&actor, info, ()).await?.event_loop.lag_us);
    Ok(())
}

#[command]
async fn burn(_cx: Context) {
    Fault::Loop.commit()
}

#[command]
async fn hold(_cx: Context, duration: Duration) {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

#[command]
async fn hold_and_rest(_cx: Context, duration: Duration) {
    sleep(duration);
    tokio::time::sleep(Duration::from_millis(1)).await;
}

struct Burner;

#[pulsar::actor]
impl Burner {
    fn start(_cx: Context) -> Self {
        Self
    }

    /// Waits in the kernel, for longer than anybody is patient.
    #[command]
    fn brew(&mut self) {
        sleep(Duration::from_secs(3600));
    }
}
