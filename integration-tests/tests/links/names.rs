//! Names, as actors in other processes know them.

use pulsar::prelude::*;
use rustix::process::Signal;
use tokio::task::yield_now;

use crate::{double, host, not_answered, pid, signal};

#[command]
async fn ask_by_name(_cx: Context, name: String) -> Result<u32, Error> {
    Ok(send(name, double, 21).await?)
}

#[command]
async fn pid_by_name(_cx: Context, name: String) -> Result<u32, Error> {
    Ok(send(name, pid, ()).await?)
}

/// Ends the task of this name that lives here.
#[command]
async fn end(_cx: Context, name: String) -> Result<(), Error> {
    send(name, stop, ()).await?;
    Ok(())
}

#[pulsar::test]
async fn a_named_task_in_a_process_is_found_from_everywhere() -> Result<()> {
    let (hosting, other) = (spawn().await?, spawn().await?);
    let task = send(&hosting, host, "inside").await?;
    assert_eq!(send("inside", double, 1).await?, 2);
    assert_eq!(send(&other, ask_by_name, "inside").await?, 42);
    assert_eq!(send(&hosting, ask_by_name, "inside").await?, 42);
    assert_eq!(task.name(), "inside");
    Ok(())
}

#[pulsar::test]
async fn a_name_is_unique_among_the_living_wherever_they_live() -> Result<()> {
    let (one, other) = (spawn().await?, spawn().await?);
    send(&one, host, "mine").await?;
    for refused in [
        send(&other, host, "mine").await.unwrap_err(),
        send(&one, host, "mine").await.unwrap_err(),
    ] {
        assert!(
            refused.to_string().contains("\"mine\" is taken"),
            "{refused}"
        );
    }
    let taken = SpawnError::NameTaken {
        name: "mine".to_owned(),
    };
    assert_eq!(spawn().name("mine").await.unwrap_err(), taken);
    // It is free when its holder has ended, in order or with its process.
    send(&one, end, "mine").await?;
    while let Err(error) = send(&other, host, "mine").await {
        // That it has ended may not have come to the arbiter yet.
        assert!(error.to_string().contains("is taken"), "{error}");
    }
    arbiter().kill_actor(&other).await?;
    spawn().name("mine").await?;
    Ok(())
}

#[pulsar::test]
async fn a_name_that_has_come_to_another_is_looked_for_anew() -> Result<()> {
    let asker = spawn().await?;
    for placement in [Placement::Thread, Placement::Process, Placement::Task] {
        for next in [Placement::Process, Placement::Thread] {
            let first = spawn().name("moving").placement(placement).await?;
            assert_eq!(send(&asker, ask_by_name, "moving").await?, 42);
            arbiter().stop_actor(&first).await?;
            let second = spawn().name("moving").placement(next).await?;
            assert_eq!(send(&asker, ask_by_name, "moving").await?, 42);
            let found = send(&asker, pid_by_name, "moving").await?;
            assert_eq!(found, send(&second, pid, ()).await?);
            arbiter().stop_actor(&second).await?;
        }
    }
    Ok(())
}

/// Two asks at once, to whoever has this name.
#[command]
async fn ask_twice_by_name(_cx: Context, name: String) -> Result<(u32, u32), SendError> {
    let (one, other) = tokio::join!(
        send(name.clone(), double, 1).into_future(),
        send(name, double, 2).into_future()
    );
    Ok((one.map_err(not_answered)?, other.map_err(not_answered)?))
}

/// A name that `asker` knows, and that has come to another since, who is given back.
async fn moved(asker: &Proxy, name: &str) -> Result<Proxy> {
    let first = spawn().name(name).thread().await?;
    assert_eq!(send(asker, ask_twice_by_name, name).await?, (2, 4));
    arbiter().stop_actor(&first).await?;
    Ok(spawn().name(name).await?)
}

#[pulsar::test]
async fn two_asks_at_once_by_a_name_that_has_moved_both_find_it() -> Result<()> {
    let asker = spawn().await?;
    let _second = moved(&asker, "moving").await?;
    assert_eq!(send(&asker, ask_twice_by_name, "moving").await?, (2, 4));
    Ok(())
}

/// Asks without waiting for the way, until there is one.
#[command]
async fn try_by_name(_cx: Context, name: String) -> Result<u32, Error> {
    loop {
        if let Ok(sent) = send(name.clone(), double, 21).try_send()
            && let Ok(doubled) = sent.await
        {
            return Ok(doubled);
        }
        yield_now().await;
    }
}

#[pulsar::test]
async fn try_send_by_a_name_that_has_moved_finds_it_in_the_end() -> Result<()> {
    let asker = spawn().await?;
    let _second = moved(&asker, "moving").await?;
    assert_eq!(send(&asker, try_by_name, "moving").await?, 42);
    Ok(())
}

#[command(no_ack)]
async fn tick(cx: Context) {
    cx.set_extra("ready", true);
}

#[command]
async fn tell_by_name(_cx: Context, name: String) -> Result<(), Error> {
    Ok(send(name, tick, ()).await?)
}

#[pulsar::test]
async fn tells_by_a_name_that_has_moved_find_it_in_the_end() -> Result<()> {
    let asker = spawn().await?;
    let second = moved(&asker, "moving").await?;
    loop {
        send(&asker, tell_by_name, "moving").await?;
        let about = send(&second, info, ()).await?;
        if about.extra.0.contains_key("ready") {
            return Ok(());
        }
    }
}

/// Has `asker` find this name between two lives of whoever has it.
async fn find_between_lives(asker: &Proxy, name: &str) -> Result<()> {
    loop {
        match send(asker, ask_twice_by_name, name).await {
            Err(CallError::Command(SendError::Restarting { .. })) => return Ok(()),
            // It lives: the back-off was over too soon, or has not begun. The next is longer.
            Ok(_) => signal(send(name, pid, ()).await?, Signal::KILL)?,
            Err(_) => yield_now().await,
        }
    }
}

#[pulsar::test]
async fn a_name_found_between_two_lives_is_not_remembered_for_ever() -> Result<()> {
    let asker = spawn().await?;
    let first = spawn().name("moving").permanent().await?;
    find_between_lives(&asker, "moving").await?;
    arbiter().stop_actor(&first).await?;
    let _second = spawn().name("moving").await?;
    assert_eq!(send(&asker, ask_twice_by_name, "moving").await?, (2, 4));
    Ok(())
}
