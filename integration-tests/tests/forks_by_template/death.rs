//! The death of a template.

use pulsar::prelude::*;
use pulsar_sys::Pid;
use rustix::process::{Signal, kill_process};

use crate::{another_than, layout, layout_here, template};

/// Spawns that are in flight when a template is killed.
const AT_ONCE: usize = 60;
/// Templates that are killed one after the other: fewer than end it.
const DEATHS: usize = 4;

fn signal(pid: Pid, signal: Signal) -> Result<()> {
    let pid = rustix::process::Pid::from_raw(pid.as_raw()).ok_or_else(|| Error::msg("no pid"))?;
    Ok(kill_process(pid, signal)?)
}

#[pulsar::test]
async fn a_template_that_is_killed_is_made_anew_and_touches_no_actor() -> Result<()> {
    let old = template();
    let before = spawn().await?;
    assert_eq!(send(&before, layout, ()).await?, layout_here());
    signal(old.ok_or_else(|| Error::msg("no template"))?, Signal::KILL)?;
    // There is none now, or soon: whichever way it goes, it goes.
    let meanwhile = spawn().await?;
    assert_eq!(send(&meanwhile, ping, ()).await?, "pong");
    let new = another_than(old).await?;
    assert_ne!(Some(new), old);
    assert_eq!(send(&before, ping, ()).await?, "pong");
    Ok(())
}

#[pulsar::test]
async fn spawns_in_flight_when_the_template_is_killed_all_succeed() -> Result<()> {
    let mut old = None;
    for _ in 0..DEATHS {
        let template = another_than(old).await?;
        old = Some(template);
        let spawnings: Vec<_> = (0..AT_ONCE)
            .map(|_| spawn().begin())
            .collect::<Result<_, _>>()?;
        let all = tokio::spawn(async {
            let mut actors = Vec::new();
            for spawning in spawnings {
                actors.push(spawning.await);
            }
            actors
        });
        // Some have been made by then, and more have been asked for.
        while arbiter().actors().len() < AT_ONCE / 4 {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        signal(template, Signal::KILL)?;
        for actor in all.await? {
            let actor = actor?;
            assert_eq!(send(&actor, ping, ()).await?, "pong");
            arbiter().kill_actor(&actor).await?;
        }
    }
    // That no process and no zombie is left is checked after each test.
    Ok(())
}

#[pulsar::test]
async fn a_template_that_is_stopped_is_given_up() -> Result<()> {
    let old = template().ok_or_else(|| Error::msg("no template"))?;
    // It serves.
    spawn().await?;
    signal(old, Signal::STOP)?;
    let actor = spawn().await?;
    assert_eq!(send(&actor, ping, ()).await?, "pong");
    another_than(Some(old)).await?;
    Ok(())
}
