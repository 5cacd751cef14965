//! What tools see of typed actors: names and JSON.

use pulsar::prelude::*;
use pulsar::send_json;
use serde_json::{Value, json};

use crate::PLACEMENTS;
use crate::counter::Counter;
use crate::scene::{Scene, everywhere, expect, expect_eq};

/// A free command of the name of one of the counter's own.
#[command]
fn total(_cx: Context) -> String {
    "free".to_owned()
}

fn counter() -> Spawn<Counter> {
    Counter::spawn(10)
}

type Answer = Result<Value, CallError<Value>>;

/// What a sender is told that gets no answer.
fn told(answer: Answer) -> String {
    match answer {
        Err(CallError::Send(error)) => error.to_string(),
        other => format!("{other:?}"),
    }
}

#[pulsar::test]
async fn own_commands_are_called_by_name_with_json() -> Result<()> {
    for placement in PLACEMENTS {
        let counter = counter().name("counter").placement(placement).await?;
        let added = send_json("counter", "add", vec![json!(5)]).await;
        assert_eq!(added.ok(), Some(json!(15)), "{placement}");
        let noted = send_json("counter", "note", vec![json!("noted")]).await;
        assert_eq!(noted.ok(), Some(Value::Null), "{placement}");
        let notes = send_json("counter", "notes", vec![]).await;
        assert_eq!(notes.ok(), Some(json!(["noted"])), "{placement}");
        arbiter().stop_actor(&counter).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn json_is_answered_wherever_it_comes_from() -> Result<()> {
    everywhere(counter, |_, (counter, _): Scene<Counter>| async move {
        let added = send_json(&counter, "add", vec![json!(5)]).await;
        expect_eq(added.ok(), Some(json!(15)))?;
        let refused = send_json(&counter, "take", vec![json!(16)]).await;
        match refused {
            Err(CallError::Command(error)) => expect_eq(error, json!({ "total": 15 })),
            other => expect(false, other),
        }
    })
    .await
}

#[pulsar::test]
async fn wrong_json_is_told_by_the_arguments_name() -> Result<()> {
    everywhere(counter, |_, (counter, _): Scene<Counter>| async move {
        let text = told(send_json(&counter, "add", vec![json!("five")]).await);
        expect(text.contains("argument `by: u64` of add: "), &text)?;
        expect(text.contains("expected u64"), text)?;
        let text = told(send_json(&counter, "add", vec![]).await);
        expect(text.contains("add(by: u64) -> u64 takes 1 argument"), text)
    })
    .await
}

#[pulsar::test]
async fn for_an_unknown_name_the_nearest_are_offered_of_the_actors_own_too() -> Result<()> {
    everywhere(counter, |_, (counter, _): Scene<Counter>| async move {
        match send_json(&counter, "nots", vec![]).await {
            Err(CallError::Send(SendError::UnknownCommand { command, nearest })) => {
                expect_eq(command, "nots")?;
                expect_eq(&nearest[..2], ["notes", "note"])
            }
            other => expect(false, other),
        }
    })
    .await
}

#[pulsar::test]
async fn a_short_name_means_the_actors_own_command_first() -> Result<()> {
    everywhere(counter, |_, (counter, _): Scene<Counter>| async move {
        let own = send_json(&counter, "total", vec![]).await;
        expect_eq(own.ok(), Some(json!(10)))?;
        // In the program the two are never confused.
        expect_eq(counter.total().await?, 10)?;
        expect_eq(send(&counter, total, ()).await?, "free")
    })
    .await
}

#[pulsar::test]
async fn other_actors_do_not_know_a_types_own_commands() -> Result<()> {
    for placement in PLACEMENTS {
        let plain = spawn().placement(placement).await?;
        let text = told(send_json(&plain, "add_behind", vec![json!(5)]).await);
        assert!(
            text.contains("no command is named \"add_behind\""),
            "{text}"
        );
    }
    Ok(())
}

#[pulsar::test]
async fn own_commands_are_listed_first_with_signature_and_documentation() -> Result<()> {
    everywhere(counter, |_, (counter, _): Scene<Counter>| async move {
        let all = send(&counter, pulsar::commands, ()).await?;
        let own: Vec<_> = all.iter().take(7).map(ToString::to_string).collect();
        let should = [
            "add(by: u64) -> u64",
            "take(away: u64) -> Result<u64, TooMuch>",
            "total() -> u64",
            "add_behind(gate: Proxy<Gate>, by: u64) -> Result<u64, Error>",
            "note(what: String) -> ()",
            "notes() -> Vec<String>",
            "panics(message: String) -> ()",
        ];
        expect_eq(own, should)?;
        expect_eq(&all[0].doc, "Adds, and tells the new total.")?;
        let others = &all[7..];
        expect(others.iter().any(|command| command.name == "ping"), "ping")?;
        expect(others.is_sorted_by_key(|command| &command.name), others)
    })
    .await
}
