//! Hooks and what an actor's code can do with its context.

use std::time::Duration;

use pulsar::prelude::*;

use crate::PLACEMENTS;

#[command]
async fn ticks(cx: Context) -> i64 {
    cx.info()
        .extra
        .0
        .get("ticks")
        .and_then(serde_json::Value::as_i64)
        .unwrap_or(0)
}

async fn tick(cx: Context) -> Result<()> {
    let now = cx
        .info()
        .extra
        .0
        .get("ticks")
        .and_then(serde_json::Value::as_i64)
        .unwrap_or(0);
    cx.set_extra("ticks", now + 1);
    // An error is logged and ends nothing.
    Err(Error::msg("ticked"))
}

async fn leave_word(cx: Context) {
    // The arbiter hears it, since asks are answered while an actor stops.
    let word = format!("{} stops", cx.placement());
    let _ = send("arbiter", take_word, word).await;
}

#[command]
async fn take_word(cx: Context, word: String) {
    cx.set_extra("word", word);
}

async fn remember(cx: Context, number: u32) {
    let actor = get_actor().expect("a hook runs in its actor");
    cx.set_extra("number", number);
    cx.set_extra("same", actor.aid() == cx.aid());
}

async fn spawn_loose(cx: Context, _: ()) {
    let inner = cx.clone();
    cx.spawn(async move {
        let actor = get_actor().map(|actor| actor.aid());
        inner.set_extra("loose", actor == Some(inner.aid()));
        inner.stop_asked().await;
    });
}

#[pulsar::test]
async fn the_start_hook_gets_its_arguments_and_runs_in_its_actor() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).start(remember, 7).await?;
        let extra = send(&actor, info, ()).await?.extra.0;
        assert_eq!(extra["number"], 7, "{placement}");
        assert_eq!(extra["same"], true, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_periodic_task_runs_again_and_again_and_its_errors_end_nothing() -> Result<()> {
    for placement in PLACEMENTS {
        let every = Duration::from_millis(5);
        let actor = spawn()
            .placement(placement)
            .periodic_task(tick)
            .every(every)
            .await?;
        while send(&actor, ticks, ()).await? < 3 {}
        // While it runs there is none.
        let next = loop {
            if let Some(next) = send(&actor, info, ()).await?.actor.next_periodic_task_s {
                break next;
            }
        };
        assert!(next <= 0.005, "{placement}: {next:?}");
    }
    Ok(())
}

#[pulsar::test]
async fn the_stopping_hook_runs_and_may_still_send() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).stopping(leave_word).await?;
        arbiter().stop_actor(&actor).await?;
        let word = send("arbiter", info, ()).await?.extra.0["word"].clone();
        assert_eq!(word, format!("{placement} stops"));
    }
    Ok(())
}

#[pulsar::test]
async fn what_an_actor_spawns_on_its_loop_belongs_to_it() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).start(spawn_loose, ()).await?;
        while !send(&actor, info, ()).await?.extra.0.contains_key("loose") {}
        assert_eq!(send(&actor, info, ()).await?.extra.0["loose"], true);
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}
