//! A call and what it comes to.

use std::time::{Duration, Instant};

use pulsar::prelude::*;
use serde::{Deserialize, Serialize};

use crate::PLACEMENTS;
use crate::counter::{Counter, TooMuch};
use crate::scene::{Scene, depth, everywhere, expect, expect_eq, in_flight};

fn counter() -> Spawn<Counter> {
    Counter::spawn(10)
}

#[pulsar::test]
async fn plain_and_async_methods_reply() -> Result<()> {
    everywhere(counter, |_, (counter, _): Scene<Counter>| async move {
        expect_eq(counter.add(5).await?, 15)?;
        expect_eq(counter.total().await?, 15)?;
        expect_eq(counter.take(1).await?, 14)
    })
    .await
}

#[pulsar::test]
async fn an_error_of_a_commands_own_keeps_its_type() -> Result<()> {
    everywhere(counter, |_, (counter, _): Scene<Counter>| async move {
        let refused = counter.take(11).await;
        let told = matches!(refused, Err(CallError::Command(TooMuch { total: 10 })));
        expect(told, refused)?;
        // It is the command's error, not the actor's end.
        expect_eq(counter.total().await?, 10)
    })
    .await
}

#[pulsar::test]
async fn calls_of_one_sender_are_run_in_their_order() -> Result<()> {
    everywhere(counter, |_, (counter, _): Scene<Counter>| async move {
        let mut totals = Vec::new();
        for _ in 0..200 {
            totals.push(in_flight(&counter, counter.add(1)).await?);
        }
        for (should, total) in (11..).zip(totals) {
            expect_eq(total.await??, should)?;
        }
        Ok(())
    })
    .await
}

#[pulsar::test]
async fn nobody_waits_for_a_command_without_acknowledgement() -> Result<()> {
    everywhere(counter, |_, (counter, gate): Scene<Counter>| async move {
        let held = in_flight(&counter, counter.add_behind(gate.clone(), 1)).await?;
        gate.arrivals(1).await?;
        // The actor is busy, and yet this ends.
        counter.note("noted".to_owned()).await?;
        expect(!held.is_finished(), "the gate is open")?;
        gate.open(1).await?;
        held.await??;
        expect_eq(counter.notes().await?, ["noted"])
    })
    .await
}

/// Of a timer of its own in any placement.
const SHORT: Duration = Duration::from_millis(30);
/// Of the loop's patrol, where the actor is in the caller's process.
const LONG: Duration = Duration::from_millis(1_100);

#[pulsar::test]
async fn a_call_ends_at_its_timeout() -> Result<()> {
    everywhere(counter, |_, (counter, gate): Scene<Counter>| async move {
        for (after, total) in [(SHORT, 11), (LONG, 12)] {
            let begun = Instant::now();
            let late = counter.add_behind(gate.clone(), 1).timeout(after).await;
            expect(begun.elapsed() >= after, begun.elapsed())?;
            let told = matches!(&late,
                Err(CallError::Send(SendError::Timeout { after: told })) if *told == after);
            expect(told, late)?;
            // It had begun: it is run to its end, and its late reply disturbs nobody.
            gate.open(1).await?;
            expect_eq(counter.total().await?, total)?;
        }
        Ok(())
    })
    .await
}

#[pulsar::test]
async fn a_call_that_has_timed_out_before_its_turn_is_not_run() -> Result<()> {
    everywhere(counter, |_, (counter, gate): Scene<Counter>| async move {
        for (after, total, letters) in [(SHORT, 11, 1), (LONG, 12, 2)] {
            let held = in_flight(&counter, counter.add_behind(gate.clone(), 1)).await?;
            gate.arrivals(1).await?;
            let late = counter.add(5).timeout(after).await;
            expect(late.is_err(), late)?;
            // It has come by the answer to this, and its time, as the actor counts it, began before.
            send(&counter, ping, ()).await?;
            tokio::time::sleep(2 * SHORT).await;
            gate.open(1).await?;
            expect_eq(held.await??, total)?;
            expect_eq(counter.total().await?, total)?;
            let dead_letters = send(&counter, info, ()).await?.mailbox.dead_letters;
            expect_eq(dead_letters, letters)?;
        }
        Ok(())
    })
    .await
}

/// Tells what it learns of itself and its callers.
struct Mirror {
    callers: Vec<Option<String>>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Pair {
    left: String,
    right: Vec<u8>,
}

#[pulsar::actor]
impl Mirror {
    fn start(_cx: Context) -> Self {
        Self {
            callers: Vec::new(),
        }
    }

    #[command]
    fn whoami(&self, cx: Context, prefix: String) -> String {
        format!("{prefix}{}", cx.aid())
    }

    #[command]
    async fn actor_here(&mut self, _cx: Context) -> Option<String> {
        get_actor().map(|cx| cx.aid().to_string())
    }

    #[command]
    fn remember_caller(&mut self, cx: Context) {
        self.remember(cx.sender().map(|aid| aid.to_string()));
    }

    #[command]
    fn callers(&self) -> Vec<Option<String>> {
        self.callers.clone()
    }

    #[command]
    #[expect(clippy::too_many_arguments, reason = "as many as a command may have")]
    fn eight(
        &self,
        a: u8,
        b: u16,
        c: u32,
        d: u64,
        e: i8,
        f: String,
        g: (u8, u8),
        h: Pair,
    ) -> String {
        format!("{a}{b}{c}{d}{e}{f}{g:?}{}{:?}", h.left, h.right)
    }

    /// Its name and its argument's are words of the language.
    #[command]
    fn r#match(&self, r#type: String, mut count: u8) -> Option<(String, u8)> {
        count += 1;
        (!r#type.is_empty()).then_some((r#type, count))
    }

    #[command]
    fn mirrored(&self, pair: Pair) -> Pair {
        pair
    }

    #[command]
    async fn another(&self, of: Proxy<Self>) -> Option<Proxy<Self>> {
        Some(of)
    }

    // The names that the expansion uses are not taken.
    #[command]
    fn shadows(&self, message: u8, reply: u8, value: u8, args: u8, index: u8, codec: u8) -> u8 {
        message + reply + value + args + index + codec
    }

    #[command]
    fn dispatch(&mut self, state: u8) -> u8 {
        state
    }

    fn remember(&mut self, caller: Option<String>) {
        self.callers.push(caller);
    }
}

#[pulsar::test]
async fn a_command_may_take_its_actors_context() -> Result<()> {
    everywhere(Mirror::spawn, |_, (mirror, _): Scene<Mirror>| async move {
        let aid = mirror.aid().to_string();
        expect_eq(
            mirror.whoami("I am ".to_owned()).await?,
            format!("I am {aid}"),
        )?;
        expect_eq(mirror.actor_here().await?, Some(aid))
    })
    .await
}

#[pulsar::test]
async fn a_command_knows_who_calls_it_in_its_own_process() -> Result<()> {
    for placement in PLACEMENTS {
        let mirror = Mirror::spawn().placement(placement).await?;
        mirror.remember_caller().await?;
        let me = arbiter().aid().map(|aid| aid.to_string());
        let caller = me.filter(|_| placement != Placement::Process);
        assert_eq!(mirror.callers().await?, [caller], "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn arguments_and_replies_are_of_any_shape() -> Result<()> {
    everywhere(Mirror::spawn, |_, (mirror, _): Scene<Mirror>| async move {
        let pair = Pair {
            left: "l".to_owned(),
            right: vec![7; 100_000],
        };
        expect_eq(mirror.mirrored(pair.clone()).await?, pair)?;
        let short = Pair {
            left: "l".to_owned(),
            right: vec![7],
        };
        let all = mirror.eight(1, 2, 3, 4, -5, "6".to_owned(), (7, 8), short);
        expect_eq(all.await?, "1234-56(7, 8)l[7]")?;
        let matched = mirror.r#match("x".to_owned(), 1).await?;
        expect_eq(matched, Some(("x".to_owned(), 2)))?;
        let other = mirror.another(mirror.clone()).await?;
        expect_eq(other, Some(mirror.clone()))?;
        expect_eq(mirror.shadows(1, 2, 3, 4, 5, 6).await?, 21)?;
        expect_eq(mirror.dispatch(3).await?, 3)
    })
    .await
}

#[pulsar::test]
async fn words_of_the_language_are_shown_as_what_they_stand_for() -> Result<()> {
    let mirror = Mirror::spawn().task().await?;
    let all = send(&mirror, pulsar::commands, ()).await?;
    let shown: Vec<_> = all.iter().map(ToString::to_string).collect();
    let should = "match(type: String, count: u8) -> Option<(String, u8)>";
    assert!(shown.iter().any(|command| command == should), "{shown:#?}");
    Ok(())
}

#[pulsar::test]
async fn a_call_that_is_dropped_unawaited_is_not_sent() -> Result<()> {
    let counter = Counter::spawn(1).thread().await?;
    drop(counter.add(5));
    assert_eq!(counter.total().await?, 1);
    Ok(())
}

#[pulsar::test]
async fn many_callers_of_one_actor_all_get_their_reply() -> Result<()> {
    for placement in PLACEMENTS {
        let counter = Counter::spawn(0).placement(placement).await?;
        let calls = (0..100).map(|_| tokio::spawn(counter.add(1).into_future()));
        let mut totals = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            totals.push(call.await??);
        }
        totals.sort_unstable();
        assert_eq!(totals, (1..=100).collect::<Vec<_>>(), "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn what_waits_is_seen_and_counted() -> Result<()> {
    everywhere(counter, |_, (counter, gate): Scene<Counter>| async move {
        let held = in_flight(&counter, counter.add_behind(gate.clone(), 1)).await?;
        gate.arrivals(1).await?;
        let waiting = in_flight(&counter, counter.take(100)).await?;
        expect_eq(depth(&counter).await?, 1)?;
        gate.open(1).await?;
        held.await??;
        let failed = waiting.await?;
        expect(failed.is_err(), failed)?;
        let mailbox = send(&counter, info, ()).await?.mailbox;
        expect_eq((mailbox.depth, mailbox.failed), (0, 1))
    })
    .await
}
