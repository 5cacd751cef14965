//! Many process actors at once.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pulsar::app::{ConfigError, NoSettings, Preparation, Settings};
use pulsar::control::{Client, ControlDirectory};
use pulsar::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::Application;
use super::counter::Counter;
use crate::order::{Order, Reading, Work};
use crate::process::family;

pub(super) const APPLICATION: &str = "pulsar_scale";
const INSTANCE: &str = "bench-scale";
const FLAGS: &[&str] = &["--workers", "1", "--name", INSTANCE, "--log-level", "error"];
/// What the application prints before what it has measured.
const MARK: &str = "scaled: ";
/// So many spawns are in flight at once.
const SPAWNS: usize = 16;
/// How often it is looked whether all have gone, and until when.
const LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_secs(60);

/// An application with one worker, whose arbiter spawns many actors beside it.
#[derive(Clone, Serialize, Deserialize)]
struct Crowd {
    actors: usize,
}

impl pulsar::app::Application for Crowd {
    type Settings = NoSettings;

    fn name(&self) -> &str {
        "crowd"
    }

    fn on_config(&self, _: &Settings, _: &NoSettings) -> Result<(), ConfigError> {
        Ok(())
    }

    fn monitor_start(&self, _: &NoSettings, _: &mut Preparation) -> Result<(), ConfigError> {
        let actors = self.actors;
        tokio::spawn(async move {
            match gather(actors).await {
                Ok(reading) => println!("{MARK}{reading}"),
                Err(error) => {
                    eprintln!("the crowd: {error:#}");
                    arbiter().stop();
                }
            }
        });
        Ok(())
    }

    async fn worker_start(&self, _: Worker) -> Result<()> {
        Ok(())
    }
}

pub(super) async fn run(order: &Order) -> ExitCode {
    let Work::Scale(actors) = order.work else {
        return ExitCode::FAILURE;
    };
    pulsar::app::run(Crowd { actors }).await
}

/// Spawns them, and pings each; the seconds of both, as JSON.
async fn gather(actors: usize) -> anyhow::Result<String> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..SPAWNS {
        let share = actors / SPAWNS + usize::from(number < actors % SPAWNS);
        tasks.spawn(async move {
            let mut crowd = Vec::with_capacity(share);
            for _ in 0..share {
                crowd.push(Counter::spawn(None).process().await?);
            }
            anyhow::Ok(crowd)
        });
    }
    let mut crowd = Vec::with_capacity(actors);
    while let Some(done) = tasks.join_next().await {
        crowd.extend(done??);
    }
    let spawned = begun.elapsed();
    let begun = Instant::now();
    let mut pings = JoinSet::new();
    for actor in &crowd {
        pings.spawn(send(actor, ping, ()).into_future());
    }
    while let Some(pong) = pings.join_next().await {
        anyhow::ensure!(pong?? == "pong", "no pong");
    }
    let pinged = begun.elapsed();
    let reading = Reading::from([
        ("spawn_s".to_owned(), spawned.as_secs_f64()),
        ("ping_s".to_owned(), pinged.as_secs_f64()),
    ]);
    Ok(serde_json::to_string(&reading)?)
}

/// Starts the application, lists its actors by the control socket, stops it by TERM and waits until all have gone.
pub(super) fn read(order: &Order, actors: usize) -> anyhow::Result<Reading> {
    let mut crowd = Application::start(order, APPLICATION, FLAGS)?;
    let mut reading: Reading = serde_json::from_str(&crowd.line_after(MARK)?)?;
    let listed = list(actors)?;
    reading.insert("ps_ms".to_owned(), 1e3 * listed.as_secs_f64());
    let pids = family(crowd.pid())?;
    anyhow::ensure!(pids.len() > actors, "{} processes", pids.len());
    let begun = Instant::now();
    let pid = i32::try_from(crowd.pid()).ok().and_then(Pid::from_raw);
    kill_process(pid.ok_or_else(|| anyhow::anyhow!("no pid"))?, Signal::TERM)?;
    crowd.ended()?;
    let is_there = |pid: &u32| Path::new(&format!("/proc/{pid}")).exists();
    while pids.iter().any(is_there) {
        anyhow::ensure!(begun.elapsed() < LAST_LOOK, "some are still there");
        std::thread::sleep(LOOK);
    }
    reading.insert("stop_s".to_owned(), begun.elapsed().as_secs_f64());
    Ok(reading)
}

/// What `pulsar ps` does, until the rows are there.
fn list(actors: usize) -> anyhow::Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let begun = Instant::now();
        let mut client =
            Client::connect(&ControlDirectory::for_current_user(), Some(INSTANCE)).await?;
        let rows = client.ps().await?;
        anyhow::ensure!(rows.len() >= actors, "{} rows", rows.len());
        Ok(begun.elapsed())
    })
}
