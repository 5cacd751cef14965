//! Actors that overstep their memory.

use std::os::unix::process::CommandExt;

use pulsar::prelude::*;
use pulsar_testkit::{Program, skip};

use crate::{death, eat, end_by, groups_of, limited, own_group};

const LIMIT_BYTES: u64 = 64 << 20;

/// One dies of its memory; its like, which eats little, and one without a limit live on.
async fn dies_alone(limited: Spawn) -> Result<()> {
    let neighbour = limited.clone().await?;
    let bystander = spawn().await?;
    let eater = limited.await?;
    send(&eater, eat, 16).await?;
    assert_eq!(death(send(&eater, eat, 200).await), Cause::OutOfMemory);
    send(&neighbour, eat, 16).await?;
    for alive in [&neighbour, &bystander] {
        assert_eq!(send(alive, ping, ()).await?, "pong");
    }
    send(&bystander, eat, 100).await?;
    Ok(())
}

#[pulsar::test]
async fn fault_18_an_actor_over_its_memory_limit_dies_alone_out_of_memory() -> Result<()> {
    dies_alone(spawn().memory_max(LIMIT_BYTES)).await
}

#[pulsar::test]
async fn fault_18_an_actor_over_the_limit_of_its_process_alone_dies_alone_out_of_memory()
-> Result<()> {
    let limited = spawn().memory_max(LIMIT_BYTES).without_cgroup();
    let first = limited.clone().await?;
    if let Some(own) = own_group("no group is made without one") {
        assert!(groups_of(std::process::id(), &own).is_empty());
    }
    arbiter().stop_actor(&first).await?;
    dies_alone(limited).await
}

#[test]
fn fault_18_where_no_group_can_be_made_it_is_out_of_memory_all_the_same() {
    /// Nobody's, on all systems that we know.
    const NOBODY: u32 = 65_534;
    if !rustix::process::getuid().is_root() {
        return skip(
            "fault_18_where_no_group_can_be_made_it_is_out_of_memory_all_the_same",
            "takes the rights of root to give them up",
        );
    }
    let mut command = limited("own-limit");
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    let outcome = Program::launch(command).outcome();
    let expected = [
        "it ran out of memory",
        "pong",
        "it was killed by signal 9 (SIGKILL)",
    ];
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(0));
    // Read by the arbiter, and passed on.
    let said = "memory allocation of 1048576 bytes failed";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
}

#[pulsar::test]
async fn a_kill_of_a_limited_actor_is_no_lack_of_memory() -> Result<()> {
    let killed = Cause::Signal {
        signal: 9,
        core_dumped: false,
    };
    let group = spawn().memory_max(LIMIT_BYTES);
    let process = spawn().memory_max(LIMIT_BYTES).without_cgroup();
    for limited in [group, process] {
        let actor = limited.clone().await?;
        let handle = arbiter();
        let (cause, gone) = tokio::join!(handle.ended(&actor), handle.kill_actor(&actor));
        gone?;
        assert_eq!(cause?, killed);
        let actor = limited.clone().await?;
        let info = send(&actor, info, ()).await?;
        let ended = handle.ended(&actor);
        let pid = i32::try_from(info.actor.pid).ok();
        let pid = pid.and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(
            pid.expect("a process has an id"),
            rustix::process::Signal::KILL,
        )?;
        assert_eq!(ended.await?, killed);
        // Nor is an abort.
        let actor = limited.await?;
        let aborted = death(send(&actor, end_by, "abort").await);
        assert!(
            matches!(aborted, Cause::Signal { signal: 6, .. }),
            "{aborted:?}"
        );
    }
    Ok(())
}

#[pulsar::test]
async fn the_workers_of_a_pool_have_their_limit_each() -> Result<()> {
    let pool = Pool::new("eaters", 2, spawn().memory_max(LIMIT_BYTES))
        .start()
        .await?;
    for worker in ["eaters-1", "eaters-2"] {
        while send(worker, eat, 16).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(death(send("eaters-1", eat, 200).await), Cause::OutOfMemory);
    assert_eq!(send("eaters-2", ping, ()).await?, "pong");
    drop(pool);
    Ok(())
}

#[pulsar::test]
async fn each_life_has_its_limit() -> Result<()> {
    let eater = spawn().memory_max(LIMIT_BYTES).transient().await?;
    for _ in 0..2 {
        assert_eq!(death(send(&eater, eat, 200).await), Cause::OutOfMemory);
        // Until the next life answers.
        while send(&eater, ping, ()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    let status = arbiter()
        .actors()
        .into_iter()
        .find(|actor| actor.aid == eater.aid());
    let last = status.and_then(|status| status.last_exit);
    assert_eq!(last.map(|last| last.cause), Some(Cause::OutOfMemory));
    Ok(())
}
