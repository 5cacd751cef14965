//! ping: "Ping the remote actor and receive an asynchronous pong."

use std::time::Duration;

use pulsar::Target;
use pulsar::prelude::*;
use pulsar_testkit::Fault;

use super::PLACEMENTS;
use crate::gate::{open_gate, until_waiting, wait_at_gate};

#[pulsar::test]
async fn each_actor_answers_pong_by_proxy_id_and_name() -> Result<()> {
    let pool = Pool::new("crew", 1, spawn()).start().await?;
    assert!(pool.all_ready().await);
    let mut targets: Vec<Target> = ["arbiter", "monitor", "crew", "crew-1"]
        .map(Target::from)
        .into();
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).name(placement.to_string());
        let actor = actor.await?;
        let (aid, name) = (actor.aid(), actor.name().to_owned());
        targets.extend([Target::from(&actor), aid.into(), name.into()]);
        targets.extend([aid.to_string().into(), aid.local().into()]);
    }
    for target in targets {
        assert_eq!(send(target.clone(), ping, ()).await?, "pong", "{target}");
    }
    Ok(())
}

#[command]
async fn ping_from_here(_cx: Context, target: String) -> Result<String, SendError> {
    match send(target, ping, ()).await {
        Ok(pong) => Ok(pong),
        Err(CallError::Send(error)) => Err(error),
        Err(CallError::Command(never)) => match never {},
    }
}

#[pulsar::test]
async fn any_actor_pings_any_other() -> Result<()> {
    for to in PLACEMENTS {
        let _ = spawn().placement(to).name(to.to_string()).await?;
    }
    for from in PLACEMENTS {
        for to in ["process", "thread", "task", "arbiter", "monitor"] {
            let pong = send(from.to_string(), ping_from_here, to).await?;
            assert_eq!(pong, "pong", "{from} to {to}");
        }
    }
    Ok(())
}

#[pulsar::test]
async fn pong_comes_while_a_command_is_under_way() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let word = tokio::spawn(send(&actor, wait_at_gate, "word").into_future());
        until_waiting(&actor, "word").await?;
        assert_eq!(send(&actor, ping, ()).await?, "pong", "{placement}");
        assert!(!word.is_finished(), "{placement}");
        open_gate(&actor).await?;
        assert_eq!(word.await??, "word");
    }
    Ok(())
}

/// Holds the loop of its actor for ever.
pub(super) async fn spin(_cx: Context, _: ()) {
    Fault::Loop.commit()
}

#[pulsar::test]
async fn one_whose_loop_does_not_turn_owes_the_pong() -> Result<()> {
    let actor = spawn().await?;
    let spinning = tokio::spawn(run(&actor, spin, ()).into_future());
    let after = Duration::from_millis(50);
    let owed = loop {
        // Until it spins.
        if let Err(error) = send(&actor, ping, ()).timeout(after).await {
            break error;
        }
    };
    assert!(
        matches!(owed, CallError::Send(SendError::Timeout { after: waited }) if waited == after),
        "{owed}"
    );
    arbiter().kill_actor(&actor).await?;
    let died = spinning.await?;
    assert!(matches!(died, Err(SendError::ActorDied { .. })), "{died:?}");
    Ok(())
}

#[pulsar::test]
async fn a_ping_of_nobody_is_an_error_that_names_whom() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let victim = spawn().placement(placement).await?;
        arbiter().stop_actor(&victim).await?;
        for nobody in ["abcd".to_owned(), victim.aid().to_string()] {
            let unknown = send(&actor, ping_from_here, nobody.clone()).await;
            let Err(CallError::Command(SendError::UnknownActor { target })) = unknown else {
                panic!("{placement}: {unknown:?}");
            };
            assert_eq!(target, nobody, "{placement}");
        }
    }
    Ok(())
}
