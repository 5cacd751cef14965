//! info: "Request information about a remote actor. The asynchronous result will be called back with the
//! dictionary returned by the `Actor.info` method."

use std::process;
use std::time::Instant;

use pulsar::prelude::*;
use pulsar::{MailboxInfo, send_json};

use super::PLACEMENTS;
use super::actors::create_plain;
use super::actors::place_of;
use crate::gate::{open_gate, until_waiting, wait_at_gate};

#[pulsar::test]
async fn it_says_who_the_actor_is_and_where_in_its_life() -> Result<()> {
    for placement in PLACEMENTS {
        let begun = Instant::now();
        let actor = spawn().placement(placement).name("abcd").await?;
        let first = send("abcd", info, ()).await?.actor;
        let lived = begun.elapsed().as_secs_f64();
        assert_eq!(first.name, "abcd", "{placement}");
        assert_eq!(first.id, actor.aid().to_string(), "{placement}");
        assert_eq!(first.state, State::Running, "{placement}");
        assert_eq!(first.placement, placement);
        assert_eq!((first.pid, first.thread_id), place_of(&actor).await?);
        assert!((0.0..=lived).contains(&first.uptime_s), "{first:?}");
        let one_life = (first.incarnation, first.restarts, first.generation);
        assert_eq!(one_life, (1, 0, 1), "{placement}");
        // The default period, three tenths of the 30 s that it may be silent.
        let next = first.next_periodic_task_s.expect("one is to come");
        assert!((8.0..=9.0).contains(&next), "{placement}: {next}");
        let second = send("abcd", info, ()).await?.actor;
        assert!(second.uptime_s > first.uptime_s, "{placement}");
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn the_arbiters_tells_of_the_master_process() -> Result<()> {
    let own = send("arbiter", info, ()).await?.actor;
    assert_eq!(own.name, "arbiter");
    assert_eq!(Some(own.id), arbiter().aid().map(|aid| aid.to_string()));
    assert_eq!((own.pid, own.age), (process::id(), 0));
    Ok(())
}

#[pulsar::test]
async fn the_age_of_a_task_in_another_process_is_its_hosts() -> Result<()> {
    let _before = spawn().task().await?;
    let host = spawn().await?;
    let task = send(&host, create_plain, Placement::Task).await?;
    let age = async |of: &Proxy| -> Result<u64> { Ok(send(of, info, ()).await?.actor.age) };
    assert_eq!(age(&task).await?, age(&host).await?);
    assert_eq!(age(&host).await?, 2);
    Ok(())
}

#[pulsar::test]
async fn the_age_is_the_order_of_spawning() -> Result<()> {
    let mut before = send("arbiter", info, ()).await?.actor.age;
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let age = send(&actor, info, ()).await?.actor.age;
        assert!(age > before, "{placement}: {age} after {before}");
        before = age;
    }
    Ok(())
}

#[pulsar::test]
async fn a_next_life_is_told_from_the_first() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).permanent().await?;
        let first = send(&actor, info, ()).await?.actor;
        arbiter().kill_actor(&actor).await?;
        let next = loop {
            match send(&actor, info, ()).await {
                Ok(info) if info.actor.state == State::Running => break info.actor,
                Ok(_) | Err(CallError::Send(SendError::Restarting { .. })) => {
                    tokio::task::yield_now().await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        assert_eq!((next.incarnation, next.restarts), (2, 1), "{placement}");
        assert_eq!(next.id, first.id, "{placement}");
        assert!(next.age > first.age, "{placement}");
        let has_own = placement == Placement::Process;
        assert_eq!(next.pid != first.pid, has_own, "{placement}");
    }
    Ok(())
}

#[command]
fn agree(_cx: Context, with: bool) -> Result<(), String> {
    match with {
        true => Ok(()),
        false => Err("I do not".to_owned()),
    }
}

#[pulsar::test]
async fn the_mailbox_is_counted() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).mailbox_capacity(7).await?;
        let before = send(&actor, info, ()).await?.mailbox;
        let expected = MailboxInfo {
            depth: 0,
            capacity: 7,
            ..before
        };
        assert_eq!(before, expected, "{placement}");
        send(&actor, agree, true).await.map_err(Error::msg)?;
        assert!(send(&actor, agree, false).await.is_err());
        let mut waiting = Vec::new();
        for word in ["one", "two", "three"] {
            waiting.push(tokio::spawn(send(&actor, wait_at_gate, word).into_future()));
        }
        until_waiting(&actor, "one").await?;
        // One is under way, two wait; and each look is a message too.
        let mailbox = loop {
            let mailbox = send(&actor, info, ()).await?.mailbox;
            if mailbox.depth == 2 {
                break mailbox;
            }
        };
        let unanswered = mailbox.received - mailbox.replied - mailbox.failed;
        let before_that = before.received - before.replied - before.failed;
        assert_eq!(mailbox.failed, before.failed + 1, "{placement}");
        assert_eq!(mailbox.dead_letters, 0, "{placement}");
        // It counts those taken in: the one under way beside this very look.
        assert!(unanswered > before_that, "{placement}: {mailbox:?}");
        for word in ["one", "two", "three"] {
            until_waiting(&actor, word).await?;
            open_gate(&actor).await?;
        }
        for waiting in waiting {
            waiting.await??;
        }
        assert_eq!(
            send(&actor, info, ()).await?.mailbox.depth,
            0,
            "{placement}"
        );
    }
    Ok(())
}

#[pulsar::test]
async fn it_says_what_the_process_uses() -> Result<()> {
    const MIB: u64 = 1 << 20;
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let info = send(&actor, info, ()).await?;
        let system = info.system.expect("Linux tells");
        assert!((MIB..1024 * MIB).contains(&system.rss_bytes), "{system:?}");
        let used = system.cpu_percent;
        assert!(used.is_finite() && used >= 0.0, "{placement}: {system:?}");
        let count = |folder: &str| {
            let path = format!("/proc/{}/{folder}", info.actor.pid);
            std::fs::read_dir(path).map(|entries| entries.count() as u64)
        };
        let (files, threads) = (count("fd")?, count("task")?);
        assert!(
            u64::from(system.open_files).abs_diff(files) <= 2,
            "{placement}"
        );
        assert!(
            u64::from(system.threads).abs_diff(threads) <= 1,
            "{placement}"
        );
        // A second: its loop has not been held.
        assert!(info.event_loop.lag_us < 1_000_000, "{placement}: {info:?}");
    }
    Ok(())
}

#[pulsar::test]
async fn it_says_to_how_many_other_processes_links_are_open() -> Result<()> {
    let actor = spawn().await?;
    for target in ["arbiter".to_owned(), actor.aid().to_string()] {
        let links = send(target, info, ()).await?.links;
        assert_eq!((links.open, links.stray_replies), (1, 0));
    }
    Ok(())
}

#[pulsar::test]
async fn it_is_what_the_actor_says_of_itself() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let set = |cx: Context, ()| async move {
            cx.set_extra("colour", "blue");
            cx.info()
        };
        let own = run(&actor, set, ()).await?;
        let asked = send(&actor, info, ()).await?;
        assert_eq!(asked.extra, own.extra, "{placement}");
        assert_eq!(asked.extra.get("colour"), Some(&"blue".into()));
        let same = (own.actor.id, own.actor.pid, own.actor.thread_id);
        let shown = (asked.actor.id, asked.actor.pid, asked.actor.thread_id);
        assert_eq!(shown, same, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn to_tools_it_is_a_dictionary() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).name("abcd").await?;
        let info = send_json("abcd", "info", vec![]).await;
        let info = info.map_err(|error| Error::msg(error.to_string()))?;
        for part in ["actor", "mailbox", "system", "loop", "links", "extra"] {
            assert!(info[part].is_object(), "{placement}: {part} of {info}");
        }
        assert_eq!(info["actor"]["name"], "abcd");
        assert_eq!(info["actor"]["state"], "running");
        assert_eq!(info["actor"]["placement"], placement.to_string());
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}
