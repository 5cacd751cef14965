//! A thousand spawns at once.

use std::collections::HashSet;

use pulsar::prelude::*;
use tokio::task::yield_now;

use crate::held::Held;
use crate::{THOUSAND, alone};

/// Processes that may boot at once.
const MAX_BOOTING: usize = 32;
/// One in so many fails to start.
const FAILING: u32 = 10;

/// What the allocator keeps of the memory that a thousand actors took.
const KEPT_BYTES: u64 = 32 << 20;

async fn start_or_fail(_cx: Context, number: u32) -> Result<()> {
    match number % FAILING {
        0 => Err(Error::msg("not this one")),
        _ => Ok(()),
    }
}

/// How many have a process and are not ready, but for those that have failed and are about to go.
fn booting(failing: &HashSet<Aid>) -> usize {
    let actors = arbiter().actors().into_iter();
    let booting = actors.filter(|actor| actor.pid.is_some() && actor.state < State::Running);
    booting
        .filter(|actor| !failing.contains(&actor.aid))
        .count()
}

#[pulsar::test]
async fn fault_11_a_thousand_spawns_at_once_are_each_ready_or_an_error() -> Result<()> {
    let _turn = alone()?;
    let before = Held::now()?;
    let all = u32::try_from(THOUSAND)?;
    let spawnings = (0..all).map(|number| spawn().start(start_or_fail, number).begin());
    let spawnings = spawnings.collect::<Result<Vec<_>, _>>()?;
    let failing = spawnings
        .iter()
        .zip(0..)
        .filter(|(_, number)| number % FAILING == 0);
    let failing = failing.map(|(spawning, _)| spawning.aid()).collect();
    let waiting = tokio::spawn(async {
        let mut ends = Vec::new();
        for spawning in spawnings {
            ends.push(spawning.await);
        }
        ends
    });
    let mut most = 0;
    while !waiting.is_finished() {
        most = booting(&failing).max(most);
        yield_now().await;
    }
    assert!((2..=MAX_BOOTING).contains(&most), "{most} booted at once");
    let failed = SpawnError::Died {
        cause: Cause::Failed("not this one".to_owned()),
    };
    for (number, end) in (0..all).zip(waiting.await?) {
        match end {
            Ok(actor) => {
                assert_ne!(number % FAILING, 0);
                assert_eq!(send(&actor, ping, ()).await?, "pong");
                arbiter().kill_actor(&actor).await?;
            }
            Err(error) => assert_eq!((number % FAILING, error), (0, failed.clone())),
        }
    }
    assert_eq!(arbiter().actors().len(), 1, "only the arbiter is left");
    before.is_all_again(KEPT_BYTES).await
}
