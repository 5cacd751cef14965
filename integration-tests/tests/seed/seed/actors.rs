//! Actors: "Each actor has its own process (not intended as an OS process) and they don't share state
//! between them. Actors can change their own states. Actors can create other actors and when they do that
//! they receive back the new actor address. Actors exchange messages in an asynchronous fashion."

use std::collections::BTreeSet;
use std::os::unix::process::parent_id;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use pulsar::prelude::*;

use super::PLACEMENTS;
use crate::gate::{open_gate, until_waiting, wait_at_gate};

/// Coins, and the address of one that it has created.
struct Purse {
    coins: u64,
    child: Option<Proxy<Purse>>,
}

#[pulsar::actor]
impl Purse {
    fn start(_cx: Context, coins: u64) -> Self {
        Self { coins, child: None }
    }

    #[command]
    fn put(&mut self, coins: u64) -> u64 {
        self.coins += coins;
        self.coins
    }

    #[command]
    async fn create(&mut self, placement: Placement) -> Result<Proxy<Self>, SpawnError> {
        let child = Self::spawn(0).placement(placement).await?;
        self.child = Some(child.clone());
        Ok(child)
    }

    #[command]
    async fn give(&mut self, coins: u64) -> Result<u64, Error> {
        let child = self.child.as_ref();
        let child = child.ok_or_else(|| Error::msg("it has created none"))?;
        self.coins -= coins;
        Ok(child.put(coins).await?)
    }
}

#[pulsar::test]
async fn they_change_their_own_state_and_share_it_with_none() -> Result<()> {
    for placement in PLACEMENTS {
        let one = Purse::spawn(1).placement(placement).await?;
        let other = Purse::spawn(1).placement(placement).await?;
        assert_eq!(one.put(5).await?, 6, "{placement}");
        assert_eq!(one.put(5).await?, 11, "{placement}: it has changed");
        assert_eq!(other.put(0).await?, 1, "{placement}: of its own");
    }
    Ok(())
}

#[pulsar::test]
async fn those_in_processes_share_no_memory() -> Result<()> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..2 {
        let actor = spawn().await?;
        let count = |_cx, ()| async { COUNT.fetch_add(1, Ordering::SeqCst) };
        assert_eq!(run(&actor, count, ()).await?, 0);
        assert_eq!(run(&actor, count, ()).await?, 1);
    }
    assert_eq!(COUNT.load(Ordering::SeqCst), 0);
    Ok(())
}

#[pulsar::test]
async fn each_has_its_own_flow_of_control() -> Result<()> {
    for placement in PLACEMENTS {
        let waiting = spawn().placement(placement).await?;
        let other = Purse::spawn(0).placement(placement).await?;
        let word = tokio::spawn(send(&waiting, wait_at_gate, "one").into_future());
        until_waiting(&waiting, "one").await?;
        assert_eq!(other.put(1).await?, 1, "{placement}");
        assert!(!word.is_finished(), "{placement}");
        open_gate(&waiting).await?;
        assert_eq!(word.await??, "one", "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn they_create_others_and_receive_back_the_address() -> Result<()> {
    for from in PLACEMENTS {
        for to in PLACEMENTS {
            let parent = Purse::spawn(10).placement(from).await?;
            let child = parent.create(to).await?;
            assert_ne!(child.aid(), parent.aid());
            // By the address that it has kept it reaches whom we reach by that which it told.
            assert_eq!(parent.give(3).await?, 3, "{from} to {to}");
            assert_eq!(child.put(1).await?, 4, "{from} to {to}");
            assert_eq!(parent.put(0).await?, 7, "{from} to {to}");
        }
    }
    Ok(())
}

#[pulsar::test]
async fn messages_are_asynchronous() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let words = ["one", "two", "three"];
        let mut sent = Vec::new();
        for word in words {
            // All are on their way before the first is answered.
            sent.push(send(&actor, wait_at_gate, word).try_send()?);
        }
        for (word, sent) in words.into_iter().zip(sent) {
            until_waiting(&actor, word).await?;
            let mut reply = sent.into_future();
            tokio::select! {
                biased;
                reply = &mut reply => panic!("{placement}: {reply:?} before its time"),
                () = std::future::ready(()) => {}
            }
            open_gate(&actor).await?;
            assert_eq!(reply.await?, word, "{placement}");
        }
    }
    Ok(())
}

/// The process and the thread that run this.
pub(super) fn place_now() -> (u32, i64) {
    let thread = rustix::thread::gettid().as_raw_nonzero().get();
    (process::id(), thread.into())
}

/// The process and the thread that all of an actor runs in.
pub(super) async fn place_of(actor: &Proxy) -> Result<(u32, i64)> {
    let place = run(actor, |_cx, ()| async { place_now() }, ()).await?;
    let spawned = |cx: Context, ()| async move { cx.spawn(async { place_now() }).await.ok() };
    assert_eq!(run(actor, spawned, ()).await?, Some(Some(place)));
    let shown = send(actor, info, ()).await?.actor;
    assert_eq!((shown.pid, shown.thread_id), place);
    Ok(place)
}

#[command]
pub(super) async fn create_plain(_cx: Context, placement: Placement) -> Result<Proxy, SpawnError> {
    spawn().placement(placement).await
}

#[pulsar::test]
async fn by_default_one_takes_the_main_thread_of_a_new_process() -> Result<()> {
    let mut pids = BTreeSet::from([process::id()]);
    let first = spawn().await?;
    let mut all = vec![first.clone()];
    for placement in PLACEMENTS {
        let creator = spawn().placement(placement).await?;
        all.push(send(&creator, create_plain, Placement::Process).await?);
    }
    for actor in all {
        let (pid, thread) = place_of(&actor).await?;
        assert!(pids.insert(pid), "a process of its own");
        assert_eq!(i64::from(pid), thread, "the main thread");
        let parent = run(&actor, |_cx, ()| async { parent_id() }, ()).await?;
        assert_eq!(parent, process::id(), "it is the arbiter's child");
    }
    Ok(())
}

#[pulsar::test]
async fn one_on_a_thread_is_in_the_arbiters_process_and_not_on_its_main_thread() -> Result<()> {
    let mut threads = BTreeSet::from([i64::from(process::id())]);
    let mut all = vec![spawn().thread().await?];
    for placement in PLACEMENTS {
        let creator = spawn().placement(placement).await?;
        all.push(send(&creator, create_plain, Placement::Thread).await?);
    }
    for actor in all {
        let (pid, thread) = place_of(&actor).await?;
        assert_eq!(pid, process::id());
        assert!(threads.insert(thread), "a thread of its own");
    }
    Ok(())
}

#[pulsar::test]
async fn a_task_is_on_the_loop_of_whoever_spawns_it() -> Result<()> {
    let own = spawn().task().await?;
    assert_eq!(place_of(&own).await?, place_now());
    for placement in PLACEMENTS {
        let creator = spawn().placement(placement).await?;
        let task = send(&creator, create_plain, Placement::Task).await?;
        assert_eq!(
            place_of(&task).await?,
            place_of(&creator).await?,
            "{placement}"
        );
    }
    Ok(())
}

async fn note_controller(cx: Context, _: ()) {
    let actor = get_actor().map(|actor| actor.aid().to_string());
    cx.set_extra("start", actor);
}

#[pulsar::test]
async fn get_actor_is_the_one_that_controls_the_current_thread_or_task() -> Result<()> {
    let here = arbiter().aid();
    assert_eq!(get_actor().map(|cx| cx.aid()), here);
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement);
        let actor = actor.start(note_controller, ()).await?;
        let own = Some(actor.aid());
        let extra = send(&actor, info, ()).await?.extra;
        let started = extra.get("start").and_then(|aid| aid.as_str());
        assert_eq!(started, Some(&*actor.aid().to_string()), "{placement}");
        let controller = |_cx, ()| async { get_actor().map(|cx| cx.aid()) };
        assert_eq!(run(&actor, controller, ()).await?, own, "{placement}");
        let of_a_task = |cx: Context, ()| async move {
            let task = cx.spawn(async { get_actor().map(|cx| cx.aid()) });
            task.await.ok().flatten().flatten()
        };
        assert_eq!(run(&actor, of_a_task, ()).await?, own, "{placement}");
        // On its thread outside of what it has spawned: a task's thread is its host's.
        let of_the_thread = |_cx, ()| async {
            let task = tokio::spawn(async { get_actor().map(|cx| cx.aid()) });
            task.await.ok().flatten()
        };
        let thread = match placement {
            Placement::Task => here,
            _ => own,
        };
        assert_eq!(run(&actor, of_the_thread, ()).await?, thread, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn get_actor_is_none_in_a_foreign_thread() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let in_foreign_thread = |_cx, ()| async {
            let thread = std::thread::spawn(|| get_actor().is_none());
            thread.join().ok()
        };
        let is_none = run(&actor, in_foreign_thread, ()).await?;
        assert_eq!(is_none, Some(true), "{placement}");
    }
    Ok(())
}
