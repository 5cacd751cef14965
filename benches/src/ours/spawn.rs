//! Spawns, each until the actor is ready.

use std::time::{Duration, Instant};

use pulsar::prelude::*;
use tokio::task::JoinSet;

use super::counter::Counter;
use crate::order::{Order, Reading, reading};
use crate::samples::{Course, per_second};

/// So many live until they are stopped, all at once: that does not count.
const TASKS: usize = 256;
const PROCESSES: usize = 64;

pub(super) async fn process(order: &Order) -> anyhow::Result<Reading> {
    one_by_one(order, Placement::Process, 1).await
}

pub(super) async fn thread(order: &Order) -> anyhow::Result<Reading> {
    one_by_one(order, Placement::Thread, 1).await
}

pub(super) async fn task(order: &Order) -> anyhow::Result<Reading> {
    one_by_one(order, Placement::Task, TASKS).await
}

/// One after the other; after so many they are ended.
async fn one_by_one(order: &Order, placement: Placement, alive: usize) -> anyhow::Result<Reading> {
    let mut course = Course::begin(order);
    let mut actors = Vec::with_capacity(alive);
    while course.goes_on() {
        course.skip();
        actors.push(Counter::spawn(None).placement(placement).await?);
        course.lap();
        if actors.len() == alive {
            end_all(&mut actors).await?;
        }
    }
    end_all(&mut actors).await?;
    Ok(course.end().reading(""))
}

async fn end_all(actors: &mut Vec<Proxy<Counter>>) -> anyhow::Result<()> {
    let mut ends = JoinSet::new();
    for actor in actors.drain(..) {
        ends.spawn(async move { arbiter().stop_actor(&actor).await });
    }
    while let Some(end) = ends.join_next().await {
        end??;
    }
    Ok(())
}

/// Some, always so many at once.
pub(super) async fn processes(order: &Order, at_once: usize) -> anyhow::Result<Reading> {
    let (mut count, mut spent) = (0, Duration::ZERO);
    let mut is_warm = false;
    while spent < order.effort || count == 0 {
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..at_once {
            tasks.spawn(async move {
                let mut actors = Vec::new();
                for _ in 0..PROCESSES / at_once {
                    actors.push(Counter::spawn(None).process().await?);
                }
                anyhow::Ok(actors)
            });
        }
        let mut actors = Vec::new();
        while let Some(done) = tasks.join_next().await {
            actors.extend(done??);
        }
        if is_warm {
            spent += begun.elapsed();
            count += actors.len() as u64;
        }
        is_warm = true;
        end_all(&mut actors).await?;
    }
    Ok(reading("per_s", per_second(count, spent)))
}
