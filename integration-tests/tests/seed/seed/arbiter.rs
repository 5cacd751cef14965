//! The arbiter: "There will be a centralised Arbiter controlling the main event loop in the main thread
//! of the master process. The arbiter is a specialised Actor which control the life of all Actor and
//! monitors."

use std::process;

use pulsar::prelude::*;
use pulsar::{ActorStatus, Role, Target};
use pulsar_testkit::{Process, Program};

use super::PLACEMENTS;
use super::actors::{place_now, place_of};
use super::stop::end_of;

/// A program whose `main` starts the arbiter itself, and tells whether it runs.
const SYNC_START: &str = env!("CARGO_BIN_EXE_sync-start");
/// A program with an actor in each placement and a monitor, which says who stops.
const HALTING: &str = env!("CARGO_BIN_EXE_halting");

#[test]
fn before_it_starts_its_handle_is_there_and_it_does_not_run() {
    let arbiter = arbiter();
    assert!(!arbiter.is_running());
    assert_eq!(arbiter.aid(), None);
    assert_eq!(arbiter.actors(), []);
    let found = arbiter.find(&Target::from("arbiter"));
    assert_eq!(found, Err(SendError::NotRunning));
}

#[test]
fn a_program_sees_it_run_from_its_start_to_its_end() {
    let outcome = Program::start(SYNC_START, ["stop-by-thread"]).outcome();
    let seen = outcome.stdout.iter();
    let seen: Vec<_> = seen.filter(|line| line.starts_with("running")).collect();
    let expected = [
        "running before: false",
        "running within: true",
        "running between: true",
        "running after: false",
    ];
    assert_eq!(seen, expected, "{}", outcome.stderr);
}

#[pulsar::test]
async fn it_is_on_the_main_thread_of_the_master_process() -> Result<()> {
    let own: Proxy = find("arbiter").await?;
    let (pid, thread) = place_of(&own).await?;
    assert_eq!((pid, thread), place_now());
    assert_eq!(pid, process::id());
    assert_eq!(thread, i64::from(pid), "the main thread");
    let here = get_actor().expect("the test runs in the arbiter");
    assert!(here.is_arbiter());
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let is_arbiter = run(&actor, |cx, ()| async move { cx.is_arbiter() }, ()).await?;
        assert!(!is_arbiter, "{placement}");
    }
    Ok(())
}

#[command]
async fn look_for_arbiter(_cx: Context) -> Result<(bool, Option<Aid>, Proxy)> {
    let found = find("arbiter").await?;
    Ok((arbiter().is_running(), arbiter().aid(), found))
}

#[pulsar::test]
async fn it_is_one_and_the_same_for_all() -> Result<()> {
    let own = get_actor().expect("the test runs in the arbiter").proxy();
    assert!(arbiter().is_running());
    assert_eq!(arbiter().aid(), Some(own.aid()));
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let seen = send(&actor, look_for_arbiter, ()).await?;
        assert_eq!(seen, (true, Some(own.aid()), own.clone()), "{placement}");
    }
    let all = arbiter().actors();
    let arbiters = all.iter().filter(|actor| actor.role == Role::Arbiter);
    let arbiters: Vec<_> = arbiters.map(|arbiter| arbiter.aid).collect();
    assert_eq!(arbiters, [own.aid()]);
    Ok(())
}

#[pulsar::test]
async fn its_handle_is_good_in_any_thread_of_its_process() -> Result<()> {
    let actor = spawn().name("one").await?;
    let elsewhere = std::thread::spawn(|| {
        let arbiter = arbiter();
        (arbiter.is_running(), arbiter.find(&Target::from("one")))
    });
    let seen = elsewhere.join().expect("it does not panic");
    assert_eq!(seen, (true, Ok(actor.aid())));
    Ok(())
}

fn listed(actor: &Proxy) -> Option<ActorStatus> {
    let mut all = arbiter().actors().into_iter();
    all.find(|listed| listed.aid == actor.aid())
}

#[pulsar::test]
async fn it_knows_all_actors_and_monitors() -> Result<()> {
    let pool = Pool::new("crew", 2, spawn()).start().await?;
    assert!(pool.all_ready().await);
    for placement in PLACEMENTS {
        let name = format!("a-{placement}");
        let actor = spawn().placement(placement).name(&name).await?;
        let known = listed(&actor).expect("it lives");
        let shown = send(&actor, info, ()).await?.actor;
        assert_eq!((known.name, known.placement), (name, placement));
        assert_eq!(known.pid, Some(shown.pid), "{placement}");
        assert_eq!(known.state, State::Running, "{placement}");
        assert_eq!(known.role, Role::Actor, "{placement}");
    }
    let all = send("arbiter", actors, ()).await?;
    let roles: Vec<_> = all.iter().map(|it| (&*it.name, it.role)).collect();
    assert_eq!(roles[0], ("arbiter", Role::Arbiter));
    let roles = &roles[1..];
    for known in [
        ("crew", Role::Monitor),
        ("crew-1", Role::Worker),
        ("crew-2", Role::Worker),
        ("a-process", Role::Actor),
        ("a-thread", Role::Actor),
        ("a-task", Role::Actor),
    ] {
        assert!(roles.contains(&known), "{known:?} of {roles:?}");
    }
    assert_eq!(roles.len(), 6);
    Ok(())
}

#[command]
async fn have_killed(_cx: Context, target: String) -> Result<()> {
    Ok(send("arbiter", kill_actor, target).await?)
}

#[pulsar::test]
async fn it_ends_any_actor() -> Result<()> {
    for placement in PLACEMENTS {
        for how in ["stop", "kill", "have killed"] {
            let actor = spawn().placement(placement).name("victim").await?;
            let pid = send(&actor, info, ()).await?.actor.pid;
            let (handle, end) = (arbiter(), end_of(&actor).await);
            match how {
                "stop" => handle.stop_actor(&actor).await?,
                "kill" => handle.kill_actor(&actor).await?,
                _ => {
                    let killer = spawn().await?;
                    send(&killer, have_killed, "victim").await?;
                }
            }
            let cause = end.await??;
            let is_process = placement == Placement::Process;
            match how {
                "kill" | "have killed" => {
                    assert!(matches!(cause, Cause::Signal { signal: 9, .. }), "{cause}");
                }
                _ => assert_eq!(cause, Cause::Stopped, "{placement} {how}"),
            }
            assert_eq!(listed(&actor), None, "{placement} {how}");
            assert_eq!(!Process::of(pid).runs(), is_process, "{placement} {how}");
        }
    }
    Ok(())
}

#[pulsar::test]
async fn only_in_its_own_process_does_its_handle_end_others() -> Result<()> {
    let actor = spawn().await?;
    let ending = |_cx: Context, other: Proxy| async move {
        let arbiter = arbiter();
        let refused = |ended| matches!(ended, Err(SendError::Refused { .. }));
        let stopped = refused(arbiter.stop_actor(&other).await);
        (stopped, refused(arbiter.kill_actor(&other).await))
    };
    for placement in PLACEMENTS {
        let other = spawn().placement(placement).await?;
        let refused = run(&actor, ending, other.clone()).await?;
        assert_eq!(refused, (true, true), "{placement}");
        assert_eq!(send(&other, ping, ()).await?, "pong");
    }
    Ok(())
}

#[test]
fn its_end_is_the_end_of_all_the_last_started_first() {
    let ended = Program::start(HALTING, ["nobody", "", "0"]).outcome();
    let halted = Program::start(HALTING, ["task", "0", "0"]).outcome();
    for outcome in [ended, halted] {
        let stopped = [
            "pool-1 stops",
            "task stops",
            "thread stops",
            "process stops",
        ];
        assert_eq!(outcome.stdout, stopped, "{}", outcome.stderr);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
}
