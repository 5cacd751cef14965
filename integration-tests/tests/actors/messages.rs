//! Commands: who can be sent what, and what comes back.

use std::time::Duration;

use pulsar::prelude::*;
use pulsar::{Command, send_json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{PLACEMENTS, never};

#[derive(Clone, PartialEq, Debug, thiserror::Error, Serialize, Deserialize)]
enum Rude {
    #[error("whom shall I greet?")]
    Nobody,
    #[error("{0} is too long a name")]
    TooLong(usize),
}

/// Greets.
#[command]
async fn greetme(_cx: Context, name: String) -> Result<String, Rude> {
    match name.len() {
        0 => Err(Rude::Nobody),
        len @ 20.. => Err(Rude::TooLong(len)),
        _ => Ok(format!("Hello {name}!")),
    }
}

#[command]
fn add(_cx: Context, a: u64, b: u64) -> u64 {
    a + b
}

#[command]
async fn who_asks(cx: Context) -> Option<String> {
    cx.sender().map(|aid| aid.to_string())
}

#[command]
async fn who_am_i(_cx: Context) -> Option<String> {
    get_actor().map(|cx| cx.aid().to_string())
}

/// Sends on, from inside an actor.
#[command]
async fn pass_on(_cx: Context, to: String, name: String) -> Result<String, Error> {
    Ok(send(to, greetme, name).await?)
}

#[command]
async fn pass_to_proxy(_cx: Context, to: Proxy) -> Result<u64, Error> {
    Ok(send(&to, add, (2, 3)).await?)
}

#[command]
async fn run_on_arbiter(_cx: Context) -> Result<(), SendError> {
    run("arbiter", pid_of, ()).await.map(drop)
}

#[command]
async fn large(_cx: Context, bytes: usize) -> Vec<u8> {
    vec![7; bytes]
}

async fn pid_of(cx: Context, _: ()) -> u32 {
    cx.info().actor.pid
}

#[pulsar::test]
async fn an_actor_is_reached_by_proxy_by_id_and_by_name() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().name("target").placement(placement).await?;
        assert_eq!(send(&actor, greetme, "a").await?, "Hello a!");
        assert_eq!(send(actor.aid(), greetme, "b").await?, "Hello b!");
        assert_eq!(send("target", greetme, "c").await?, "Hello c!");
        assert_eq!(
            send(actor.aid().to_string(), greetme, "d").await?,
            "Hello d!"
        );
        assert_eq!(send(actor.aid().local(), add, (1, 2)).await?, 3);
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn an_actor_of_any_placement_reaches_one_of_any_other() -> Result<()> {
    for to in PLACEMENTS {
        let target = spawn().name("target").placement(to).await?;
        for from in PLACEMENTS {
            let sender = spawn().placement(from).await?;
            let by_name = send(&sender, pass_on, ("target".to_owned(), "x".to_owned())).await?;
            assert_eq!(by_name, "Hello x!", "{from} to {to}");
            let by_proxy = send(&sender, pass_to_proxy, target.clone()).await?;
            assert_eq!(by_proxy, 5, "{from} to {to}");
            arbiter().stop_actor(&sender).await?;
        }
        arbiter().stop_actor(&target).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn arbiter_and_monitor_are_always_there() -> Result<()> {
    let arbiter_id = arbiter().aid().map(|aid| aid.to_string());
    assert_eq!(send("arbiter", ping, ()).await?, "pong");
    assert_eq!(send("arbiter", who_am_i, ()).await?, arbiter_id);
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let hello = send(&actor, pass_on, ("monitor".to_owned(), "m".to_owned())).await?;
        assert_eq!(hello, "Hello m!");
    }
    Ok(())
}

#[pulsar::test]
async fn a_commands_own_error_keeps_its_type() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let nobody = send(&actor, greetme, "").await;
        assert!(
            matches!(nobody, Err(CallError::Command(Rude::Nobody))),
            "{nobody:?}"
        );
        let long = send(&actor, greetme, "x".repeat(21)).await;
        assert!(
            matches!(long, Err(CallError::Command(Rude::TooLong(21)))),
            "{long:?}"
        );
    }
    Ok(())
}

#[pulsar::test]
async fn an_error_keeps_its_chain_through_two_actors() -> Result<()> {
    let [target, sender] = [spawn().name("target").await?, spawn().await?];
    let error = send(&sender, pass_on, ("target".to_owned(), String::new()))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "whom shall I greet?");
    drop(target);
    Ok(())
}

#[pulsar::test]
async fn unknown_actors_and_commands_are_told() -> Result<()> {
    let actor = spawn().await?;
    let nobody = send("nobody", ping, ()).await.unwrap_err();
    assert_eq!(nobody.to_string(), "no actor has the id or name \"nobody\"");
    let from_child = send(&actor, pass_on, ("nobody".to_owned(), "x".to_owned())).await;
    assert!(from_child.unwrap_err().to_string().contains("\"nobody\""));
    let nothing = send_json(&actor, "great_me", vec![]).await;
    let Err(CallError::Send(SendError::UnknownCommand { command, nearest })) = nothing else {
        panic!("{nothing:?}");
    };
    assert_eq!(
        (command.as_str(), nearest[0].as_str()),
        ("great_me", "greetme")
    );
    Ok(())
}

#[pulsar::test]
async fn an_ask_ends_at_its_timeout() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let after = Duration::from_millis(50);
        let answer = send(&actor, never, ()).timeout(after).await;
        let expected = SendError::Timeout { after };
        assert!(matches!(answer, Err(CallError::Send(error)) if error == expected));
        arbiter().kill_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn built_ins_are_answered_while_a_command_awaits() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let asking = tokio::spawn(send(&actor, never, ()).into_future());
        // The second of two pings comes after `never` in the same order as it was sent.
        for _ in 0..2 {
            assert_eq!(send(&actor, ping, ()).await?, "pong");
        }
        assert!(!asking.is_finished());
        asking.abort();
        arbiter().kill_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn commands_take_arguments_and_give_replies_as_json() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        for (command, args, reply) in [
            ("add", vec![json!(1), json!(2)], json!(3)),
            ("greetme", vec![json!("j")], json!("Hello j!")),
            ("ping", vec![], json!("pong")),
        ] {
            let answer = send_json(&actor, command, args).await;
            assert!(
                matches!(&answer, Ok(value) if *value == reply),
                "{command}: {answer:?}"
            );
        }
        let Ok(about) = send_json(&actor, "info", vec![]).await else {
            panic!("no info");
        };
        assert_eq!(about["actor"]["id"], json!(actor.aid().to_string()));
        let rude = send_json(&actor, "greetme", vec![json!("")]).await;
        assert!(matches!(rude, Err(CallError::Command(error)) if error == json!("Nobody")));
        let shape = send_json(&actor, "add", vec![json!("one"), json!(2)]).await;
        assert!(matches!(
            shape,
            Err(CallError::Send(SendError::Codec { .. }))
        ));
    }
    Ok(())
}

#[pulsar::test]
async fn a_command_knows_who_sent_it() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let in_another_process = placement == Placement::Process;
        let expected = arbiter().aid().filter(|_| !in_another_process);
        assert_eq!(
            send(&actor, who_asks, ()).await?,
            expected.map(|aid| aid.to_string())
        );
    }
    Ok(())
}

#[pulsar::test]
async fn functions_run_downwards_only() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let pid = run(&actor, pid_of, ()).await?;
        assert_eq!(pid == std::process::id(), placement != Placement::Process);
        let upwards = send(&actor, run_on_arbiter, ()).await;
        let refused = matches!(upwards, Err(CallError::Command(SendError::Refused { .. })));
        // A task on the arbiter's own loop is a part of the arbiter's process and of its trust.
        assert_eq!(refused, placement != Placement::Task, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_child_that_sends_a_function_pointer_up_by_hand_is_refused() -> Result<()> {
    let actor = spawn().await?;
    let refused = send(&actor, forge, ()).await?;
    assert!(refused.contains("refused"), "{refused}");
    Ok(())
}

/// Sends the `run_pointer` command by its name, around the check in `run`.
#[command]
async fn forge(_cx: Context) -> String {
    let call = json!({ "entry": 0, "function": 0, "args": [] });
    match send_json("arbiter", "run_pointer", vec![call]).await {
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    }
}

#[pulsar::test]
async fn large_messages_pass_up_to_the_limit_and_are_refused_over_it() -> Result<()> {
    let actor = spawn().await?;
    let mib = 1 << 20;
    assert_eq!(send(&actor, large, 8 * mib).await?.len(), 8 * mib);
    let too_large = send(&actor, large, 17 * mib).await;
    assert!(matches!(
        too_large,
        Err(CallError::Send(SendError::TooLarge { .. }))
    ));
    let asked = send(&actor, echo, "x".repeat(17 * mib)).await;
    assert!(matches!(
        asked,
        Err(CallError::Send(SendError::TooLarge { .. }))
    ));
    // The link is none the worse.
    assert_eq!(send(&actor, ping, ()).await?, "pong");
    Ok(())
}

#[pulsar::test]
async fn messages_from_one_sender_are_handled_in_their_order() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let mut asks = Vec::new();
        for number in 0..500_u64 {
            asks.push(tokio::spawn(send(&actor, count, number).into_future()));
            tokio::task::yield_now().await;
        }
        for ask in asks {
            assert!(ask.await??, "{placement}: out of order");
        }
    }
    Ok(())
}

/// True if each number is one more than the one before.
#[command]
async fn count(_cx: Context, number: u64) -> bool {
    use std::sync::atomic::{AtomicU64, Ordering};
    // Placements in one process count on: all that matters is the step.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let expected = if number == 0 {
        0
    } else {
        NEXT.load(Ordering::Relaxed)
    };
    NEXT.store(number + 1, Ordering::Relaxed);
    number == expected
}

#[test]
fn a_command_shows_its_signature_and_documentation() {
    fn of<C: Command>(
        _: fn() -> C,
    ) -> (
        &'static str,
        &'static str,
        Vec<(&'static str, &'static str)>,
    ) {
        (C::DOC, C::REPLY, C::ARGS.to_vec())
    }
    assert_eq!(
        of(greetme),
        ("Greets.", "Result<String, Rude>", vec![("name", "String")])
    );
    assert_eq!(of(add), ("", "u64", vec![("a", "u64"), ("b", "u64")]));
}

/// Sends itself onwards.
#[command]
async fn relay_race(_cx: Context, runners: Vec<Proxy>, laps: u32) -> Result<u32, Error> {
    let mut runners = runners;
    match runners.pop() {
        Some(next) => Ok(send(&next, relay_race, (runners, laps + 1)).await?),
        None => Ok(laps),
    }
}

#[pulsar::test]
async fn a_command_can_send_itself_onwards() -> Result<()> {
    let mut runners = Vec::new();
    for placement in PLACEMENTS {
        runners.push(spawn().placement(placement).await?);
    }
    let first = runners[0].clone();
    runners.remove(0);
    assert_eq!(send(&first, relay_race, (runners, 1)).await?, 3);
    Ok(())
}

#[pulsar::test]
async fn a_name_that_looks_like_a_strangers_id_is_found_from_everywhere() -> Result<()> {
    // Eight letters, a dash and a number.
    let _greeter = spawn().name("greeters-1").await?;
    let sender = spawn().await?;
    let hello = send(&sender, pass_on, ("greeters-1".to_owned(), "x".to_owned())).await?;
    assert_eq!(hello, "Hello x!");
    Ok(())
}

#[pulsar::test]
async fn tools_cannot_have_code_run_by_its_address() -> Result<()> {
    let actor = spawn().await?;
    for command in ["run_pointer", "spawn"] {
        for target in ["arbiter".to_owned(), actor.aid().to_string()] {
            let refused = send_json(target, command, vec![json!({})]).await;
            let Err(CallError::Send(SendError::Refused { .. })) = refused else {
                panic!("{command}: {refused:?}");
            };
        }
    }
    Ok(())
}

#[pulsar::test]
async fn the_longest_waits_are_taken() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn()
            .placement(placement)
            .boot_timeout(Duration::MAX)
            .exit_timeout(Duration::MAX)
            .timeout(Duration::MAX)
            .await?;
        assert_eq!(send(&actor, ping, ()).timeout(Duration::MAX).await?, "pong");
        arbiter().kill_actor(&actor).await?;
    }
    Ok(())
}

async fn start_slowly(cx: Context, _: ()) {
    // Until somebody has asked it something that it cannot take in yet.
    while cx.info().mailbox.received == 0 {
        tokio::task::yield_now().await;
    }
}

#[pulsar::test]
async fn an_actor_may_be_asked_too_much_before_it_is_ready() -> Result<()> {
    let spawning = spawn()
        .mailbox_capacity(1)
        .start(start_slowly, ())
        .begin()?;
    let aid = spawning.aid();
    while matches!(
        arbiter().actors().iter().find(|actor| actor.aid == aid),
        Some(actor) if actor.pid.is_none()
    ) {
        tokio::task::yield_now().await;
    }
    let mut asks = Vec::new();
    for number in 0..5 {
        asks.push(tokio::spawn(send(aid, add, (number, 1)).into_future()));
    }
    assert_eq!(send(aid, ping, ()).await?, "pong");
    let _actor = spawning.await?;
    // One waited in the mailbox, the others for room in it.
    for (number, ask) in (1..).zip(asks) {
        assert_eq!(ask.await??, number);
    }
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    item: String,
    count: u32,
}

/// Takes a struct.
#[command]
fn order(_cx: Context, customer: String, order: Order) -> String {
    format!("{customer}: {} {}", order.count, order.item)
}

#[pulsar::test]
async fn wrong_json_is_told_by_the_arguments_name_and_type() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let ordered = json!({ "item": "tea", "count": "two" });
        let wrong = send_json(&actor, "order", vec![json!("luca"), ordered]).await;
        let Err(CallError::Send(error)) = wrong else {
            panic!("{wrong:?}");
        };
        let text = error.to_string();
        assert!(
            text.contains("argument `order: Order` of order: "),
            "{text}"
        );
        assert!(text.contains("expected u32"), "{text}");
        let few = send_json(&actor, "order", vec![json!("luca")]).await;
        let Err(CallError::Send(error)) = few else {
            panic!("{few:?}");
        };
        let text = error.to_string();
        let signature = "order(customer: String, order: Order) -> String takes 2 arguments";
        assert!(text.contains(signature), "{text}");
    }
    Ok(())
}

#[pulsar::test]
async fn an_actor_lists_its_commands() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let all = send(&actor, pulsar::commands, ()).await?;
        let greetme = all.iter().find(|command| command.name == "greetme");
        let greetme = greetme.expect("it is listed");
        assert_eq!(
            greetme.to_string(),
            "greetme(name: String) -> Result<String, Rude>"
        );
        assert_eq!(greetme.doc, "Greets.");
        assert!(all.iter().any(|command| command.name == "ping"));
    }
    Ok(())
}

/// Asks its own actor by a name or an id, while it runs.
#[command]
async fn ask_yourself(cx: Context, by_name: bool) -> Result<u64, SendError> {
    let target = match by_name {
        true => cx.name().to_owned(),
        false => cx.aid().to_string(),
    };
    match send(target, add, (1, 2)).await {
        Ok(sum) => Ok(sum),
        Err(CallError::Send(error)) => Err(error),
        Err(CallError::Command(never)) => match never {},
    }
}

/// Asks its own actor from a task, after the turn.
#[command]
async fn ask_yourself_later(cx: Context) {
    let me = cx.proxy();
    let later = cx.clone();
    cx.spawn(async move {
        let sum = send(&me, add, (1, 2)).await;
        later.set_extra("later", sum.ok());
    });
}

#[pulsar::test]
async fn an_actor_that_asks_itself_within_its_turn_is_told_at_once() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().name("me").placement(placement).await?;
        for by_name in [true, false] {
            let answer = send(&actor, ask_yourself, by_name).await;
            let told = matches!(answer, Err(CallError::Command(SendError::WouldDeadlock)));
            assert!(told, "{placement}: {answer:?}");
        }
        // What it can answer meanwhile it may ask, and so may a task of its own.
        send(&actor, ask_yourself_later, ()).await?;
        while !send(&actor, info, ()).await?.extra.0.contains_key("later") {}
        assert_eq!(send(&actor, info, ()).await?.extra.0["later"], 3);
        arbiter().stop_actor(&actor).await?;
    }
    Ok(())
}
