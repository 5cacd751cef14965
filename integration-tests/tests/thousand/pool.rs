//! A thousand workers that live, die at once, and are all replaced.

use std::time::{Duration, Instant};

use pulsar::prelude::*;
use pulsar::{ActorStatus, MonitorHandle, RestartLimits, Role};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::yield_now;

use crate::held::Held;
use crate::{THOUSAND, alone};

/// What the allocator keeps of the memory that a thousand living actors took: some 15 KiB for each.
const KEPT_BYTES: u64 = 32 << 20;
/// It is kept once: what the same takes again is there already.
const KEPT_AGAIN_BYTES: u64 = 4 << 20;

/// All at once may fail, and none waits for its replacement: each life is a healthy one.
fn at_once() -> RestartLimits {
    RestartLimits {
        healthy_after: Duration::ZERO,
        intensity: Some(10 * THOUSAND),
        ..RestartLimits::default()
    }
}

fn workers() -> Vec<ActorStatus> {
    let actors = arbiter().actors().into_iter();
    actors.filter(|actor| actor.role == Role::Worker).collect()
}

/// Asks all of them, all at once.
async fn ping_all(workers: &[ActorStatus]) -> Result<()> {
    let aids = workers.iter().map(|worker| worker.aid);
    let asks: Vec<_> = aids
        .map(|aid| tokio::spawn(send(aid, ping, ()).into_future()))
        .collect();
    for ask in asks {
        assert_eq!(ask.await??, "pong");
    }
    Ok(())
}

/// Kills the processes, without the arbiter's knowledge.
fn kill_all(workers: &[ActorStatus]) -> Result<()> {
    for worker in workers {
        let pid = worker.pid.and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw);
        kill_process(pid.ok_or_else(|| Error::msg("no pid"))?, Signal::KILL)?;
    }
    Ok(())
}

/// Waits until all live their second life.
async fn all_replaced(pool: &MonitorHandle) -> Vec<ActorStatus> {
    loop {
        // What has not been learnt of yet is ready still.
        assert!(pool.all_ready().await, "{:?}", pool.status());
        let workers = workers();
        let is_second = |worker: &ActorStatus| worker.incarnation.0 == 2;
        if workers.iter().all(is_second) {
            return workers;
        }
        yield_now().await;
    }
}

#[pulsar::test]
async fn fault_16_a_thousand_processes_killed_at_once_are_all_replaced() -> Result<()> {
    let _turn = alone()?;
    let before = Held::now()?;
    live_die_and_be_replaced().await?;
    before.is_all_again(KEPT_BYTES).await?;
    let before = Held::now()?;
    live_die_and_be_replaced().await?;
    before.is_all_again(KEPT_AGAIN_BYTES).await
}

/// A thousand live, die at once, are replaced, and stop.
async fn live_die_and_be_replaced() -> Result<()> {
    let mut clock = Clock::start();
    let pool = Pool::new("pool", THOUSAND, spawn()).limits(at_once());
    let pool = pool.start().await?;
    assert!(pool.all_ready().await);
    let first = workers();
    assert_eq!(first.len(), THOUSAND);
    clock.tell("all are ready");
    ping_all(&first).await?;
    clock.tell("all have answered");
    kill_all(&first)?;
    let second = all_replaced(&pool).await;
    clock.tell("all were killed and are replaced");
    for (old, new) in first.iter().zip(&second) {
        assert_eq!((old.aid, new.restarts), (new.aid, 1));
        assert_ne!(old.pid, new.pid);
    }
    ping_all(&second).await?;
    clock.tell("the replacements have answered");
    arbiter().stop_actor(pool.proxy()).await?;
    clock.tell("all have stopped");
    assert_eq!(arbiter().actors().len(), 1, "only the arbiter is left");
    Ok(())
}

/// Tells how long each step took.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn tell(&mut self, what: &str) {
        println!("{what}: {:.2} s", self.0.elapsed().as_secs_f64());
        self.0 = Instant::now();
    }
}
