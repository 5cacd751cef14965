//! What idle actors take.

use std::collections::BTreeSet;
use std::process::id;
use std::time::Duration;

use tokio::time::sleep;

use super::counter::Counter;
use crate::message::Message;
use crate::order::{Reading, reading};
use crate::process::{children, private_bytes, pss_kb};

/// After the last message they come to rest.
const REST: Duration = Duration::from_millis(300);

/// The mean of so many processes, each of which has answered once.
pub(super) async fn processes(actors: usize) -> anyhow::Result<Reading> {
    let before: BTreeSet<u32> = children(id())?.into_iter().collect();
    let mut alive = Vec::with_capacity(actors);
    for _ in 0..actors {
        let counter = Counter::spawn(None).process().await?;
        counter.count(Message::new(0, 64)).await?;
        alive.push(counter);
    }
    sleep(REST).await;
    let children = children(id())?;
    let pids: Vec<u32> = children
        .into_iter()
        .filter(|pid| !before.contains(pid))
        .collect();
    anyhow::ensure!(
        pids.len() == alive.len(),
        "{} processes were found of {}",
        pids.len(),
        alive.len()
    );
    let sum = pids
        .iter()
        .map(|pid| pss_kb(*pid))
        .sum::<anyhow::Result<f64>>()?;
    Ok(reading("pss_kb", sum / pids.len() as f64))
}

/// By what this process grows.
pub(super) async fn tasks(actors: usize) -> anyhow::Result<Reading> {
    let first = Counter::spawn(None).task().await?;
    first.count(Message::new(0, 64)).await?;
    let before = private_bytes(id())?;
    let mut alive = Vec::with_capacity(actors);
    for _ in 0..actors {
        alive.push(Counter::spawn(None).task().await?);
    }
    let grown = private_bytes(id())? - before;
    Ok(reading("bytes", grown / alive.len() as f64))
}
