//! The built-in commands that steer others: `kill_actor`, `actors`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use integration_tests::Laboratory;
use pulsar::prelude::*;
use pulsar::{KillError, Role, send_json};
use serde_json::json;

use crate::{BINARIES, PLACEMENTS};

#[command]
async fn kill(_cx: Context, target: String) -> Result<()> {
    Ok(send("arbiter", kill_actor, target).await?)
}

#[command]
async fn kill_yourself(cx: Context) -> Result<()> {
    Ok(send("arbiter", kill_actor, cx.aid().to_string()).await?)
}

#[command]
async fn names_known_to(_cx: Context, of: String) -> Result<Vec<String>> {
    let known = send(of, actors, ()).await?;
    Ok(known.into_iter().map(|actor| actor.name).collect())
}

#[command]
async fn spawn_tasks(cx: Context, count: usize) -> Result<()> {
    for number in 0..count {
        let name = format!("{}-{number}", cx.name());
        let _ = spawn().task().name(name).await?;
    }
    Ok(())
}

/// Ends what holds the loop, in this process.
static IS_RELEASED: AtomicBool = AtomicBool::new(false);

#[command]
async fn hold_the_loop(_cx: Context) {
    while !IS_RELEASED.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    std::future::pending::<()>().await;
}

fn is_refused(answer: Result<(), CallError<KillError>>, with: &KillError) -> bool {
    matches!(answer, Err(CallError::Command(error)) if error == *with)
}

#[pulsar::test]
async fn an_actor_of_any_placement_is_killed_by_one_of_any_other() -> Result<()> {
    for of in PLACEMENTS {
        let killer = spawn().placement(of).name("killer").await?;
        for placement in PLACEMENTS {
            let victim = spawn().placement(placement).name("victim").await?;
            send(&killer, kill, "victim").await?;
            // It is gone when the answer is there.
            let again = send(&killer, kill, victim.aid().to_string()).await;
            let error = again.err().map(|error| error.to_string());
            let unknown = error.is_some_and(|error| error.contains("knows no actor"));
            assert!(unknown, "{of} kills {placement}");
        }
        arbiter().stop_actor(&killer).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn an_actor_that_kills_itself_dies_and_does_not_hang() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let answer = send(&actor, kill_yourself, ()).await;
        let died = matches!(answer, Err(CallError::Send(SendError::ActorDied { .. })));
        assert!(died, "{placement}: {answer:?}");
    }
    Ok(())
}

#[pulsar::test]
async fn what_kill_actor_refuses_is_told_with_its_type() -> Result<()> {
    let nobody = send("arbiter", kill_actor, "nobody").await;
    let target = "nobody".to_owned();
    assert!(is_refused(nobody, &KillError::UnknownActor { target }));
    let itself = send("arbiter", kill_actor, "arbiter").await;
    assert!(is_refused(itself, &KillError::Arbiter));
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).name("asked").await?;
        let elsewhere = send(&actor, kill_actor, "arbiter").await;
        assert!(
            is_refused(elsewhere, &KillError::NotTheArbiter),
            "{placement}"
        );
        assert_eq!(send(&actor, ping, ()).await?, "pong");
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn a_kill_that_takes_its_time_does_not_hold_the_arbiter() -> Result<()> {
    let actor = spawn().thread().name("held").await?;
    let asking = tokio::spawn(send(&actor, hold_the_loop, ()).into_future());
    while send(&actor, ping, ())
        .timeout(Duration::from_millis(50))
        .await
        .is_ok()
    {}
    // A thread ends when its loop turns: the arbiter waits for that.
    let mut killing = Box::pin(send("arbiter", kill_actor, "held").into_future());
    let pings = async {
        for _ in 0..10 {
            assert_eq!(send("arbiter", ping, ()).await?, "pong");
        }
        Ok::<_, Error>(())
    };
    tokio::select! {
        biased;
        killed = &mut killing => panic!("it ended before the pings: {killed:?}"),
        answered = pings => answered?,
    }
    IS_RELEASED.store(true, Ordering::Release);
    killing.await?;
    assert!(asking.await?.is_err());
    Ok(())
}

#[pulsar::test]
async fn the_arbiter_lists_all_a_monitor_its_workers_and_others_their_tasks() -> Result<()> {
    let pool = Pool::new("pool", 2, spawn()).start().await?;
    assert!(pool.all_ready().await);
    let mut all = vec!["arbiter", "pool", "pool-1", "pool-2"];
    for (placement, name) in PLACEMENTS.into_iter().zip(["a", "b", "c"]) {
        let actor = spawn().placement(placement).name(name).await?;
        send(&actor, spawn_tasks, 2_usize).await?;
        // A task has no loop of its own: its tasks are its host's.
        let tasks = match placement {
            Placement::Task => vec![],
            _ => vec![format!("{name}-0"), format!("{name}-1")],
        };
        for asker in ["arbiter", "pool-1", name] {
            let known = send(asker, names_known_to, name).await?;
            assert_eq!(known, tasks, "{placement}, asked by {asker}");
        }
        all.push(name);
    }
    assert_eq!(
        send("a", names_known_to, "pool").await?,
        ["pool-1", "pool-2"]
    );
    let mut known = send("a", names_known_to, "arbiter").await?;
    assert_eq!(known.remove(0), "arbiter");
    // Of tasks in other processes it knows nothing: the first of the three is one.
    let tasks = ["b-0", "b-1", "c-0", "c-1"].map(str::to_owned);
    known.sort();
    let mut expected: Vec<_> = all[1..].iter().map(|name| (*name).to_owned()).collect();
    expected.extend(tasks);
    expected.sort();
    assert_eq!(known, expected);
    Ok(())
}

#[pulsar::test]
async fn what_is_listed_elsewhere_is_what_the_arbiter_has() -> Result<()> {
    let pool = Pool::new("pool", 1, spawn()).start().await?;
    assert!(pool.all_ready().await);
    let listed = send("pool", actors, ()).await?;
    let here = arbiter().actors();
    let worker = &listed[0];
    let same = here.iter().find(|actor| actor.aid == worker.aid);
    let same = same.expect("the arbiter knows it too");
    assert_eq!((worker.pid, worker.role), (same.pid, Role::Worker));
    assert_eq!(worker.monitor.as_deref(), Some("pool"));
    let shown = send_json("arbiter", "actors", Vec::new()).await;
    let Ok(shown) = shown else {
        panic!("{shown:?}");
    };
    assert_eq!(shown[0]["aid"], json!(here[0].aid.to_string()));
    assert!(shown[0]["uptime_s"].is_f64(), "{shown}");
    assert_eq!(shown[2]["last_exit"], json!(null));
    Ok(())
}

#[test]
fn a_worker_that_is_killed_from_the_command_line_is_replaced() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
    let pids = laboratory.worker_pids(2);
    let args = ["send", "arbiter", "kill_actor", "crashlab-1"];
    let reply = laboratory.cli.json(&laboratory.program, &args);
    assert_eq!(reply, json!(null));
    let row = laboratory.replacement_of(pids[0], Duration::from_secs(20));
    assert_eq!(row["last_exit"]["cause"], "Signal");
    let listed = laboratory
        .cli
        .json(&laboratory.program, &["send", "crashlab", "actors"]);
    let first = &listed[0]["last_exit"];
    assert_eq!(
        *first,
        json!({"cause": "Signal", "detail": {"signal": 9, "core_dumped": false}, "pid": pids[0], "incarnation": 1})
    );
}
