//! Who runs when: commands take turns, or run side by side where they say so.

use std::sync::Mutex;

use pulsar::prelude::*;
use tokio::sync::Barrier;

use crate::PLACEMENTS;
use crate::counter::Counter;
use crate::gate::Gate;
use crate::scene::{Scene, depth, everywhere, expect, expect_eq, in_flight};

#[pulsar::test]
async fn a_command_does_not_start_before_the_one_that_awaits_has_ended() -> Result<()> {
    let counter = || Counter::spawn(0);
    everywhere(counter, |_, (counter, gate): Scene<Counter>| async move {
        let first = in_flight(&counter, counter.add_behind(gate.clone(), 1)).await?;
        gate.arrivals(1).await?;
        let second = in_flight(&counter, counter.add_behind(gate.clone(), 10)).await?;
        let third = in_flight(&counter, counter.total()).await?;
        // They are there, and wait.
        expect_eq(depth(&counter).await?, 2)?;
        expect_eq(gate.unseen().await?, 0)?;
        gate.open(2).await?;
        // The second has seen what the first left: none has been overwritten.
        expect_eq((first.await??, second.await??, third.await??), (1, 11, 11))
    })
    .await
}

/// Some of its commands run side by side. What they do is written down.
struct Shared {
    barrier: Barrier,
    log: Mutex<Vec<String>>,
    alone: u32,
}

#[pulsar::actor]
impl Shared {
    fn start(_cx: Context) -> Self {
        Self {
            barrier: Barrier::new(2),
            log: Mutex::default(),
            alone: 0,
        }
    }

    /// Ends when two are here.
    #[command(concurrent)]
    async fn meet(&self) {
        self.barrier.wait().await;
    }

    #[command(concurrent)]
    async fn share(&self, gate: Proxy<Gate>) -> Result<u32, Error> {
        self.write("share in");
        gate.pass().await?;
        self.write("share out");
        Ok(self.alone)
    }

    #[command(concurrent)]
    fn look(&self) -> u32 {
        self.write("look");
        self.alone
    }

    #[command]
    async fn alone(&mut self) -> u32 {
        self.write("alone");
        self.alone += 1;
        self.alone
    }

    /// It changes nothing, and yet takes its turn.
    #[command]
    fn peek(&self) -> u32 {
        self.write("peek");
        self.alone
    }

    #[command]
    fn log(&self) -> Vec<String> {
        self.log.lock().expect("no holder panics").clone()
    }

    /// Asks itself, beside others, for what runs so or for what does not.
    #[command(concurrent)]
    async fn ask_itself(&self, cx: Context, concurrent: bool) -> Result<u32, SendError> {
        let me = cx.proxy().typed::<Self>();
        unfailing(match concurrent {
            true => me.look().await,
            false => me.peek().await,
        })
    }

    /// Asks itself while it has the state for itself.
    #[command]
    async fn ask_itself_alone(&mut self, cx: Context, concurrent: bool) -> Result<u32, SendError> {
        let me = cx.proxy().typed::<Self>();
        unfailing(match concurrent {
            true => me.look().await,
            false => me.alone().await,
        })
    }

    /// Sends to itself and does not wait; then it does, in vain.
    #[command]
    async fn send_to_itself(&mut self, cx: Context) -> Result<u32, SendError> {
        let me = cx.proxy().typed::<Self>();
        let sent = me.alone().try_send().map_err(|unsent| unsent.error);
        drop(sent?);
        let sent = me.alone().try_send().map_err(|unsent| unsent.error);
        unfailing(sent?.await)
    }

    /// Asks itself from a task that it spawns.
    #[command]
    async fn ask_later(&mut self, cx: Context, gate: Proxy<Gate>) {
        let me = cx.proxy().typed::<Self>();
        cx.spawn(async move {
            let asked = me.alone().await;
            asked.is_ok().then_some(gate)?.pass().await.ok()
        });
    }

    /// Passes a gate, and then asks itself.
    #[command(concurrent)]
    async fn ask_behind(&self, cx: Context, gate: Proxy<Gate>) -> Result<u32, SendError> {
        let passed = gate.pass().await;
        passed.map_err(|_| SendError::NotRunning)?;
        unfailing(cx.proxy().typed::<Self>().look().await)
    }

    #[command(concurrent)]
    async fn panics(&self, message: String) {
        tokio::task::yield_now().await;
        panic!("{message}");
    }

    fn write(&self, line: &str) {
        let mut log = self.log.lock().expect("no holder panics");
        log.push(line.to_owned());
    }
}

fn unfailing(asked: Result<u32, CallError<pulsar::Never>>) -> Result<u32, SendError> {
    asked.map_err(|error| match error {
        CallError::Send(error) => error,
        CallError::Command(never) => match never {},
    })
}

#[pulsar::test]
async fn two_concurrent_commands_run_at_the_same_time() -> Result<()> {
    everywhere(Shared::spawn, |_, (shared, _): Scene<Shared>| async move {
        let (one, other) = tokio::join!(shared.meet().into_future(), shared.meet().into_future());
        one?;
        Ok(other?)
    })
    .await
}

#[pulsar::test]
async fn an_exclusive_command_waits_for_the_concurrent_ones_and_nobody_overtakes_it() -> Result<()>
{
    everywhere(
        Shared::spawn,
        |_, (shared, gate): Scene<Shared>| async move {
            let first = in_flight(&shared, shared.share(gate.clone())).await?;
            let second = in_flight(&shared, shared.share(gate.clone())).await?;
            gate.arrivals(2).await?;
            let alone = in_flight(&shared, shared.alone()).await?;
            let look = in_flight(&shared, shared.look()).await?;
            // The exclusive one is next; behind it waits one that could run by itself.
            while depth(&shared).await? > 1 {}
            gate.open(1).await?;
            // Whoever went first, the other is still inside.
            while !first.is_finished() && !second.is_finished() {
                tokio::task::yield_now().await;
            }
            send(&shared, ping, ()).await?;
            expect(
                !alone.is_finished() && !look.is_finished(),
                "one has overtaken",
            )?;
            gate.open(1).await?;
            expect_eq((first.await??, second.await??), (0, 0))?;
            expect_eq((alone.await??, look.await??), (1, 1))?;
            let should = [
                "share in",
                "share in",
                "share out",
                "share out",
                "alone",
                "look",
            ];
            expect_eq(shared.log().await?, should)
        },
    )
    .await
}

#[pulsar::test]
async fn a_command_that_only_reads_takes_its_turn_unless_it_says_otherwise() -> Result<()> {
    everywhere(
        Shared::spawn,
        |_, (shared, gate): Scene<Shared>| async move {
            let shares = in_flight(&shared, shared.share(gate.clone())).await?;
            gate.arrivals(1).await?;
            let looks = in_flight(&shared, shared.look()).await?;
            expect_eq(looks.await??, 0)?;
            let peeks = in_flight(&shared, shared.peek()).await?;
            gate.open(1).await?;
            shares.await??;
            expect_eq(peeks.await??, 0)?;
            expect_eq(
                shared.log().await?,
                ["share in", "look", "share out", "peek"],
            )
        },
    )
    .await
}

/// A free command takes its turn as well.
#[command]
fn free_turn(cx: Context) -> bool {
    cx.set_extra("free", true);
    true
}

#[pulsar::test]
async fn a_free_command_waits_for_the_concurrent_ones() -> Result<()> {
    everywhere(
        Shared::spawn,
        |_, (shared, gate): Scene<Shared>| async move {
            let shares = in_flight(&shared, shared.share(gate.clone())).await?;
            gate.arrivals(1).await?;
            let free = tokio::spawn(send(&shared, free_turn, ()).into_future());
            tokio::task::yield_now().await;
            let extra = send(&shared, info, ()).await?.extra.0;
            expect(!free.is_finished() && !extra.contains_key("free"), extra)?;
            gate.open(1).await?;
            shares.await??;
            expect(free.await??, "the free command has run")
        },
    )
    .await
}

#[pulsar::test]
async fn an_actor_that_asks_itself_in_a_command_is_told_at_once() -> Result<()> {
    everywhere(Shared::spawn, |_, (shared, _): Scene<Shared>| async move {
        for would_wait in [
            // It could run beside its asker, but not if an exclusive one came between.
            shared.ask_itself(true).await,
            shared.ask_itself(false).await,
            shared.ask_itself_alone(false).await,
            shared.ask_itself_alone(true).await,
        ] {
            let told = matches!(
                would_wait,
                Err(CallError::Command(SendError::WouldDeadlock))
            );
            expect(told, would_wait)?;
        }
        expect_eq(shared.alone().await?, 1)
    })
    .await
}

#[pulsar::test]
async fn an_actor_may_send_to_itself_without_waiting() -> Result<()> {
    everywhere(Shared::spawn, |_, (shared, _): Scene<Shared>| async move {
        let told = shared.send_to_itself().await;
        let waits = matches!(told, Err(CallError::Command(SendError::WouldDeadlock)));
        expect(waits, told)?;
        // Both have been run.
        expect_eq(shared.alone().await?, 3)
    })
    .await
}

#[pulsar::test]
async fn a_task_of_the_actors_own_may_ask_it() -> Result<()> {
    everywhere(
        Shared::spawn,
        |_, (shared, gate): Scene<Shared>| async move {
            shared.ask_later(gate.clone()).await?;
            // It has been answered.
            gate.arrivals(1).await?;
            expect_eq(shared.alone().await?, 2)
        },
    )
    .await
}

#[pulsar::test]
async fn an_ask_of_ones_own_behind_a_waiting_exclusive_command_is_told_at_once() -> Result<()> {
    everywhere(
        Shared::spawn,
        |_, (shared, gate): Scene<Shared>| async move {
            let asks = in_flight(&shared, shared.ask_behind(gate.clone())).await?;
            gate.arrivals(1).await?;
            let alone = in_flight(&shared, shared.alone()).await?;
            while depth(&shared).await? > 0 {}
            gate.open(1).await?;
            let asked = asks.await?;
            let told = matches!(asked, Err(CallError::Command(SendError::WouldDeadlock)));
            expect(told, asked)?;
            expect_eq(alone.await??, 1)
        },
    )
    .await
}

#[pulsar::test]
async fn a_panic_beside_others_ends_them_all() -> Result<()> {
    for placement in PLACEMENTS {
        let gate = Gate::spawn().task().await?;
        let shared = Shared::spawn().placement(placement).await?;
        let shares = in_flight(&shared, shared.share(gate.clone())).await?;
        gate.arrivals(1).await?;
        let handle = arbiter();
        let (panicked, cause) = tokio::join!(
            shared.panics("as asked".to_owned()).into_future(),
            handle.ended(&shared)
        );
        let Err(CallError::Send(SendError::Panicked { message })) = panicked else {
            panic!("{placement}: {panicked:?}");
        };
        assert_eq!(message, "as asked");
        let panic = Cause::Panic("as asked".to_owned());
        assert_eq!(cause?, panic, "{placement}");
        match shares.await? {
            Err(CallError::Send(SendError::ActorDied { cause })) if cause == panic => {}
            other => panic!("{placement}: {other:?}"),
        }
        // It would wait for whoever has died before it.
        gate.open(1).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn a_hundred_run_side_by_side() -> Result<()> {
    for placement in PLACEMENTS {
        let gate = Gate::spawn().thread().await?;
        let shared = Shared::spawn().placement(placement).await?;
        let mut shares = Vec::new();
        for _ in 0..100 {
            shares.push(tokio::spawn(shared.share(gate.clone()).into_future()));
        }
        gate.arrivals(100).await?;
        gate.open(100).await?;
        for share in shares {
            share.await??;
        }
    }
    Ok(())
}
