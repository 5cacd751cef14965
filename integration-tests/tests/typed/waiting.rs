//! A command that waits for those that run side by side: taken, and not yet begun.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pulsar::prelude::*;

use crate::PLACEMENTS;
use crate::gate::Gate;
use crate::scene::{InFlight, depth, in_flight};

static DEAD: AtomicU32 = AtomicU32::new(0);

fn count_dead(_cx: Context, _letter: DeadLetter) {
    DEAD.fetch_add(1, Ordering::SeqCst);
}

/// It can be held by a command that runs beside others.
struct Held;

#[pulsar::actor]
impl Held {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command(concurrent)]
    async fn hold(&self, gate: Proxy<Gate>) -> Result<(), Error> {
        Ok(gate.pass().await?)
    }

    #[command(concurrent)]
    async fn panics_behind(&self, gate: Proxy<Gate>) {
        let passed = gate.pass().await;
        panic!("as asked: {passed:?}");
    }

    #[command]
    fn alone(&mut self) {}
}

type Alone = InFlight<(), pulsar::Never>;

/// Two exclusive commands: one that was taken and waits, and one behind it in the mailbox.
async fn two_that_wait(held: &Proxy<Held>) -> Result<[Alone; 2]> {
    let taken = in_flight(held, held.alone()).await?;
    while depth(held).await? > 0 {}
    let behind = in_flight(held, held.alone()).await?;
    Ok([taken, behind])
}

fn cause_of<E>(told: Result<(), CallError<E>>) -> Option<Cause> {
    match told {
        Err(CallError::Send(SendError::ActorDied { cause })) => Some(cause),
        _ => None,
    }
}

#[pulsar::test]
async fn a_command_that_waits_is_a_dead_letter_of_a_panic() -> Result<()> {
    for placement in PLACEMENTS {
        let gate = Gate::spawn().thread().await?;
        let held = Held::spawn().placement(placement);
        let held = held.on_dead_letter(count_dead).await?;
        let panics = in_flight(&held, held.panics_behind(gate.clone())).await?;
        gate.arrivals(1).await?;
        let waiting = two_that_wait(&held).await?;
        DEAD.store(0, Ordering::SeqCst);
        gate.open(1).await?;
        drop(panics.await?);
        for one in waiting {
            let panic = Cause::Panic("as asked: Ok(())".to_owned());
            assert_eq!(cause_of(one.await?), Some(panic), "{placement}");
        }
        if placement != Placement::Process {
            let _ = arbiter().ended(&held).await;
            assert_eq!(DEAD.load(Ordering::SeqCst), 2, "{placement}");
        }
    }
    Ok(())
}

#[pulsar::test]
async fn a_command_that_waits_is_told_of_a_stop_at_the_drain_timeout() -> Result<()> {
    let gate = Gate::spawn().thread().await?;
    let mut told = Vec::new();
    for placement in PLACEMENTS {
        let held = Held::spawn().placement(placement);
        let held = held.exit_timeout(Duration::from_secs(3)).await?;
        let holds = in_flight(&held, held.hold(gate.clone())).await?;
        gate.arrivals(1).await?;
        told.push((placement, holds, two_that_wait(&held).await?));
        send(&held, stop, ()).await?;
    }
    for (placement, holds, waiting) in told {
        assert_eq!(cause_of(holds.await?), Some(Cause::Stopped), "{placement}");
        for one in waiting {
            assert_eq!(cause_of(one.await?), Some(Cause::Stopped), "{placement}");
        }
    }
    Ok(())
}

#[pulsar::test]
async fn a_command_that_waits_is_refused_at_a_stop_as_those_in_the_mailbox() -> Result<()> {
    for placement in PLACEMENTS {
        let gate = Gate::spawn().thread().await?;
        let held = Held::spawn().placement(placement);
        let held = held.on_stop(OnStop::Refuse).await?;
        let holds = in_flight(&held, held.hold(gate.clone())).await?;
        gate.arrivals(1).await?;
        let waiting = two_that_wait(&held).await?;
        send(&held, stop, ()).await?;
        // What holds it still runs.
        for one in waiting {
            assert_eq!(cause_of(one.await?), Some(Cause::Stopped), "{placement}");
        }
        gate.open(1).await?;
        holds.await??;
    }
    Ok(())
}
