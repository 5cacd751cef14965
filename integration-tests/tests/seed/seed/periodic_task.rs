//! Periodic task: "Each Actor, including the Arbiter and Monitor, perform one crucial periodic task at
//! given intervals. The next call of the task is stored in the `next_periodic_task` attribute."

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pulsar::Target;
use pulsar::prelude::*;
use tokio::sync::Notify;

use super::PLACEMENTS;

/// Runs of the task in this process, and how many of them run now.
static RUNS: AtomicU32 = AtomicU32::new(0);
static NOW: AtomicU32 = AtomicU32::new(0);
static MOST: AtomicU32 = AtomicU32::new(0);
static GATE: Notify = Notify::const_new();

#[pulsar::remote]
async fn runs(_cx: Context, _: ()) -> (u32, u32) {
    (RUNS.load(Ordering::SeqCst), MOST.load(Ordering::SeqCst))
}

#[pulsar::remote]
async fn running(_cx: Context, _: ()) -> u32 {
    NOW.load(Ordering::SeqCst)
}

#[pulsar::remote]
async fn open_gate(_cx: Context, _: ()) {
    GATE.notify_one();
}

async fn count(_cx: Context) -> Result<()> {
    RUNS.fetch_add(1, Ordering::SeqCst);
    // Logged and ignored.
    Err(Error::msg("counted"))
}

async fn wait_at_gate(_cx: Context, tag: String) {
    assert_eq!(tag, "gate");
    RUNS.fetch_add(1, Ordering::SeqCst);
    let now = 1 + NOW.fetch_add(1, Ordering::SeqCst);
    MOST.fetch_max(now, Ordering::SeqCst);
    GATE.notified().await;
    NOW.fetch_sub(1, Ordering::SeqCst);
}

const SHORT: Duration = Duration::from_millis(2);
/// So long that no test sees its end.
const LONG: Duration = Duration::from_secs(3_600);

async fn until_runs(actor: &Proxy, more_than: u32) -> Result<(u32, u32)> {
    loop {
        let (runs, most) = run(actor, runs, ()).await?;
        if runs > more_than {
            return Ok((runs, most));
        }
    }
}

async fn next_s(target: impl Into<Target>) -> Result<Option<f64>> {
    Ok(send(target, info, ()).await?.actor.next_periodic_task_s)
}

#[pulsar::test]
async fn it_is_fired_again_and_again_and_its_errors_are_ignored() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn()
            .placement(placement)
            .periodic_task(count)
            .every(SHORT)
            .await?;
        let (before, _) = run(&actor, runs, ()).await?;
        until_runs(&actor, before + 3).await?;
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn the_next_call_shows_in_info() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn()
            .placement(placement)
            .periodic_task(count)
            .every(LONG)
            .await?;
        let next = next_s(&actor).await?.expect("one is to come");
        assert!((3_500.0..=3_600.0).contains(&next), "{placement}: {next}");
    }
    Ok(())
}

#[pulsar::test]
async fn the_arbiter_a_monitor_and_an_actor_without_a_hook_have_one_too() -> Result<()> {
    let pool = Pool::new("crew", 1, spawn()).start().await?;
    let plain = spawn().task().await?;
    for target in ["arbiter".into(), pool.proxy().into(), Target::from(&plain)] {
        let next = next_s(target.clone()).await?;
        assert!(next.is_some_and(|next| next <= 10.0), "{target}: {next:?}");
    }
    Ok(())
}

#[pulsar::test]
async fn its_period_can_be_set_while_the_actor_runs() -> Result<()> {
    #[pulsar::remote]
    async fn set_period(cx: Context, period: Duration) -> Duration {
        let before = cx.period();
        cx.set_period(period);
        before
    }
    for placement in PLACEMENTS {
        let actor = spawn()
            .placement(placement)
            .periodic_task(count)
            .every(LONG)
            .await?;
        let (before, _) = run(&actor, runs, ()).await?;
        assert_eq!(run(&actor, set_period, SHORT).await?, LONG);
        until_runs(&actor, before + 2).await?;
        // From outside, as a setting; what is set counts from the end of the last run.
        let name = "period_s".to_owned();
        let was = send(&actor, config_set, (name, 3_600.into())).await?;
        assert_eq!(was, 0.002.into());
        while next_s(&actor).await?.is_none_or(|next| next < 3_000.0) {}
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn two_never_run_at_once_and_a_slow_one_delays_without_piling_up() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).every(SHORT);
        let actor = actor
            .periodic_task_with(wait_at_gate, "gate".to_owned())
            .await?;
        while run(&actor, running, ()).await? == 0 {}
        let (held, _) = run(&actor, runs, ()).await?;
        // While one is held many periods pass: another actor in the same placement, whose period is
        // the same, counts them.
        let clock = spawn()
            .placement(placement)
            .periodic_task(count)
            .every(SHORT)
            .await?;
        assert_eq!(next_s(&actor).await?, None, "{placement}: one runs");
        let (ticks, _) = run(&clock, runs, ()).await?;
        until_runs(&clock, ticks + 10).await?;
        arbiter().stop_actor(&clock).await?;
        let in_its_own_process = placement == Placement::Process;
        if in_its_own_process {
            assert_eq!(run(&actor, runs, ()).await?.0, held, "it ran beside itself");
        }
        // What was missed is not made up for: each opening of the gate lets one run end and one begin.
        for _ in 0..3 {
            let (now, _) = run(&actor, runs, ()).await?;
            run(&actor, open_gate, ()).await?;
            let (then, most) = until_runs(&actor, now).await?;
            assert_eq!((then, most), (now + 1, 1), "{placement}");
        }
        run(&actor, stop_at_gate, ()).await?;
        arbiter().ended(&actor).await.ok();
    }
    Ok(())
}

#[pulsar::remote]
async fn stop_at_gate(cx: Context, _: ()) {
    cx.stop();
    GATE.notify_one();
}

/// Counts its own ticks, and fails or panics at some.
struct Clock {
    ticks: u32,
    panics_at: u32,
}

#[pulsar::actor(on_panic = "continue")]
impl Clock {
    fn start(_cx: Context, panics_at: u32) -> Self {
        Self {
            ticks: 0,
            panics_at,
        }
    }

    async fn periodic_task(&mut self, _cx: Context) -> Result<()> {
        let before = self.ticks;
        // Nobody else has its turn meanwhile.
        tokio::task::yield_now().await;
        assert_eq!(self.ticks, before);
        self.ticks += 1;
        assert_ne!(self.ticks, self.panics_at, "on purpose");
        Err(Error::msg("logged and ignored"))
    }

    #[command]
    fn ticks(&mut self) -> u32 {
        self.ticks
    }

    #[command]
    async fn jump(&mut self, by: u32) -> u32 {
        for _ in 0..by {
            self.ticks += 1;
            tokio::task::yield_now().await;
        }
        by
    }
}

#[pulsar::test]
async fn that_of_an_actor_type_has_its_state_and_takes_its_turn() -> Result<()> {
    for placement in PLACEMENTS {
        let clock = Clock::spawn(3).placement(placement).every(SHORT).await?;
        while clock.ticks().await? < 5 {
            assert_eq!(clock.jump(0).await?, 0);
        }
        clock.jump(10).await?;
        assert!(clock.ticks().await? >= 15, "{placement}");
        // What waits for its turn when the actor stops keeps nobody waiting.
        arbiter().stop_actor(&clock).await?;
    }
    Ok(())
}

/// As above, but a panic ends it.
struct Brittle;

#[pulsar::actor]
impl Brittle {
    fn start(_cx: Context) -> Self {
        Self
    }

    fn periodic_task(&mut self) {
        panic!("on purpose");
    }
}

#[pulsar::test]
async fn a_panic_in_that_of_an_actor_type_ends_it() -> Result<()> {
    for placement in PLACEMENTS {
        let brittle = Brittle::spawn().placement(placement).every(SHORT).await?;
        // It may have ended before it is asked for.
        if let Ok(cause) = arbiter().ended(&brittle).await {
            assert_eq!(cause, Cause::Panic("on purpose".to_owned()), "{placement}");
        }
        let told = send(&brittle, ping, ()).await;
        assert!(told.is_err(), "{placement}: {told:?}");
    }
    Ok(())
}
