//! Hooks: "Hooks are passed as key-valued parameters to the spawn function."

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pulsar::prelude::*;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

use super::PLACEMENTS;

/// Starts an echo server on a newly spawned actor, and shows its address.
async fn create_echo_server(cx: Context, address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    cx.set_extra("echo-address", address.to_string());
    let serving = cx.clone();
    cx.spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = serving.stop_asked() => break,
            };
            if let Ok((mut stream, _)) = accepted {
                serving.spawn(async move {
                    let (mut read, mut write) = stream.split();
                    copy(&mut read, &mut write).await
                });
            }
        }
    });
    Ok(())
}

#[pulsar::test]
async fn start_sets_up_an_echo_server_whose_address_info_shows() -> Result<()> {
    for placement in PLACEMENTS {
        let any: SocketAddr = "127.0.0.1:0".parse()?;
        let actor = spawn().placement(placement);
        let actor = actor.start(create_echo_server, any).await?;
        let info = send(&actor, info, ()).await?;
        let address = info.extra.get("echo-address").and_then(|it| it.as_str());
        let mut stream = TcpStream::connect(address.expect("the hook has run")).await?;
        stream.write_all(b"Hello!").await?;
        let mut echo = [0; 6];
        stream.read_exact(&mut echo).await?;
        assert_eq!(&echo, b"Hello!", "{placement}");
        drop(stream);
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn an_error_in_start_ends_the_actor_and_the_spawn() -> Result<()> {
    async fn refuse(_cx: Context, why: String) -> Result<()> {
        Err(Error::msg(why))
    }
    for placement in PLACEMENTS {
        let spawned = spawn()
            .placement(placement)
            .start(refuse, "no port".to_owned());
        let Err(SpawnError::Died { cause }) = spawned.await else {
            panic!("{placement}: it is ready");
        };
        assert_eq!(cause, Cause::Failed("no port".to_owned()), "{placement}");
    }
    Ok(())
}

async fn say_goodbye(_cx: Context, (word, times): (String, u32)) -> Result<()> {
    send("arbiter", goodbye, (word, times)).await?;
    Ok(())
}

#[command]
fn goodbye(cx: Context, word: String, times: u32) {
    cx.set_extra(word, times);
}

#[pulsar::test]
async fn stopping_is_fired_when_the_actor_starts_stopping() -> Result<()> {
    for placement in PLACEMENTS {
        let word = format!("bye from {placement}");
        let actor = spawn().placement(placement);
        let actor = actor.stopping_with(say_goodbye, (word.clone(), 2)).await?;
        let own = || get_actor().map(|cx| cx.info().extra);
        assert!(own().is_some_and(|extra| extra.get(&word).is_none()));
        send(&actor, stop, ()).await?;
        arbiter().ended(&actor).await.ok();
        assert!(
            own().is_some_and(|extra| extra.get(&word) == Some(&json!(2))),
            "{placement}"
        );
    }
    Ok(())
}

fn extra_info(_cx: Context, info: &mut Info) {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    info.extra.insert("message", "Hello");
    info.extra
        .insert("times", ASKED.fetch_add(1, Ordering::Relaxed));
}

#[pulsar::test]
async fn on_info_is_fired_every_time_the_info_is_accessed() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).on_info(extra_info).await?;
        let first = send(&actor, info, ()).await?.extra;
        assert_eq!(first.get("message"), Some(&json!("Hello")), "{placement}");
        let second = send(&actor, info, ()).await?.extra;
        let times = |extra: &pulsar::Extra| extra.get("times").and_then(serde_json::Value::as_u64);
        assert!(times(&second) > times(&first), "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn on_info_takes_arguments_and_its_error_is_logged_and_hides_nothing() -> Result<()> {
    fn add(_cx: Context, info: &mut Info, (name, fails): (String, bool)) -> Result<()> {
        info.extra.insert(name, 1);
        match fails {
            true => Err(Error::msg("no more")),
            false => Ok(()),
        }
    }
    for placement in PLACEMENTS {
        for fails in [false, true] {
            let actor = spawn().placement(placement);
            let actor = actor.on_info_with(add, ("mine".to_owned(), fails)).await?;
            let extra = send(&actor, info, ()).await?.extra;
            assert_eq!(extra.get("mine"), Some(&json!(1)), "{placement} {fails}");
        }
    }
    Ok(())
}

#[pulsar::test]
async fn a_panic_in_on_info_ends_nothing() -> Result<()> {
    fn burst(_cx: Context, _info: &mut Info) {
        panic!("on purpose");
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).on_info(burst).await?;
        send(&actor, info, ()).await?;
        assert_eq!(send(&actor, ping, ()).await?, "pong", "{placement}");
    }
    Ok(())
}

fn stamp(cx: Context, params: &mut SpawnParams, (name, value): (String, u64)) {
    params.params.insert(name, value);
    params.params.insert("spawner", cx.aid().to_string());
    params.name = format!("{}-child", params.name);
}

#[command]
async fn spawn_child(_cx: Context, name: String) -> Result<Proxy> {
    Ok(spawn().name(name).param("own", "mine").await?)
}

#[command]
fn my_params(cx: Context) -> Result<(String, String, u64, String)> {
    let own = cx.param("own")?;
    Ok((
        cx.name().to_owned(),
        own,
        cx.param("shard")?,
        cx.param("spawner")?,
    ))
}

#[pulsar::test]
async fn on_params_is_fired_when_the_actor_is_about_to_spawn_another() -> Result<()> {
    for placement in PLACEMENTS {
        let parent = spawn().placement(placement);
        let parent = parent
            .on_params_with(stamp, ("shard".to_owned(), 7))
            .await?;
        let name = format!("of-a-{placement}");
        let child = send(&parent, spawn_child, name.clone()).await?;
        let (seen, own, shard, spawner) = send(&child, my_params, ()).await?;
        assert_eq!(
            (seen, own, shard),
            (format!("{name}-child"), "mine".to_owned(), 7)
        );
        assert_eq!(spawner, parent.aid().to_string(), "{placement}");
        let same = find::<pulsar::Anyone>(&format!("{name}-child")).await?;
        assert_eq!(same, child);
    }
    Ok(())
}

#[pulsar::test]
async fn a_parameter_that_was_not_given_or_has_another_type_is_an_error_that_names_it() -> Result<()>
{
    #[pulsar::remote]
    async fn ask_for(cx: Context, _: ()) -> [String; 2] {
        let missing = cx.param::<u32>("port").unwrap_err().to_string();
        let wrong = cx.param::<u32>("host").unwrap_err().to_string();
        [missing, wrong]
    }
    let actor = spawn().param("host", "here").await?;
    let [missing, wrong] = run(&actor, ask_for, ()).await?;
    assert!(missing.contains("without the parameter port"), "{missing}");
    assert!(
        wrong.contains("parameter host") && wrong.contains("u32"),
        "{wrong}"
    );
    Ok(())
}

/// Binds handlers to the actor's own events, at its start.
async fn bind_handlers(cx: Context, word: String) -> Result<()> {
    let events = cx.events();
    let (told, name) = (cx.clone(), word.clone());
    events
        .start
        .bind(move |()| async move { told.set_extra("started", name) })?;
    let name = word.clone();
    events
        .info
        .bind(move |info: &mut Info| info.extra.insert("bound", name.clone()))?;
    // The first fails: the second is called all the same.
    events.stopping.bind(|()| async { Err(Error::msg("no")) })?;
    events.stopping.bind(move |()| async move {
        let _ = send("arbiter", goodbye, (word, 3)).await;
    })?;
    events
        .params
        .bind(|params: &mut SpawnParams| params.params.insert("shard", 5))?;
    events
        .periodic_task
        .bind(|cx: &mut Context| cx.set_extra("ticked", true))?;
    cx.set_period(Duration::from_millis(2));
    Ok(())
}

#[pulsar::test]
async fn handlers_are_bound_to_the_events_of_a_life_and_a_failing_one_skips_nobody() -> Result<()> {
    for placement in PLACEMENTS {
        let word = format!("bound by {placement}");
        let actor = spawn()
            .placement(placement)
            .start(bind_handlers, word.clone())
            .await?;
        let has = async |name: &str, value: &serde_json::Value| -> Result<()> {
            while send(&actor, info, ()).await?.extra.get(name) != Some(value) {}
            Ok(())
        };
        has("bound", &json!(word)).await?;
        has("started", &json!(word)).await?;
        has("ticked", &json!(true)).await?;
        let child = send(&actor, spawn_child, String::new()).await?;
        #[pulsar::remote]
        async fn shard(cx: Context, _: ()) -> Result<u32> {
            Ok(cx.param("shard")?)
        }
        assert_eq!(run(&child, shard, ()).await??, 5, "{placement}");
        arbiter().stop_actor(&actor).await?;
        let own = get_actor().map(|cx| cx.info().extra);
        assert!(
            own.is_some_and(|extra| extra.get(&word) == Some(&json!(3))),
            "{placement}"
        );
    }
    Ok(())
}

#[pulsar::test]
async fn who_binds_after_a_one_time_event_has_fired_is_called_at_once() -> Result<()> {
    #[pulsar::remote]
    async fn bind_late(cx: Context, twice: bool) -> Result<()> {
        for _ in 0..=u32::from(twice) {
            let (called, is_called) = tokio::sync::oneshot::channel();
            cx.events().start.bind(move |()| async move {
                // As the actor, also where that is a task.
                let here = get_actor().map(|actor| actor.aid());
                called.send(here).map_err(|_| Error::msg("gone"))
            })?;
            assert_eq!(is_called.await?, Some(cx.aid()));
        }
        cx.events().start.waiter().await?;
        Ok(())
    }
    for placement in PLACEMENTS {
        for twice in [false, true] {
            let actor = spawn().placement(placement).await?;
            run(&actor, bind_late, twice).await??;
        }
    }
    Ok(())
}

#[pulsar::test]
async fn a_handler_is_unbound_by_its_binding() -> Result<()> {
    let cx = get_actor().expect("the test runs in the arbiter");
    let events = cx.events();
    let binding = events
        .info
        .bind(|info: &mut Info| info.extra.insert("bound", 1))?;
    assert_eq!(cx.info().extra.get("bound"), Some(&json!(1)));
    assert!(events.info.unbind(binding));
    assert!(!events.info.unbind(binding));
    assert_eq!(cx.info().extra.get("bound"), None);
    Ok(())
}

#[pulsar::test]
async fn handlers_of_one_time_events_are_awaited_also_where_others_ask_for_the_events() -> Result<()>
{
    async fn bind(cx: Context, word: String) -> Result<()> {
        let events = cx.events();
        let (told, asks) = (cx.clone(), cx.clone());
        events.start.bind(move |()| async move {
            tokio::task::yield_now().await;
            told.set_extra("started", true);
        })?;
        events.stopping.bind(move |()| async move {
            tokio::task::yield_now().await;
            let _ = send("arbiter", goodbye, (word, 4)).await;
        })?;
        // It runs once the actor has started, and before what is bound to that.
        cx.spawn(async move { asks.events().start.fired() });
        Ok(())
    }
    async fn ask_again(cx: Context) {
        let _ = cx.events().stopping.fired();
    }
    for placement in PLACEMENTS {
        let word = format!("awaited by {placement}");
        let actor = spawn().placement(placement).stopping(ask_again);
        let actor = actor.start(bind, word.clone()).await?;
        let started = async || -> Result<bool> {
            let extra = send(&actor, info, ()).await?.extra;
            Ok(extra.get("started") == Some(&json!(true)))
        };
        let within = Duration::from_secs(10);
        let waits = async { while !matches!(started().await, Ok(true)) {} };
        tokio::time::timeout(within, waits)
            .await
            .map_err(|_| Error::msg(format!("{placement}: its start was cut")))?;
        arbiter().stop_actor(&actor).await?;
        let own = get_actor().map(|cx| cx.info().extra);
        assert!(
            own.is_some_and(|extra| extra.get(&word) == Some(&json!(4))),
            "{placement}: its stopping was cut"
        );
    }
    Ok(())
}

#[pulsar::test]
async fn hooks_that_amend_are_not_called_within_themselves() -> Result<()> {
    fn looks(cx: Context, info: &mut Info) {
        let within = cx.info().extra.get("within").is_some();
        info.extra.insert("within", within);
    }
    fn spawns(_cx: Context, params: &mut SpawnParams) {
        let mine = spawn().name(format!("{}-of-the-hook", params.name)).task();
        drop(mine.begin());
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement);
        let actor = actor.on_info(looks).on_params(spawns).await?;
        let extra = send(&actor, info, ()).await?.extra;
        assert_eq!(extra.get("within"), Some(&json!(false)), "{placement}");
        let name = format!("child-of-a-{placement}");
        let child = send(&actor, spawn_child, name).await?;
        assert_eq!(send(&child, ping, ()).await?, "pong", "{placement}");
    }
    Ok(())
}

struct Homely;

#[pulsar::actor(local)]
impl Homely {
    async fn start(_cx: Context) -> Result<Self> {
        Ok(Self)
    }
}

#[pulsar::test]
async fn an_on_params_hook_cannot_have_a_local_actor_restarted() -> Result<()> {
    fn keep(_cx: Context, params: &mut SpawnParams) {
        params.restart = RestartPolicy::Permanent;
    }
    #[pulsar::remote]
    async fn spawn_homely(_cx: Context, _: ()) -> String {
        match Homely::spawn().task().await {
            Ok(_) => "spawned".to_owned(),
            Err(error) => error.to_string(),
        }
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).on_params(keep).await?;
        let said = run(&actor, spawn_homely, ()).await?;
        assert!(said.contains("lives once"), "{placement}: {said}");
    }
    Ok(())
}
