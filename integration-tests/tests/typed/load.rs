//! Under load: a mailbox that is never empty keeps an actor from nothing else.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use pulsar::prelude::*;

use crate::PLACEMENTS;
use crate::scene::depth;

/// Fewer than a loop would run without looking up, if it only counted them.
const COMMANDS: usize = 120;

static TICKS: AtomicU32 = AtomicU32::new(0);

async fn tick(_cx: Context) {
    TICKS.fetch_add(1, Ordering::SeqCst);
}

/// Its commands hold its loop.
struct Mill;

#[pulsar::actor]
impl Mill {
    fn start(_cx: Context) -> Self {
        Self
    }

    /// Tells how often the periodic task has run before.
    #[command]
    fn grind(&mut self, ms: u64) -> u32 {
        sleep(Duration::from_millis(ms));
        TICKS.load(Ordering::SeqCst)
    }

    #[command(concurrent)]
    fn grind_beside(&self, ms: u64) {
        sleep(Duration::from_millis(ms));
    }
}

type Ground<R> = Vec<pulsar::Sent<R, pulsar::Never>>;

/// Fills its mailbox with commands of so many milliseconds each.
fn feed(mill: &Proxy<Mill>, ms: u64) -> Result<Ground<u32>> {
    let sent = (0..COMMANDS).map(|_| Ok(mill.grind(ms).try_send()?));
    sent.collect()
}

#[pulsar::test]
async fn builtins_are_answered_between_commands_that_do_not_await() -> Result<()> {
    for placement in PLACEMENTS {
        let mill = Mill::spawn().placement(placement).await?;
        let ground = feed(&mill, 5)?;
        assert!(depth(&mill).await? > 0, "{placement}: all ran before");
        for one in ground {
            one.await?;
        }
    }
    Ok(())
}

#[pulsar::test]
async fn builtins_are_answered_between_concurrent_commands_that_do_not_await() -> Result<()> {
    for placement in PLACEMENTS {
        let mill = Mill::spawn().placement(placement).await?;
        let sent = (0..COMMANDS).map(|_| Ok(mill.grind_beside(5).try_send()?));
        let ground: Ground<()> = sent.collect::<Result<_>>()?;
        assert!(depth(&mill).await? > 0, "{placement}: all ran before");
        for one in ground {
            one.await?;
        }
    }
    Ok(())
}

#[pulsar::test]
async fn the_periodic_task_has_its_turn_between_commands_that_do_not_await() -> Result<()> {
    for placement in [Placement::Thread, Placement::Task] {
        let mill = Mill::spawn().placement(placement);
        let mill = mill.periodic_task(tick).every(Duration::from_millis(10));
        let mill = mill.await?;
        let mut before = Vec::new();
        for one in feed(&mill, 5)? {
            before.push(one.await?);
        }
        assert!(before.first() < before.last(), "{placement}: {before:?}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_busy_actor_stops_in_order() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread] {
        let mill = Mill::spawn().placement(placement);
        // Half as long as all that waits would take.
        let mill = mill.exit_timeout(Duration::from_secs(3));
        let mill = mill.on_stop(OnStop::Refuse).await?;
        let ground = feed(&mill, 50)?;
        let handle = arbiter();
        let (cause, stopped) = tokio::join!(handle.ended(&mill), handle.stop_actor(&mill));
        stopped?;
        assert_eq!(cause?, Cause::Stopped, "{placement}");
        drop(ground);
    }
    Ok(())
}
