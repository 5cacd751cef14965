//! Spawning: "The value returned by spawn has the actor id and it is called back once the remote actor
//! has started. The callback will be an `ActorProxy`, a lightweight proxy for the remote actor. When
//! spawning from an actor other than the arbiter, [it sends] a message to the arbiter to spawn a new
//! actor."

use std::collections::HashSet;
use std::time::Duration;

use pulsar::Target;
use pulsar::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PLACEMENTS;
use crate::gate::{open_gate, start_at_gate, until_waiting};

async fn do_something_useful(cx: Context) {
    let times = cx.info().extra.get("useful").and_then(Value::as_u64);
    cx.set_extra("useful", times.unwrap_or_default() + 1);
}

#[pulsar::test]
async fn an_actor_is_spawned_by_a_function_that_it_runs() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn()
            .placement(placement)
            .periodic_task(do_something_useful)
            .every(Duration::from_millis(1))
            .await?;
        let useful = async || {
            let extra = send(&actor, info, ()).await?.extra;
            Ok::<_, Error>(extra.get("useful").and_then(Value::as_u64))
        };
        while useful().await? < Some(3) {}
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn the_id_is_there_at_once_and_the_proxy_when_it_has_started() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).start(start_at_gate, None);
        let spawning = actor.begin()?;
        let aid = spawning.aid();
        let mut proxy = spawning.into_future();
        until_waiting(aid, "start").await?;
        tokio::select! {
            biased;
            proxy = &mut proxy => panic!("{placement}: {proxy:?} before it has started"),
            () = std::future::ready(()) => {}
        }
        open_gate(aid).await?;
        let proxy = proxy.await?;
        assert_eq!(proxy.aid(), aid, "{placement}");
        let info = send(&proxy, info, ()).await?;
        assert_eq!(info.actor.state, State::Running, "{placement}");
        assert_eq!(info.extra.get("passed"), Some(&"start".into()));
    }
    Ok(())
}

#[command]
async fn spawn_there(
    _cx: Context,
    placement: Placement,
    name: String,
) -> Result<(Aid, Proxy), SpawnError> {
    let spawning = spawn().placement(placement).name(name).begin()?;
    Ok((spawning.aid(), spawning.await?))
}

#[pulsar::test]
async fn from_any_actor_one_of_any_placement_is_spawned() -> Result<()> {
    for from in PLACEMENTS {
        let spawner = spawn().placement(from).await?;
        for to in PLACEMENTS {
            let name = format!("{to}-of-{from}");
            let (aid, proxy) = send(&spawner, spawn_there, (to, name.clone())).await?;
            assert_eq!((proxy.aid(), proxy.name()), (aid, &*name));
            let shown = send(&proxy, info, ()).await?.actor;
            assert_eq!((shown.name, shown.placement), (name.clone(), to));
            assert_eq!(shown.state, State::Running, "{name}");
            // It is the arbiter that has spawned it, and so manages it; a task's manager is the actor
            // whose loop it is on.
            let manager = run(&proxy, |cx, ()| async move { cx.manager().aid() }, ()).await?;
            let expected = match to {
                Placement::Task if from != Placement::Task => Some(spawner.aid()),
                _ => arbiter().aid(),
            };
            assert_eq!(Some(manager), expected, "{name}");
            // All can reach it.
            assert_eq!(find::<pulsar::Anyone>(&name).await?, proxy);
        }
        // What the arbiter has spawned for it outlives it; the tasks on its loop end with it.
        arbiter().stop_actor(&spawner).await?;
        for to in PLACEMENTS {
            let answer = send(format!("{to}-of-{from}"), ping, ()).await;
            let ends = to == Placement::Task && from != Placement::Task;
            assert_eq!(answer.is_err(), ends, "{to} of {from}");
        }
    }
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
struct Addressed {
    to: Proxy,
    also: Vec<Proxy>,
}

/// Uses the proxy that it was sent, and sends it on.
#[command]
async fn use_and_return(_cx: Context, given: Addressed) -> Result<Addressed> {
    for proxy in given.also.iter().chain([&given.to]) {
        send(proxy, ping, ()).await?;
    }
    Ok(given)
}

#[pulsar::test]
async fn a_proxy_is_an_address_that_travels() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).name("one").await?;
        let other = spawn().placement(placement).name("other").await?;
        assert_ne!(actor, other);
        let copies = HashSet::from([actor.clone(), actor.clone(), actor.clone()]);
        assert_eq!(copies.len(), 1, "equal by its id");
        for through in PLACEMENTS {
            let through = spawn().placement(through).await?;
            let given = Addressed {
                to: actor.clone(),
                also: vec![other.clone(), actor.clone()],
            };
            let back = send(&through, use_and_return, given).await?;
            assert_eq!(back.to, actor, "{placement}");
            assert_eq!(back.to.name(), "one", "{placement}");
            assert_eq!(back.also, [other.clone(), actor.clone()], "{placement}");
        }
        let shown = serde_json::to_value(&actor)?;
        assert_eq!(serde_json::from_value::<Proxy>(shown)?, actor);
        // It does not keep the actor alive.
        arbiter().stop_actor(&actor).await?;
        let copy = copies.into_iter().next().expect("there is one");
        let gone = send(copy, ping, ()).await;
        let is_unknown = matches!(gone, Err(CallError::Send(SendError::UnknownActor { .. })));
        assert!(is_unknown, "{placement}: {gone:?}");
        arbiter().stop_actor(&other).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn a_name_is_one_living_actors() -> Result<()> {
    for holder in PLACEMENTS {
        let first = spawn().placement(holder).name("one").await?;
        for from in PLACEMENTS {
            let spawner = spawn().placement(from).await?;
            for to in PLACEMENTS {
                let taken = send(&spawner, spawn_there, (to, "one".to_owned())).await;
                let Err(CallError::Command(SpawnError::NameTaken { name })) = taken else {
                    panic!("{holder}, {to} from {from}: {taken:?}");
                };
                assert_eq!(name, "one");
            }
        }
        assert_eq!(
            send("one", info, ()).await?.actor.id,
            first.aid().to_string()
        );
        arbiter().stop_actor(&first).await?;
    }
    Ok(())
}

/// What goes wrong with a spawn.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
enum Mishap {
    Name,
    Error,
    Panic,
    Hang,
}

/// How long one that hangs has.
const SHORT: Duration = Duration::from_millis(20);

async fn meet(_cx: Context, mishap: Mishap) -> Result<()> {
    match mishap {
        Mishap::Panic => panic!("no luck"),
        Mishap::Hang => std::future::pending().await,
        _ => Err(Error::msg("no port")),
    }
}

#[command]
async fn spawn_in_vain(
    _cx: Context,
    placement: Placement,
    mishap: Mishap,
) -> Result<Proxy, SpawnError> {
    let actor = spawn().placement(placement);
    match mishap {
        Mishap::Name => actor.name("not a name").await,
        Mishap::Hang => actor.start(meet, mishap).boot_timeout(SHORT).await,
        _ => actor.start(meet, mishap).await,
    }
}

fn expected(mishap: Mishap) -> SpawnError {
    let name = "not a name".to_owned();
    let cause = match mishap {
        Mishap::Name => return SpawnError::BadName { name },
        Mishap::Hang => return SpawnError::BootTimeout { after: SHORT },
        Mishap::Panic => Cause::Panic("no luck".to_owned()),
        Mishap::Error => Cause::Failed("no port".to_owned()),
    };
    SpawnError::Died { cause }
}

#[pulsar::test]
async fn one_that_fails_tells_its_spawner_why_with_its_type() -> Result<()> {
    for mishap in [Mishap::Name, Mishap::Error, Mishap::Panic, Mishap::Hang] {
        for from in PLACEMENTS {
            let spawner = spawn().placement(from).await?;
            for to in PLACEMENTS {
                let spawned = send(&spawner, spawn_in_vain, (to, mishap)).await;
                let Err(CallError::Command(error)) = spawned else {
                    panic!("{mishap:?}, {to} from {from}: {spawned:?}");
                };
                let is_code_for_the_arbiter = (from, to) == (Placement::Process, Placement::Thread);
                if is_code_for_the_arbiter && mishap != Mishap::Name {
                    let refused = matches!(error, SpawnError::Unsupported { .. });
                    assert!(refused, "{mishap:?}: {error}");
                    continue;
                }
                assert_eq!(error, expected(mishap), "{mishap:?}, {to} from {from}");
            }
            assert_eq!(send(&spawner, ping, ()).await?, "pong", "it lives on");
        }
    }
    Ok(())
}

#[test]
fn without_an_arbiter_there_is_nobody_to_spawn() {
    let spawned = spawn().begin().map(|spawning| spawning.aid());
    assert_eq!(spawned, Err(SpawnError::NoEntry));
}

#[pulsar::test]
async fn outside_of_any_actor_nothing_is_spawned() -> Result<()> {
    let elsewhere = std::thread::spawn(|| spawn().begin().map(|spawning| spawning.aid()));
    let spawned = elsewhere.join().expect("it does not panic");
    assert_eq!(spawned, Err(SpawnError::NotAnActor));
    assert_eq!(arbiter().actors().len(), 1, "only the arbiter is there");
    let nobody = Target::from("nobody");
    assert!(arbiter().find(&nobody).is_err());
    Ok(())
}
